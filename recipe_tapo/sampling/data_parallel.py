"""Sampling with several replicas of the model, one per accelerator or group of accelerators.

vLLM's ``LLM`` refuses data parallelism for dense models; its asynchronous engine, which its server runs on too, starts
the replicas, gives each its accelerators, and takes requests for a given replica.
"""

import asyncio
import atexit
from typing import Any

from tqdm import tqdm

from recipe_tapo.errors import InputError
from recipe_tapo.sampling.offline import OfflineSampler, sampling_params, to_response
from recipe_tapo.sampling.requests import Response, Sampling, one_line


class DataParallelSampler(OfflineSampler):
    """vLLM's asynchronous engine with ``data_parallel_size`` replicas; arguments as for ``OfflineSampler``.

    Requests go to the replicas in turn, always the same one to the same replica. Each replica starts on whatever has
    arrived, so that rounding, and with it a rare token, can differ between two runs; ``VLLM_BATCH_INVARIANT=1`` makes
    vLLM's kernels independent of the batch where it supports the accelerator.
    """

    def _start(self, engine: dict[str, Any]) -> None:
        # Imported here: vLLM reads the environment when it is imported.
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        self._replicas = engine["data_parallel_size"]
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._start_engine(AsyncLLM, AsyncEngineArgs(**engine)))
        atexit.register(self._close)

    async def _start_engine(self, kind: type, arguments: Any) -> None:
        # Inside the loop, in which the engine leaves a task that reads the replicas' outputs.
        self._llm = kind.from_engine_args(arguments)
        self._tokenizer = self._llm.tokenizer

    def _close(self) -> None:
        self._llm.shutdown()
        # The engine's tasks end inside their loop, or Python complains of each.
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _reset_prefix_cache(self) -> None:
        self._loop.run_until_complete(self._llm.reset_prefix_cache())

    def _generate_safely(self, prompts: list[tuple[list[int], int]], sampling: Sampling) -> list[Response]:
        return self._loop.run_until_complete(self._generate_all(prompts, sampling))

    async def _generate_all(self, prompts: list[tuple[list[int], int]], sampling: Sampling) -> list[Response]:
        with tqdm(total=len(prompts), position=1, leave=False, disable=None) as progress:

            async def ask(number: int, ids: list[int], seed: int) -> Response:
                response = await self._ask(number, ids, seed, sampling)
                progress.update()
                return response

            return await asyncio.gather(*(ask(number, *prompt) for number, prompt in enumerate(prompts)))

    async def _ask(self, number: int, ids: list[int], seed: int, sampling: Sampling) -> Response:
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError

        params = sampling_params(sampling, seed, output_kind=RequestOutputKind.FINAL_ONLY)
        try:
            outputs = self._llm.generate(
                {"prompt_token_ids": ids}, params, str(number), data_parallel_rank=number % self._replicas
            )
            return [to_response(output, ids) async for output in outputs][-1]
        except EngineDeadError as error:
            raise InputError(f"vLLM's engine died ({one_line(error)}); run the command again") from error
        # A bad request costs itself alone, whatever it raises.
        except Exception as error:
            return Response(failure=one_line(error), prompt_tokens=len(ids))
