"""Sampling with vLLM in this process, on an accelerator or, without one, on the CPU."""

import atexit
import gc
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from tqdm.asyncio import tqdm  # the one that vLLM's signature names

from recipe_tapo.algorithm.chats import render_chat
from recipe_tapo.cpu import environment
from recipe_tapo.cpu.device import accelerator_present
from recipe_tapo.errors import InputError
from recipe_tapo.reasons import RejectReason
from recipe_tapo.sampling.requests import Request, Response, Sampling, one_line

_ENVIRONMENT = {
    # In a process of its own the engine starts on whatever requests have arrived, so batches depend on timing.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
}

_log = logging.getLogger(__name__)


class OfflineSampler:
    """vLLM's offline engine.

    The same requests in the same list give the same responses, whatever was sampled before.

    Args:
        model: Hugging Face folder or name.
        chat_template_kwargs: For the chat template, as in training.
        max_model_len: Longest prompt and response together; None for the model's own.
        engine: Further arguments of ``vllm.LLM``.

    Raises:
        InputError: vLLM cannot load the model.
    """

    one_by_one = False

    def __init__(
        self, model: str, chat_template_kwargs: Mapping[str, Any], max_model_len: int | None, **engine: Any
    ) -> None:
        try:
            self._start(engine_arguments(model, max_model_len, **engine))
        # Whatever vLLM, transformers and torch raise here means that there is no engine.
        except Exception as error:
            if isinstance(error, ModuleNotFoundError) and error.name == "vllm":
                raise  # The command says which extra brings it.
            raise InputError(f"vLLM cannot load {model}: {one_line(error)}") from error
        self._template_kwargs = dict(chat_template_kwargs)
        self._max_model_len = self._llm.model_config.max_model_len

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[tuple[int, Response]]]:
        """See ``Sampler``."""
        if sampling.max_tokens >= self._max_model_len:
            raise InputError(
                f"the model's context is {self._max_model_len} tokens, too few for responses of {sampling.max_tokens}"
            )
        # What earlier requests left in the cache decides how prompts are computed, to the last bits.
        self._reset_prefix_cache()
        prompts = [render_chat(self._tokenizer, request.messages, self._template_kwargs) for request in requests]
        fitting = [i for i, ids in enumerate(prompts) if len(ids) + sampling.max_tokens <= self._max_model_len]
        responses = [Response(failure=RejectReason.DOES_NOT_FIT.value, prompt_tokens=len(ids)) for ids in prompts]
        chosen = [(prompts[i], requests[i].seed) for i in fitting]
        for i, response in zip(fitting, self._generate_safely(chosen, sampling), strict=True):
            responses[i] = response
        yield list(enumerate(responses))

    def _start(self, engine: dict[str, Any]) -> None:
        # Imported here: vLLM reads the environment when it is imported.
        from vllm import LLM

        self._llm = LLM(**engine)
        # vLLM freezes the heap; what is frozen at the end is reported as leaked, on many lines.
        atexit.register(gc.unfreeze)
        self._tokenizer: Any = self._llm.get_tokenizer()

    def _reset_prefix_cache(self) -> None:
        self._llm.reset_prefix_cache()

    def _generate_safely(self, prompts: list[tuple[list[int], int]], sampling: Sampling) -> list[Response]:
        try:
            return self._generate(prompts, sampling)
        # One bad request ends the whole call, whatever it raises: find it by asking one by one.
        except Exception as error:
            if len(prompts) == 1:
                return [Response(failure=one_line(error), prompt_tokens=len(prompts[0][0]))]
            _log.warning("vLLM failed on %d requests (%s); asking one by one", len(prompts), one_line(error))
            return [response for prompt in prompts for response in self._generate_safely([prompt], sampling)]

    def _generate(self, prompts: list[tuple[list[int], int]], sampling: Sampling) -> list[Response]:
        outputs = self._llm.generate(
            [{"prompt_token_ids": ids} for ids, _ in prompts],
            [sampling_params(sampling, seed) for _, seed in prompts],
            # vLLM divides by the time that a bar shows, which is none where tqdm switches it off.
            use_tqdm=partial(tqdm, position=1, leave=False) if sys.stderr.isatty() else False,
        )
        return [to_response(output, ids) for output, (ids, _) in zip(outputs, prompts, strict=True)]


def sampling_params(sampling: Sampling, seed: int | None, **options: Any) -> Any:
    """vLLM's form of the settings of one request."""
    from vllm import SamplingParams

    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        max_tokens=sampling.max_tokens,
        seed=seed,
        **options,
    )


def to_response(output: Any, prompt: list[int]) -> Response:
    """Reads vLLM's output to one request."""
    completion = output.outputs[0]
    return Response(
        text=completion.text,
        finish_reason=completion.finish_reason,
        prompt_tokens=len(prompt),
        tokens=len(completion.token_ids),
    )


def engine_arguments(model: str, max_model_len: int | None, **engine: Any) -> dict[str, Any]:
    """vLLM's arguments for this machine; sets the environment variables that vLLM reads when it is imported."""
    on_cpu = not accelerator_present()
    environment.set_defaults(_ENVIRONMENT, environment.VLLM if on_cpu else {})
    for_device = _cpu_engine(model, max_model_len, engine.get("dtype", "auto")) if on_cpu else {}
    return {"model": model, "max_model_len": max_model_len, **engine, **for_device}


def _cpu_engine(model: str, max_model_len: int | None, dtype: str) -> dict[str, Any]:
    from transformers import AutoConfig

    context = max_model_len or AutoConfig.from_pretrained(model).max_position_embeddings
    return {
        "dtype": "float32" if dtype == "auto" else dtype,
        "enforce_eager": True,
        # Seeded requests crash vLLM's CPU runner when a prompt is computed in parts: a CPU generator cannot be
        # wound back. So every prompt has to fit into one step.
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(context, 4096),
    }
