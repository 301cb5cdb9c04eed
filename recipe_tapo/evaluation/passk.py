"""The estimators of an evaluation, as pure functions.

Suffixes name the axes of a table: P problems, R runs, S samples of a run. All runs have the same samples.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, sqrt

import numpy as np

# The most frequent wrong answers, which are compared pair by pair: what is rare is no majority.
_MOST_COMPARED = 16


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard errors.

    Attributes:
        value: The mean.
        stderr_problems: Were other problems of the same kind drawn; None for a single problem.
        stderr_runs: Were the same problems sampled anew; None where there are no runs to compare.
    """

    value: float
    stderr_problems: float | None
    stderr_runs: float | None


def estimate(scores_PR: np.ndarray) -> Estimate:
    """The mean over problems and runs.

    Args:
        scores_PR: One score per problem and run; of shape (P, 1) where runs make no difference.
    """
    return Estimate(
        value=float(scores_PR.mean()),
        stderr_problems=standard_error(scores_PR.mean(axis=1)),
        stderr_runs=standard_error(scores_PR.mean(axis=0)),
    )


def standard_error(values: Sequence[float] | np.ndarray) -> float | None:
    """Standard error of a mean, from the sample standard deviation; None for a single value."""
    return float(np.std(values, ddof=1)) / sqrt(len(values)) if len(values) > 1 else None


def paper_pass_at_k(right_PRS: np.ndarray, k: int) -> np.ndarray:
    """The paper's Pass@k of each run: whether any of its first k samples is right.

    Args:
        right_PRS: Whether each response is right.
        k: From 1 to S.

    Returns:
        Scores of shape (P, R), 0 or 1: means of 30 problems and 16 runs are multiples of 1/480.
    """
    if not 1 <= k <= right_PRS.shape[2]:
        raise ValueError(f"k must be from 1 to {right_PRS.shape[2]}, the samples of a run, not {k}")
    return right_PRS[:, :, :k].any(axis=2).astype(float)


def unbiased_pass_at_k(right_count: int, n: int, k: int) -> float:
    """The chance that k of n responses, drawn without replacement, hold a right one: 1 - C(n-c, k) / C(n, k).

    Args:
        right_count: c, the right ones among the n responses to one problem.
        n: All responses to it, of all runs.
        k: From 1 to n.
    """
    if not 0 <= right_count <= n or not 1 <= k <= n:
        raise ValueError(f"expected 0 <= c <= n and 1 <= k <= n, not c={right_count}, n={n}, k={k}")
    # In integers, so that nothing is rounded before the division.
    return (comb(n, k) - comb(n - right_count, k)) / comb(n, k)


def majority_right(right: Sequence[bool], answers: Sequence[str], same: Callable[[str, str], bool]) -> float:
    """Whether the most frequent answer is right.

    Right answers are one answer however they are written. Wrong ones are one where they are equal, and the 16 most
    frequent of them (the first of equally frequent ones) also where ``same`` says so, which keeps the number of
    comparisons small. Responses without an answer do not vote. Among answers with equally many votes one is drawn: the
    score is the chance that it is the right one, so that 2 right, 2 wrong of one kind and 1 of another score 1/2.

    Args:
        right: Whether each response is right.
        answers: Their final answers, "" for none.
        same: Tells whether two wrong answers, written differently, are the same; asked only where votes depend on it.

    Returns:
        A score from 0 to 1; 0 where nobody votes.
    """
    right_votes = sum(right)
    wrong = [answer for answer, is_right in zip(answers, right, strict=True) if answer and not is_right]
    if right_votes == 0:
        return 0.0
    if right_votes > len(wrong):
        return 1.0
    votes = Counter(wrong).most_common()
    if votes[0][1] > right_votes:
        return 0.0
    groups: dict[str, int] = {}
    for answer, count in votes[:_MOST_COMPARED]:
        first = next((first for first in groups if same(first, answer)), answer)
        groups[first] = groups.get(first, 0) + count
    sizes = [*groups.values(), *(count for _, count in votes[_MOST_COMPARED:])]
    most = max(sizes)
    if right_votes != most:
        return float(right_votes > most)
    return 1.0 / (1 + sizes.count(most))


def paired_difference(scores_P: np.ndarray, baseline_P: np.ndarray) -> tuple[float, float | None]:
    """Mean difference of two models' scores on the same problems, and its standard error over problems.

    Args:
        scores_P: One model's score per problem.
        baseline_P: The other one's, in the same order.
    """
    if scores_P.shape != baseline_P.shape:
        raise ValueError(f"different numbers of problems: {scores_P.shape} and {baseline_P.shape}")
    differences = scores_P - baseline_P
    return float(differences.mean()), standard_error(differences)
