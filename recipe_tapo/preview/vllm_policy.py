"""A preview's policy on vLLM's asynchronous engine in this process."""

import uuid
from typing import Any

from recipe_tapo.algorithm.tokens import stop_ids
from recipe_tapo.errors import InputError
from recipe_tapo.preview.policy import TOP, Likelihood, read_likelihood, read_odds
from recipe_tapo.sampling.offline import engine_arguments, sampling_params
from recipe_tapo.sampling.requests import Sampling, one_line


class VllmPolicy:
    """vLLM in this process; see ``PreviewPolicy``.

    Args:
        model: Hugging Face folder or name.
        sampling: How rollouts are drawn.
        max_model_len: Longest prompt and answer together; None for the model's own.
        engine: Further arguments of vLLM's engine.
    """

    def __init__(self, model: str, sampling: Sampling, max_model_len: int | None, **engine: Any):
        self.model, self.sampling = model, sampling
        self._max_model_len, self._engine = max_model_len, engine

    async def start(self) -> None:
        """Loads the model; call it in the event loop that asks.

        Raises:
            InputError: vLLM cannot load the model.
        """
        arguments = engine_arguments(self.model, self._max_model_len, **self._engine)
        # Imported here: vLLM reads the environment when it is imported.
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        try:
            # As verl starts it: log-probabilities are those among the tokens that a request allows.
            self._llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments, logprobs_mode="processed_logprobs"))
        except Exception as error:
            raise InputError(f"vLLM cannot load {self.model}: {one_line(error)}") from error
        self.tokenizer: Any = self._llm.tokenizer
        self.max_model_len: int = self._llm.model_config.max_model_len
        generation = self._llm.model_config.try_get_generation_config().get("eos_token_id")
        self.stop_ids = stop_ids(self.tokenizer, generation)

    def close(self) -> None:
        """Ends vLLM's process."""
        self._llm.shutdown()

    async def generate(self, prompt_ids: list[int], sampling: Sampling, seed: int | None = None) -> list[int]:
        """See ``PreviewPolicy``."""
        return list((await self._ask(prompt_ids, sampling_params(sampling, seed))).outputs[0].token_ids)

    async def choose(self, prompt_ids: list[int], choices: list[str], max_tokens: int) -> str:
        """See ``PreviewPolicy``."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        params = SamplingParams(
            temperature=0.0, max_tokens=max_tokens, structured_outputs=StructuredOutputsParams(choice=choices)
        )
        return (await self._ask(prompt_ids, params)).outputs[0].text.strip()

    async def odds(self, prompt_ids: list[int], token: int, other: int) -> float:
        """See ``PreviewPolicy``."""
        from vllm import SamplingParams

        params = SamplingParams(temperature=1.0, max_tokens=1, allowed_token_ids=[token, other], logprobs=2)
        (known,) = (await self._ask(prompt_ids, params)).outputs[0].logprobs
        return read_odds({id_: entry.logprob for id_, entry in known.items()}, token, other)

    async def likelihood(self, token_ids: list[int], top: int = TOP) -> Likelihood:
        """See ``PreviewPolicy``."""
        from vllm import SamplingParams

        params = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=top)
        output = await self._ask(token_ids, params)
        entries = [{id_: entry.logprob for id_, entry in known.items()} for known in output.prompt_logprobs[1:]]
        return read_likelihood(token_ids, entries)

    async def _ask(self, prompt_ids: list[int], params: Any) -> Any:
        final = None
        try:
            async for output in self._llm.generate({"prompt_token_ids": prompt_ids}, params, uuid.uuid4().hex):
                final = output
        except Exception as error:  # vLLM's own have no common class
            raise RuntimeError(f"vLLM: {one_line(error)}") from error
        return final
