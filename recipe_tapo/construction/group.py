"""One question's rollouts as they finish."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recipe_tapo.algorithm.tokens import ChatTokenizer
from recipe_tapo.reasons import RejectReason

Versions = tuple[int, int]  # of the policy's weights, the oldest and the newest


@dataclass(frozen=True)
class Rollout:
    """One finished, graded rollout.

    Attributes:
        session_id: Its number within the group.
        response_ids: The sampled token ids, with or without EOS.
        correct: Whether the reward says right.
        prompt_ids: The prompt that it answers.
        log_probs: Log-probability of each of its ids as scoring it now would give it, where that was recorded.
        versions: The weights that wrote it, where they are known.
        source: What the engine needs to make a row beside this rollout; construction hands it back unread.
    """

    session_id: int
    response_ids: list[int]
    correct: bool
    prompt_ids: list[int] = field(default_factory=list)
    log_probs: list[float] | None = None
    versions: Versions | None = None
    source: Any = None


@dataclass
class RolloutGroup:
    """Collects a question's rollouts; the last session to end, well or not, triggers construction.

    Attributes:
        uid: The group's id.
        question: The question as the synthesis prompt shows it.
        global_step: The training step that the rollouts belong to.
        size: How many sessions were started (``rollout.n``).
        messages: The chat that the rollouts answer; empty where the question is all of it.
        rollouts: Those that ended with a graded single output.
        unfit: Why TAPO cannot construct from these rollouts, which must each be one generated turn of text alone that
            the reward function grades; None where nothing so far stands against it.
    """

    uid: str
    question: str
    global_step: int
    size: int
    messages: Sequence[Mapping[str, Any]] = ()
    rollouts: list[Rollout] = field(default_factory=list)
    unfit: RejectReason | None = None
    ended: int = 0

    def end_session(self) -> bool:
        """Counts one session as ended; True for the last of the group."""
        self.ended += 1
        return self.ended == self.size

    def ordered(self) -> list[Rollout]:
        """Rollouts by session, so that selection does not depend on the order of arrival."""
        return sorted(self.rollouts, key=lambda rollout: rollout.session_id)


def pair_of_texts(error: str, correct: str, prompt_ids: list[int], tokenizer: ChatTokenizer) -> list[Rollout]:
    """A wrong and a right rollout of which the texts alone are left, as a dump has them.

    Args:
        error: y⁻, session 0.
        correct: y⁺, session 1.
        prompt_ids: The prompt that both answer.
        tokenizer: The policy's. A rollout gets the tokens of its text, whatever tokens it was sampled as, and an EOS.
    """

    def rollout(session_id: int, text: str) -> Rollout:
        ids = [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
        return Rollout(session_id, ids, correct=session_id == 1, prompt_ids=prompt_ids)

    return [rollout(0, error), rollout(1, correct)]
