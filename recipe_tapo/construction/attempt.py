"""One construction attempt on its way from a wrong rollout to a graded trajectory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recipe_tapo.algorithm.trajectory import Trajectory
from recipe_tapo.construction.group import Rollout
from recipe_tapo.construction.policy import Grade
from recipe_tapo.construction.reports import GroupReport
from recipe_tapo.reasons import RejectReason
from recipe_tapo.records.attempts import AttemptRecord


@dataclass
class Attempt:
    """One construction attempt.

    Attributes:
        error: The wrong rollout y⁻.
        correct: Its right sibling y⁺.
        record: What is written of the attempt; ``record.reason`` names why there is nothing to train on.
        eos_token_id: What the policy ends its rollouts with.
        seed: Of what is drawn at random within the attempt.
        messages: The chat that both answer; empty where the question is all of it.
        trajectory: The constructed trajectory; None where it came to nothing before.
        grade: Its reward; None where it came to nothing before.
    """

    error: Rollout
    correct: Rollout
    record: AttemptRecord
    eos_token_id: int
    seed: int = 0
    messages: Sequence[Mapping[str, Any]] = ()
    trajectory: Trajectory | None = None
    grade: Grade | None = None


@dataclass(frozen=True)
class SynthesisPrompt:
    """What the policy is asked to write for an attempt, and how that is read.

    Attributes:
        ids: The rendered prompt, with the beginning of the answer where there is one.
        read: Makes a trajectory of the answer's ids, and of whether it stopped for want of room. Raises Rejected.
        most: Tokens that a training row has room for; None where the answer is no row as it stands.
    """

    ids: list[int]
    read: Callable[[list[int], bool], Trajectory]
    most: int | None = None


def reject(attempt: Attempt, report: GroupReport, reason: RejectReason) -> None:
    """Counts an attempt as come to nothing and says why in its record."""
    attempt.record.reason = reason.value
    report.reject(reason)
