"""Requests to the engine: within the context, within time, each failure with its reason."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.failures import FailureLog
from recipe_tapo.construction.group import Versions
from recipe_tapo.construction.policy import Engine, Policy, Sampled
from recipe_tapo.reasons import Rejected, RejectReason

T = TypeVar("T")

# Seconds that a request has by default, besides a second for so many tokens of its prompt and budget (ours).
_BASE_TIMEOUT_S = 120.0
_SLOWEST_TOKENS_PER_S = 5.0
# Seconds for a grading: a judge may be a model with a queue, for which verl's rollouts wait without limit.
_GRADING_TIMEOUT_S = 600.0


class Requests:
    """The requests of one attempt, or of one group where each is asked once.

    Args:
        tapo: The configuration.
        policy: The policy's limits.
        engine: Whatever runs the policy.
        failures: Where requests that fail are told.

    Attributes:
        generated_tokens: Tokens that ``generate`` has brought so far.
        versions: The weights that wrote what ``generate`` brought last, where the engine says so.
    """

    def __init__(self, tapo: TapoConfig, policy: Policy, engine: Engine, failures: FailureLog):
        self.failures = failures
        self.policy = policy
        self.engine = engine
        self.generated_tokens = 0
        self.versions: Versions | None = None
        self._timeout_s = tapo.synthesis.timeout_s
        self._max_tokens = tapo.synthesis.max_tokens or policy.max_response_length
        self._min_new_tokens = tapo.synthesis.min_new_tokens

    async def generate(self, prompt_ids: list[int], most: int | None = None) -> tuple[list[int], bool]:
        """Samples an answer as long as the configuration, the context and ``most`` allow.

        Returns:
            The answer's ids, and whether it stopped for want of room instead of at an end of its own.

        Raises:
            Rejected: No answer fits into the context (``does_not_fit``) or into ``most`` (``too_long``), the request
                failed, or it took too long.
        """
        self.versions = None
        least = max(1, self._min_new_tokens)
        if most is not None and most < least:
            raise Rejected(RejectReason.TOO_LONG)
        budget = min(self._max_tokens, self.policy.max_model_len - len(prompt_ids))
        if budget < least:
            raise Rejected(RejectReason.DOES_NOT_FIT)
        if most is not None:
            budget = min(budget, most)
        tokens = len(prompt_ids) + budget
        ids = await self.within_time(self.engine.generate(prompt_ids, budget), RejectReason.REQUEST_FAILED, tokens)
        self.generated_tokens += len(ids)
        self.versions = ids.versions if isinstance(ids, Sampled) else None
        ended = bool(ids) and ids[-1] in self.policy.stop_ids
        # verl's SGLang server leaves one token of the context free.
        return ids, len(ids) >= budget - 1 and not ended

    async def choose(self, prompt_ids: list[int], choices: list[str]) -> str:
        """Lets the policy answer with one of the choices.

        Raises:
            Rejected: The prompt does not fit, the request failed, or it took too long.
        """
        budget = self.policy.longest(choices) + 1  # and an end
        if len(prompt_ids) + budget > self.policy.max_model_len:
            raise Rejected(RejectReason.DOES_NOT_FIT)
        choosing = self.engine.choose(prompt_ids, choices, budget)
        return await self.within_time(choosing, RejectReason.REQUEST_FAILED, len(prompt_ids))

    async def score_tokens(self, token_ids: list[int]) -> list[float]:
        """The log-probability of each token after those before it.

        Raises:
            Rejected: The tokens do not fit, the request failed, or it took too long.
        """
        if len(token_ids) >= self.policy.max_model_len:
            raise Rejected(RejectReason.DOES_NOT_FIT)
        scoring = self.engine.score_tokens(token_ids)
        return await self.within_time(scoring, RejectReason.REQUEST_FAILED, len(token_ids))

    async def odds(self, prompt_ids: list[int], token: int, other: int) -> float:
        """How much likelier one next token is than another, in nats.

        Raises:
            Rejected: The tokens do not fit, the request failed, or it took too long.
        """
        if len(prompt_ids) >= self.policy.max_model_len:
            raise Rejected(RejectReason.DOES_NOT_FIT)
        asking = self.engine.odds(prompt_ids, token, other)
        return await self.within_time(asking, RejectReason.REQUEST_FAILED, len(prompt_ids))

    async def within_time(self, work: Awaitable[T], failed: RejectReason, tokens: int | None = None) -> T:
        """Waits for a request, or for its grading, as long as the configuration says.

        Args:
            work: The request.
            failed: The reason where it raises.
            tokens: Its prompt and budget, with which the default time-out grows; None for a grading.
        """
        timeout_s = self._timeout_s or self._default_timeout_s(tokens)
        task = asyncio.ensure_future(work)
        try:
            return await asyncio.wait_for(task, timeout=timeout_s)
        except Exception as failure:
            # A time-out that the request itself raises is its failure: ours cancels it.
            if isinstance(failure, asyncio.TimeoutError) and task.cancelled():
                self.failures.note(RejectReason.TIMED_OUT.value, TimeoutError(f"no answer within {timeout_s:g} s"))
                raise Rejected(RejectReason.TIMED_OUT) from None
            self.failures.note(failed.value, failure)
            raise Rejected(failed) from failure

    def _default_timeout_s(self, tokens: int | None) -> float | None:
        if tokens is None:
            return _GRADING_TIMEOUT_S
        return None if self.policy.pauses else _BASE_TIMEOUT_S + tokens / _SLOWEST_TOKENS_PER_S


async def all_or_none(requests: Iterable[Awaitable[T]]) -> list[T]:
    """Waits for requests of which each is needed; where one fails, the others are given up. Raises what it raised."""
    tasks = [asyncio.ensure_future(request) for request in requests]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
