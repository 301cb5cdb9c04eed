"""Two evaluated models and the judge's outcomes: DSR and ERR on their boundary subset."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from recipe_tapo.evaluation.folder import Evaluation
from recipe_tapo.evaluation.records import ResponseRecord
from recipe_tapo.reflection.boundary import ProblemKey, boundary_subset, problems_of
from recipe_tapo.reflection.rates import JudgedResponse, difference, rate, resample, tally_dsr, tally_err
from recipe_tapo.reflection.verdict import Case, Outcome

ALL = "all"


@dataclass(frozen=True)
class Bootstrap:
    """How confidence intervals are made: number of resamples, level, seed."""

    resamples: int = 10_000
    confidence: float = 0.95
    seed: int = 0


def cases_of(evaluation: Evaluation, subset: Sequence[ProblemKey]) -> list[tuple[ResponseRecord, Case]]:
    """Responses to the problems of a subset, with what a judge is shown; requests that failed left no response."""
    problems = problems_of(evaluation)
    wanted = set(subset)
    cases = []
    for record in evaluation.responses:
        key = (record.benchmark, record.problem_idx)
        if key in wanted and not record.failure:
            cases.append((record, Case(problems[key].question, problems[key].gold, record.response)))
    return cases


def judged_responses(
    evaluation: Evaluation, subset: Sequence[ProblemKey], outcomes: Mapping[Case, Outcome]
) -> list[JudgedResponse]:
    """Joins grader and judge for the responses to a subset's problems."""
    position = {key: number for number, key in enumerate(subset)}
    return [
        JudgedResponse(position[record.benchmark, record.problem_idx], bool(record.right), outcomes.get(case))
        for record, case in cases_of(evaluation, subset)
    ]


def compare_pair(
    first: Evaluation, second: Evaluation, outcomes: Mapping[Case, Outcome], bootstrap: Bootstrap
) -> dict[str, Any]:
    """DSR and ERR of two models per benchmark and over all of them, as ``reflection.json`` holds them."""
    subset = boundary_subset(first, second)
    common = [name for name in first.benchmarks if name in second.benchmarks]
    parts = {name: [key for key in subset if key[0] == name] for name in common}
    if len(common) > 1:
        parts[ALL] = subset
    return {name: _compare([first, second], part, outcomes, bootstrap) for name, part in parts.items()}


def _compare(
    evaluations: Sequence[Evaluation],
    subset: Sequence[ProblemKey],
    outcomes: Mapping[Case, Outcome],
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    result: dict[str, Any] = {"boundary_problems": len(subset)}
    if not subset:
        return result | {"note": "no problem on which both pass rates lie strictly between 0 and 1"}
    draws_RP = resample(len(subset), bootstrap.resamples, bootstrap.seed)
    responses = [judged_responses(evaluation, subset, outcomes) for evaluation in evaluations]
    for name, tally, nothing in (
        ("dsr", tally_dsr, "no right response that the judge decided on"),
        ("err", tally_err, "no response with a reflection that the judge decided on"),
    ):
        tallies = [tally(given, len(subset)) for given in responses]
        result[name] = [asdict(rate(counts, draws_RP, bootstrap.confidence, nothing)) for counts in tallies]
        result[f"{name}_difference"] = difference(*tallies, draws_RP, bootstrap.confidence)
    return result
