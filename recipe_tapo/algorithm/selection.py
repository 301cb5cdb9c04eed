"""Difficulty-aware candidate selection (DCS; paper §3.3, Eq. 3)."""

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pair:
    """Positions in the group of one wrong rollout y⁻ and the right rollout y⁺ that guides its correction."""

    error: int
    correct: int


def is_correct(score: float, reward_extra_info: Mapping[str, Any] | None = None) -> bool:
    """Tells right from wrong: by the reward function's ``acc`` where it gives one, else by score > 0.

    NaN and values that are no number count as wrong.
    """
    acc = (reward_extra_info or {}).get("acc")
    try:
        value = float(score if acc is None else acc)
    except (TypeError, ValueError):
        return False
    return not math.isnan(value) and value > 0


def is_eligible(correct_G: Sequence[bool], n_pos: int, n_neg: int) -> bool:
    """Eq. 3: at least ``n_pos`` right and ``n_neg`` wrong rollouts in the group."""
    positives = sum(correct_G)
    return positives >= n_pos and len(correct_G) - positives >= n_neg


def select_pairs(correct_G: Sequence[bool], *, n_pos: int, n_neg: int, m_max: int, rng: random.Random) -> list[Pair]:
    """Chooses the pairs to construct from.

    Up to ``m_max`` wrong rollouts, uniformly without replacement (the paper does not say which), each
    with a right one drawn uniformly and independently (Eq. 3).

    Args:
        correct_G: For each rollout of the group whether it is right.
        n_pos: Least number of right rollouts.
        n_neg: Least number of wrong rollouts.
        m_max: Most wrong rollouts taken.
        rng: Source of randomness; see ``group_rng``.

    Returns:
        Pairs ordered by the wrong rollout's position; empty if the group is not eligible.
    """
    if not is_eligible(correct_G, n_pos, n_neg):
        return []
    positives = [i for i, correct in enumerate(correct_G) if correct]
    negatives = [i for i, correct in enumerate(correct_G) if not correct]
    chosen = sorted(rng.sample(negatives, min(m_max, len(negatives))))
    return [Pair(error=error, correct=rng.choice(positives)) for error in chosen]


def group_rng(seed: int, global_step: int, question: str) -> random.Random:
    """A generator that depends on run seed, step and query alone, not on process, uid or arrival order."""
    digest = hashlib.sha256(f"{seed}\0{global_step}\0{question}".encode("utf-8", "surrogatepass")).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))
