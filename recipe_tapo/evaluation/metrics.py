"""Every number of an evaluation under a stable key, ``<benchmark>/<measure>``.

Measures: ``pass@k`` (the paper's), ``pass@k_unbiased``, ``mean@n``, ``maj@n`` (per run and over all responses), each
with ``/stderr_problems`` and ``/stderr_runs``; ``failed_share``, ``unparsed_share``, ``truncated_share``;
``response_length/mean``, ``/median`` and ``/max`` in tokens; ``problems``, ``runs``, ``samples``. What could not be
measured is None.
"""

from collections.abc import Sequence
from statistics import fmean, median

import numpy as np

from recipe_tapo.evaluation.grid import Grid
from recipe_tapo.evaluation.passk import (
    Estimate,
    estimate,
    majority_right,
    paper_pass_at_k,
    standard_error,
    unbiased_pass_at_k,
)
from recipe_tapo.evaluation.records import ResponseRecord
from recipe_tapo.grading.normalise import clean
from recipe_tapo.grading.quick import quick_verdict

Metrics = dict[str, float | None]


def measure(grid: Grid) -> Metrics:
    """Measures one benchmark; fractions, not percentages."""
    right = grid.right_PRS
    problems, runs, samples = right.shape
    estimates = {f"pass@{k}": estimate(paper_pass_at_k(right, k)) for k in range(1, samples + 1)}
    for k in unbiased_ks(samples, runs * samples):
        scores = unbiased_scores(right, k)
        estimates[f"pass@{k}_unbiased"] = Estimate(float(scores.mean()), standard_error(scores), None)
    estimates[f"mean@{runs * samples}"] = estimate(right.mean(axis=2))
    estimates[f"maj@{samples}"] = estimate(
        np.array([[_majority(run) for run in problem] for problem in grid.responses])
    )
    if runs > 1:
        pooled = np.array([_majority([record for run in problem for record in run]) for problem in grid.responses])
        estimates[f"maj@{runs * samples}"] = Estimate(float(pooled.mean()), standard_error(pooled), None)
    metrics: Metrics = {"problems": problems, "runs": runs, "samples": samples}
    for name, value in estimates.items():
        metrics[name] = value.value
        metrics[f"{name}/stderr_problems"] = value.stderr_problems
        metrics[f"{name}/stderr_runs"] = value.stderr_runs
    metrics |= _shares(grid.records) | _lengths(grid.records)
    return {f"{grid.benchmark}/{name}": value for name, value in metrics.items()}


def unbiased_scores(right_PRS: np.ndarray, k: int) -> np.ndarray:
    """The unbiased Pass@k of each problem from the responses of all runs."""
    problems, runs, samples = right_PRS.shape
    counts = right_PRS.reshape(problems, -1).sum(axis=1)
    return np.array([unbiased_pass_at_k(int(count), runs * samples, k) for count in counts])


def unbiased_ks(samples: int, n: int) -> list[int]:
    """The k to report: those of the paper's Pass@k, then powers of two as far as the n responses go."""
    powers = [2**exponent for exponent in range(n.bit_length()) if samples < 2**exponent <= n]
    return [*range(1, samples + 1), *powers]


def _majority(records: Sequence[ResponseRecord]) -> float:
    answers = [record.pred or "" for record in records]
    spelled_alike = [clean(answer) or answer for answer in answers]
    return majority_right([bool(record.right) for record in records], spelled_alike, _same_answer)


def _same_answer(first: str, second: str) -> bool:
    """Whether the grader sees at once that they are the same; algebra takes seconds where two answers are prose."""
    try:
        return quick_verdict(first, second) is True
    except (ArithmeticError, ValueError, RecursionError):  # as ``grade``: one absurd answer must not end an evaluation
        return False


def _shares(records: Sequence[ResponseRecord]) -> Metrics:
    known = [record.truncated for record in records if record.truncated is not None]
    return {
        "failed_share": fmean(record.failure is not None for record in records),
        "unparsed_share": fmean(record.failure is None and not record.pred for record in records),
        "truncated_share": fmean(known) if known else None,
    }


def _lengths(records: Sequence[ResponseRecord]) -> Metrics:
    tokens = [record.tokens for record in records if record.tokens is not None and record.failure is None]
    measures = {"mean": fmean, "median": median, "max": max}
    return {f"response_length/{name}": measure(tokens) if tokens else None for name, measure in measures.items()}
