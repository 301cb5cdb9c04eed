"""The boundary subset: the questions that neither of two models always, or never, gets right (paper, §4)."""

from collections import defaultdict
from collections.abc import Mapping

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import Evaluation
from recipe_tapo.evaluation.records import Problem

ProblemKey = tuple[str, int]


def problems_of(evaluation: Evaluation) -> dict[ProblemKey, Problem]:
    """Problems by benchmark and index."""
    return {(problem.benchmark, problem.problem_idx): problem for problem in evaluation.problems}


def pass_rates(evaluation: Evaluation) -> dict[ProblemKey, float]:
    """Share of right responses per problem. A request that failed has no right answer, as in Pass@k."""
    right: Mapping[ProblemKey, list[bool]] = defaultdict(list)
    for record in evaluation.responses:
        right[record.benchmark, record.problem_idx].append(bool(record.right))
    return {key: sum(values) / len(values) for key, values in right.items()}


def boundary_subset(first: Evaluation, second: Evaluation) -> list[ProblemKey]:
    """Problems on which both pass rates lie strictly between 0 and 1, in the first evaluation's order.

    Raises:
        InputError: The two have no problem in common, or number different questions alike.
    """
    problems = [problems_of(first), problems_of(second)]
    common = [key for key in problems[0] if key in problems[1]]
    if not common:
        raise InputError(f"{first.folder} and {second.folder} have no problem in common; evaluate both alike")
    for key in common:
        if problems[0][key].question != problems[1][key].question:
            raise InputError(
                f"{first.folder} and {second.folder}: problem {key[1]} of {key[0]} is not the same question; "
                "evaluate both on the same benchmark file"
            )
    rates = [pass_rates(first), pass_rates(second)]
    return [key for key in common if all(0.0 < rate.get(key, 0.0) < 1.0 for rate in rates)]
