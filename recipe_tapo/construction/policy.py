"""The policy as construction sees it: a tokenizer, what fits, and an engine that runs it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from recipe_tapo.algorithm.tokens import ChatTokenizer
from recipe_tapo.algorithm.trajectory import Trajectory
from recipe_tapo.construction.group import Rollout, Versions


@dataclass(frozen=True)
class Policy:
    """What does not change during a run.

    Attributes:
        tokenizer: The policy's tokenizer.
        max_model_len: Tokens of context that the engine has, prompt and output together.
        max_response_length: Longest training row in tokens, EOS included.
        stop_ids: Token ids that end a rollout.
        chat_template_kwargs: Arguments of the chat template, the same as for the rollouts' prompts.
        pauses: Whether the engine stands still while the policy is trained, as under an asynchronous trainer: how long
            a request takes then says nothing about the engine.
    """

    tokenizer: ChatTokenizer
    max_model_len: int
    max_response_length: int
    stop_ids: frozenset[int]
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    pauses: bool = False

    def longest(self, texts: Sequence[str]) -> int:
        """Most tokens that one of the texts takes."""
        return max(len(self.tokenizer.encode(text, add_special_tokens=False)) for text in texts)


class Sampled(list[int]):
    """Token ids of an engine that knows which weights wrote them.

    Attributes:
        versions: The oldest and the newest version; None where they are not known.
    """

    def __init__(self, ids: Iterable[int], versions: Versions | None):
        super().__init__(ids)
        self.versions = versions


@dataclass(frozen=True)
class Grade:
    """The reward of one trajectory.

    Attributes:
        score: The reward.
        right: Whether it says right.
        info: What else the reward function returned.
    """

    score: float
    right: bool
    info: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """Whatever runs the policy and grades it. Each method raises on failure."""

    async def generate(self, prompt_ids: list[int], max_tokens: int) -> list[int]:
        """Samples an answer to a rendered prompt; at most ``max_tokens`` token ids, possibly as ``Sampled``."""
        ...

    async def choose(self, prompt_ids: list[int], choices: list[str], max_tokens: int) -> str:
        """Lets the policy answer a rendered prompt with one of the choices, the likeliest; all fit the tokens."""
        ...

    async def score_tokens(self, token_ids: list[int]) -> list[float]:
        """The policy's log-probability of each token after those before it; of the first: any number."""
        ...

    async def odds(self, prompt_ids: list[int], token: int, other: int) -> float:
        """How much likelier one next token of a rendered prompt is than another, in nats."""
        ...

    async def grade(self, error: Rollout, trajectory: Trajectory) -> Grade:
        """Grades a trajectory that was constructed from a wrong rollout, as an answer to the same question."""
        ...
