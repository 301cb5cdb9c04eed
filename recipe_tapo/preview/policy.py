"""The policy as a preview asks it: what construction needs, and how likely the policy finds a text."""

import asyncio
import math
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from recipe_tapo.algorithm.trajectory import Trajectory
from recipe_tapo.config import SynthesisConfig
from recipe_tapo.construction.group import Rollout
from recipe_tapo.construction.policy import Grade
from recipe_tapo.errors import InputError
from recipe_tapo.grading.pool import GraderUnavailable
from recipe_tapo.grading.score import score_response
from recipe_tapo.sampling.requests import Sampling, one_line

T = TypeVar("T")

# How many of a token's likeliest alternatives its entropy is summed over.
TOP = 20


@dataclass(frozen=True)
class Likelihood:
    """What the policy thinks of a token sequence, token by token.

    Attributes:
        log_probs: Log-probability of each token after those before it; of the first: 0.
        entropies: Entropies in nats, over each token's likeliest alternatives; the rest counts as one alternative.
    """

    log_probs: list[float]
    entropies: list[float]


class PreviewPolicy(Protocol):
    """A policy that runs somewhere.

    Attributes:
        tokenizer: Its tokenizer.
        max_model_len: Tokens of context, prompt and output together.
        stop_ids: Token ids that end a rollout.
        sampling: How rollouts are drawn.
    """

    tokenizer: Any
    max_model_len: int
    stop_ids: frozenset[int]
    sampling: Sampling

    async def start(self) -> None:
        """Gets ready; called in the event loop that asks. Raises InputError where there is no such policy."""
        ...

    def close(self) -> None:
        """Gives back what ``start`` took."""
        ...

    async def generate(self, prompt_ids: list[int], sampling: Sampling, seed: int | None = None) -> list[int]:
        """Samples an answer to a rendered prompt, with its end-of-sequence token where it has one."""
        ...

    async def choose(self, prompt_ids: list[int], choices: list[str], max_tokens: int) -> str:
        """See ``construction.policy.Engine``."""
        ...

    async def odds(self, prompt_ids: list[int], token: int, other: int) -> float:
        """See ``construction.policy.Engine``."""
        ...

    async def likelihood(self, token_ids: list[int], top: int = TOP) -> Likelihood:
        """What it thinks of a token sequence."""
        ...


async def answered(request: Awaitable[T]) -> T:
    """Waits for the engine.

    Raises:
        InputError: It fails; the message says how to go on.
    """
    try:
        return await request
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"the engine failed ({one_line(error)}); what it answered is kept, and the same command goes on"
        ) from error


def read_likelihood(token_ids: Sequence[int], entries: Sequence[dict[int, float]]) -> Likelihood:
    """Likelihood from what vLLM says of a prompt.

    Args:
        token_ids: The prompt.
        entries: For each token but the first the log-probabilities of itself and its likeliest alternatives, by id.
    """
    log_probs = [0.0, *(entry[token] for token, entry in zip(token_ids[1:], entries, strict=True))]
    return Likelihood(log_probs, [0.0, *(entropy(list(entry.values())) for entry in entries)])


def read_odds(known: Mapping[int, float], token: int, other: int) -> float:
    """The odds of two next tokens from what vLLM says of the likeliest ones.

    Args:
        known: Log-probabilities by token id, of all tokens or of the allowed ones alone.
        token: The one.
        other: The other. One that is not among the known ones counts as their least likely one.
    """
    least = min(known.values())
    return known.get(token, least) - known.get(other, least)


def entropy(log_probs: Sequence[float]) -> float:
    """Entropy in nats of alternatives with these log-probabilities; what they leave over counts as one more."""
    probabilities = [math.exp(log_prob) for log_prob in log_probs]
    rest = max(0.0, 1.0 - sum(probabilities))
    return sum(p * -math.log(p) for p in [*probabilities, rest] if p > 0)


class QuestionEngine:
    """construction's ``Engine`` for one question: a policy and the right answer.

    Args:
        policy: The policy.
        gold: The right answer.
        synthesis: Whose sampling values, where set, take the place of the rollouts' own; as in training.
    """

    def __init__(self, policy: PreviewPolicy, gold: str, synthesis: SynthesisConfig):
        self.policy, self.gold = policy, gold
        self.sampling = replace(policy.sampling, **synthesis.sampling)

    async def generate(self, prompt_ids: list[int], max_tokens: int) -> list[int]:
        """See ``construction.policy.Engine``."""
        return await self.policy.generate(prompt_ids, replace(self.sampling, max_tokens=max_tokens))

    async def choose(self, prompt_ids: list[int], choices: list[str], max_tokens: int) -> str:
        """See ``construction.policy.Engine``."""
        return await self.policy.choose(prompt_ids, choices, max_tokens)

    async def score_tokens(self, token_ids: list[int]) -> list[float]:
        """See ``construction.policy.Engine``."""
        return (await self.policy.likelihood(token_ids, top=0)).log_probs

    async def odds(self, prompt_ids: list[int], token: int, other: int) -> float:
        """See ``construction.policy.Engine``."""
        return await self.policy.odds(prompt_ids, token, other)

    async def grade(self, error: Rollout, trajectory: Trajectory) -> Grade:
        """See ``construction.policy.Engine``."""
        return await grade(trajectory.text, self.gold)


async def grade(text: str, gold: str) -> Grade:
    """Grades a response with the reward of training; grading blocks, so it has a thread.

    Raises:
        InputError: The grader does not work at all.
    """
    try:
        right = (await asyncio.to_thread(score_response, text, gold))["acc"] == 1.0
    except GraderUnavailable as error:
        raise InputError(f"cannot grade: {error}") from error
    return Grade(float(right), right)
