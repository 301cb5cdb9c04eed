"""construction's ``Engine`` on vLLM's asynchronous engine in this process, for one question at a time."""

import asyncio
import math
import uuid
from dataclasses import dataclass, replace
from typing import Any

from recipe_tapo.algorithm.trajectory import Trajectory
from recipe_tapo.construction.group import Rollout
from recipe_tapo.construction.policy import Grade
from recipe_tapo.errors import InputError
from recipe_tapo.grading.score import score_response
from recipe_tapo.sampling.offline import engine_arguments, sampling_params
from recipe_tapo.sampling.requests import Sampling, one_line

# How many of a token's likeliest alternatives its entropy is summed over.
_TOP = 20


@dataclass(frozen=True)
class Likelihood:
    """What the policy thinks of a token sequence behind a prompt, token by token.

    Attributes:
        log_probs: Log-probabilities.
        entropies: Entropies in nats, over each token's likeliest alternatives; the rest counts as one alternative.
    """

    log_probs: list[float]
    entropies: list[float]


class VllmPolicy:
    """vLLM in this process.

    Args:
        model: Hugging Face folder or name.
        sampling: How rollouts and constructions are drawn.
        max_model_len: Longest prompt and answer together; None for the model's own.
        engine: Further arguments of vLLM's engine.

    Raises:
        InputError: vLLM cannot load the model.
    """

    def __init__(self, model: str, sampling: Sampling, max_model_len: int | None, **engine: Any):
        self.model, self.sampling = model, sampling
        self._max_model_len, self._engine = max_model_len, engine

    async def start(self) -> None:
        """Loads the model; call it in the event loop that asks."""
        arguments = engine_arguments(self.model, self._max_model_len, **self._engine)
        # Imported here: vLLM reads the environment when it is imported.
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        try:
            self._llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
        except Exception as error:
            raise InputError(f"vLLM cannot load {self.model}: {one_line(error)}") from error
        self.tokenizer: Any = self._llm.tokenizer
        self.max_model_len: int = self._llm.model_config.max_model_len
        generation = self._llm.model_config.try_get_generation_config().get("eos_token_id")
        ends = generation if isinstance(generation, list) else [generation]
        self.stop_ids = frozenset(id_ for id_ in [*ends, self.tokenizer.eos_token_id] if id_ is not None)

    def close(self) -> None:
        """Ends vLLM's process."""
        self._llm.shutdown()

    async def generate(self, prompt_ids: list[int], max_tokens: int, seed: int | None = None) -> list[int]:
        """See ``construction.policy.Engine``."""
        params = sampling_params(replace(self.sampling, max_tokens=max_tokens), seed)
        return list((await self._ask(prompt_ids, params)).outputs[0].token_ids)

    async def choose(self, prompt_ids: list[int], choices: list[str], max_tokens: int) -> str:
        """See ``construction.policy.Engine``."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        params = SamplingParams(
            temperature=0.0, max_tokens=max_tokens, structured_outputs=StructuredOutputsParams(choice=choices)
        )
        return (await self._ask(prompt_ids, params)).outputs[0].text.strip()

    async def score_tokens(self, token_ids: list[int]) -> list[float]:
        """See ``construction.policy.Engine``."""
        return (await self.likelihood(token_ids, top=0)).log_probs

    async def likelihood(self, token_ids: list[int], top: int = _TOP) -> Likelihood:
        """Log-probability and entropy of each token behind those before it; of the first: 0."""
        from vllm import SamplingParams

        params = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=top)
        output = await self._ask(token_ids, params)
        log_probs, entropies = [0.0], [0.0]
        for token, alternatives in zip(token_ids[1:], output.prompt_logprobs[1:], strict=True):
            known = {id_: entry.logprob for id_, entry in alternatives.items()}
            log_probs.append(known[token])
            entropies.append(_entropy(list(known.values())))
        return Likelihood(log_probs, entropies)

    async def _ask(self, prompt_ids: list[int], params: Any) -> Any:
        final = None
        async for output in self._llm.generate({"prompt_token_ids": prompt_ids}, params, uuid.uuid4().hex):
            final = output
        return final


def _entropy(log_probs: list[float]) -> float:
    probabilities = [math.exp(log_prob) for log_prob in log_probs]
    rest = max(0.0, 1.0 - sum(probabilities))
    parts = [p * -math.log(p) for p in [*probabilities, rest] if p > 0]
    return sum(parts)


class QuestionEngine:
    """A policy and the right answer of one question: what a constructor is given.

    Args:
        policy: The engine.
        gold: The right answer.
    """

    def __init__(self, policy: VllmPolicy, gold: str):
        self.policy, self.gold = policy, gold

    async def generate(self, prompt_ids: list[int], max_tokens: int) -> list[int]:
        """See ``construction.policy.Engine``."""
        return await self.policy.generate(prompt_ids, max_tokens)

    async def choose(self, prompt_ids: list[int], choices: list[str], max_tokens: int) -> str:
        """See ``construction.policy.Engine``."""
        return await self.policy.choose(prompt_ids, choices, max_tokens)

    async def score_tokens(self, token_ids: list[int]) -> list[float]:
        """See ``construction.policy.Engine``."""
        return await self.policy.score_tokens(token_ids)

    async def grade(self, error: Rollout, trajectory: Trajectory) -> Grade:
        """See ``construction.policy.Engine``."""
        return await self.grade_text(trajectory.text)

    async def grade_text(self, text: str) -> Grade:
        """Grades a response with the reward of training; grading blocks, so it has a thread."""
        right = (await asyncio.to_thread(score_response, text, self.gold))["acc"] == 1.0
        return Grade(float(right), right)
