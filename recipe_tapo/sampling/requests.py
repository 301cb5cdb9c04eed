"""What is asked of a model and what comes back, whichever engine answers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from recipe_tapo.errors import InputError

# So many requests that fail without exception are no accident of single requests.
_HOPELESS = 32


@dataclass(frozen=True)
class Sampling:
    """How responses are drawn.

    Attributes:
        temperature: 0 for the likeliest token.
        top_p: Share of probability to draw from.
        top_k: Number of tokens to draw from; -1 for all.
        max_tokens: Longest response.
    """

    temperature: float
    top_p: float
    top_k: int
    max_tokens: int


@dataclass(frozen=True)
class Request:
    """One response to draw.

    Attributes:
        messages: The chat, without the answer.
        seed: Of this response alone, so that it does not matter what it is drawn together with.
    """

    messages: list[dict[str, str]]
    seed: int


@dataclass(frozen=True)
class Response:
    """A drawn response, or why there is none.

    Attributes:
        text: The response; empty after a failure.
        finish_reason: ``stop``, or ``length`` at the token limit.
        prompt_tokens: Length of the rendered chat.
        tokens: Length of the response.
        failure: What went wrong; None when nothing did.
    """

    text: str = ""
    finish_reason: str | None = None
    prompt_tokens: int = 0
    tokens: int = 0
    failure: str | None = None

    @property
    def truncated(self) -> bool:
        """Whether it stopped at the token limit."""
        return self.finish_reason == "length"


class Sampler(Protocol):
    """An engine that answers."""

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
        """Answers in the order of the requests; a failing one is retried, then costs itself alone.

        Raises:
            InputError: The engine does not work at all.
        """
        ...


def sample_all(sampler: Sampler, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
    """Draws responses and insists on some success.

    Raises:
        InputError: Every one of many requests failed; recording that would make it final.
    """
    responses = sampler.sample(requests, sampling)
    if len(responses) >= _HOPELESS and all(response.failure for response in responses):
        raise InputError(f"all {len(responses)} requests of a chunk failed; the last one: {responses[-1].failure}")
    return responses


def derive_seed(*parts: str | int) -> int:
    """A seed that depends on the parts alone; small enough for every engine."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def one_line(error: BaseException) -> str:
    """Names an exception on one line."""
    return f"{type(error).__name__}: " + " ".join(str(error).split())[:300]
