"""Evaluated models two by two: DSR and ERR of each on the boundary subset of the two."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from recipe_tapo.evaluation.folder import Evaluation
from recipe_tapo.evaluation.names import distinct_names
from recipe_tapo.evaluation.records import ResponseRecord
from recipe_tapo.reflection.boundary import ProblemKey, boundary_subset, problems_of
from recipe_tapo.reflection.rates import JudgedResponse, difference, rate, resample, tally_dsr, tally_err
from recipe_tapo.reflection.verdict import Case, Outcome

ALL = "all"

JudgedCases = list[tuple[ResponseRecord, Case]]


@dataclass(frozen=True)
class Bootstrap:
    """How confidence intervals are made: number of resamples, level, seed."""

    resamples: int = 10_000
    confidence: float = 0.95
    seed: int = 0


def cases_of(evaluation: Evaluation, subset: Sequence[ProblemKey]) -> JudgedCases:
    """Responses to the problems of a subset, with what a judge is shown; requests that failed left no response."""
    problems = problems_of(evaluation)
    wanted = set(subset)
    cases: JudgedCases = []
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


class ModelPairs:
    """Two or more evaluated models, of which every two are compared.

    Attributes:
        names: What each model is called.
        cases: Of each model, by name: its responses that any of the comparisons needs.

    Raises:
        InputError: A folder is given twice, or two models have no problem in common.
    """

    def __init__(self, evaluations: Sequence[Evaluation]) -> None:
        self.names = distinct_names(evaluations)
        self._evaluations = dict(zip(self.names, evaluations, strict=True))
        self._subsets = {
            (one, other): boundary_subset(self._evaluations[one], self._evaluations[other])
            for one, other in combinations(self.names, 2)
        }
        self._needed = {
            name: list(dict.fromkeys(key for pair, subset in self._subsets.items() if name in pair for key in subset))
            for name in self.names
        }
        self.cases = {name: cases_of(evaluation, self._needed[name]) for name, evaluation in self._evaluations.items()}

    def to_judge(self) -> list[Case]:
        """What a judge is shown, repetitions included."""
        return [case for judged in self.cases.values() for _, case in judged]

    def judged(self, outcomes: Mapping[Case, Outcome]) -> list[JudgedResponse]:
        """The responses with what grader and judge say of them, in the order of ``to_judge``."""
        return [
            response
            for name, evaluation in self._evaluations.items()
            for response in judged_responses(evaluation, self._needed[name], outcomes)
        ]

    def rates(self, outcomes: Mapping[Case, Outcome], bootstrap: Bootstrap) -> list[dict[str, Any]]:
        """DSR and ERR of every two models, as ``reflection.json`` holds them."""
        return [
            {
                "models": list(pair),
                "benchmarks": pair_rates(self._evaluations[pair[0]], self._evaluations[pair[1]], outcomes, bootstrap),
            }
            for pair in self._subsets
        ]


def pair_rates(
    first: Evaluation, second: Evaluation, outcomes: Mapping[Case, Outcome], bootstrap: Bootstrap
) -> dict[str, Any]:
    """DSR and ERR of two models per benchmark and over all of them, as ``reflection.json`` holds them."""
    subset = boundary_subset(first, second)
    common = [name for name in first.benchmarks if name in second.benchmarks]
    parts = {name: [key for key in subset if key[0] == name] for name in common}
    if len(common) > 1:
        parts[ALL] = subset
    return {name: _subset_rates([first, second], part, outcomes, bootstrap) for name, part in parts.items()}


def _subset_rates(
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
        result[f"{name}_difference"] = difference(tallies[0], tallies[1], draws_RP, bootstrap.confidence)
    return result
