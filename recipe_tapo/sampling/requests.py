"""What is asked of a model and what comes back, whichever engine answers."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


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

    @property
    def one_by_one(self) -> bool:
        """Whether a response depends on its own request alone, and comes as soon as it is there."""
        ...

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterable[Sequence[tuple[int, Response]]]:
        """Yields responses with the positions of their requests, those together that came together.

        A failing request is retried, then costs itself alone.

        Raises:
            InputError: The engine does not work at all.
        """
        ...


def derive_seed(*parts: str | int) -> int:
    """A seed that depends on the parts alone; small enough for every engine."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def one_line(error: BaseException) -> str:
    """Names an exception on one line."""
    return f"{type(error).__name__}: " + " ".join(str(error).split())[:300]
