"""Differences between two models on the same problems."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import Evaluation
from recipe_tapo.evaluation.grid import Grid, make_grids
from recipe_tapo.evaluation.metrics import unbiased_scores
from recipe_tapo.evaluation.passk import paired_difference, paper_pass_at_k


@dataclass(frozen=True)
class Difference:
    """How much one model is better than another.

    Attributes:
        k: Of Pass@k.
        paper: Difference by the paper's estimator, a fraction.
        paper_stderr: Its standard error, from the paired differences per problem; None for a single problem.
        unbiased: Difference by the unbiased estimator.
        unbiased_stderr: Its standard error.
    """

    k: int
    paper: float
    paper_stderr: float | None
    unbiased: float
    unbiased_stderr: float | None


def paired_differences(evaluation: Evaluation, baseline: Evaluation) -> dict[str, list[Difference]]:
    """Compares Pass@k problem by problem, for each benchmark that both have and each k that both runs allow.

    Pairing takes out of the standard error what makes a problem hard for both models.

    Raises:
        InputError: A benchmark's problems differ between the two.
    """
    baselines = {grid.benchmark: grid for grid in _grids(baseline)}
    differences: dict[str, list[Difference]] = {}
    for grid in _grids(evaluation):
        other = baselines.get(grid.benchmark)
        if other is not None:
            _check_problems(evaluation, baseline, grid.benchmark)
            differences[grid.benchmark] = _grid_differences(grid, other)
    return differences


def shared_benchmarks(evaluations: Sequence[Evaluation]) -> list[str]:
    """Names of the benchmarks that all of them have.

    Raises:
        InputError: There is none.
    """
    names = [name for name in evaluations[0].benchmarks if all(name in other.benchmarks for other in evaluations)]
    if not names:
        listed = "; ".join(f"{evaluation.folder}: {', '.join(evaluation.benchmarks)}" for evaluation in evaluations)
        raise InputError(f"no benchmark that all models were evaluated on ({listed})")
    return names


def differing_prompts(evaluations: Sequence[Evaluation]) -> list[str]:
    """Names of the benchmarks whose problems any two models were asked in other words, as far as these are known."""
    prompts: dict[tuple[str, int], list[dict[str, str]]] = {}
    names: dict[str, None] = {}
    for problem in (problem for evaluation in evaluations for problem in evaluation.problems if problem.messages):
        if prompts.setdefault((problem.benchmark, problem.problem_idx), problem.messages) != problem.messages:
            names[problem.benchmark] = None
    return list(names)


def _grids(evaluation: Evaluation) -> list[Grid]:
    return make_grids(evaluation.problems, evaluation.responses, str(evaluation.folder))


def _check_problems(evaluation: Evaluation, baseline: Evaluation, benchmark: str) -> None:
    mine, others = (
        [(problem.question, problem.gold) for problem in one.problems if problem.benchmark == benchmark]
        for one in (evaluation, baseline)
    )
    if mine != others:
        raise InputError(
            f"{benchmark}: {evaluation.folder} and {baseline.folder} were asked different problems; evaluate both on "
            "one file"
        )


def _grid_differences(grid: Grid, baseline: Grid) -> list[Difference]:
    right, others = grid.right_PRS, baseline.right_PRS
    result = []
    for k in range(1, min(right.shape[2], others.shape[2]) + 1):
        paper = paired_difference(_per_problem(right, k), _per_problem(others, k))
        unbiased = paired_difference(unbiased_scores(right, k), unbiased_scores(others, k))
        result.append(Difference(k, *paper, *unbiased))
    return result


def _per_problem(right_PRS: np.ndarray, k: int) -> np.ndarray:
    return paper_pass_at_k(right_PRS, k).mean(axis=1)
