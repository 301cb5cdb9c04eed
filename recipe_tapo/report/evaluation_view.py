"""What the page shows of evaluated models: numbers, problems, and as many texts of responses as fit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import Evaluation
from recipe_tapo.evaluation.names import distinct_names
from recipe_tapo.evaluation.paired import paired_differences
from recipe_tapo.evaluation.records import Problem
from recipe_tapo.reflection.boundary import ProblemKey, pass_rates, problems_of
from recipe_tapo.report.budget import choose, embedded_size, shorten_middle
from recipe_tapo.report.reflection_view import Verdicts

_MAX_PRED_CHARACTERS = 80


def evaluations_data(evaluations: Sequence[Evaluation], verdicts: Verdicts, room: int) -> dict[str, Any]:
    """Data of the pages on evaluated models.

    Args:
        evaluations: The models.
        verdicts: A judge's verdicts by resolved folder and response key.
        room: Bytes for texts of responses.

    Raises:
        InputError: A folder is given twice, or the models were asked different problems under one benchmark's name.
    """
    names = distinct_names(evaluations)
    problems = _all_problems(evaluations)
    numbers = {key: number for number, key in enumerate(problems)}
    return {
        "models": [
            {"name": name, "folder": str(evaluation.folder), "settings": evaluation.settings}
            for name, evaluation in zip(names, evaluations, strict=True)
        ],
        "metrics": [evaluation.metrics for evaluation in evaluations],
        "benchmarks": list(dict.fromkeys(benchmark for benchmark, _ in problems)),
        "problems": [
            {
                "benchmark": problem.benchmark,
                "index": problem.problem_idx,
                "question": shorten_middle(problem.question),
                "gold": problem.gold,
            }
            for problem in problems.values()
        ],
        "differences": _differences(evaluations),
        "responses": _responses(evaluations, numbers, verdicts, room),
    }


def _all_problems(evaluations: Sequence[Evaluation]) -> dict[ProblemKey, Problem]:
    problems: dict[ProblemKey, Problem] = {}
    asked: dict[ProblemKey, Evaluation] = {}
    for evaluation in evaluations:
        for key, problem in problems_of(evaluation).items():
            known = problems.setdefault(key, problem)
            other = asked.setdefault(key, evaluation)
            if (known.question, known.gold) != (problem.question, problem.gold):
                raise InputError(
                    f"{problem.benchmark}: {other.folder} and {evaluation.folder} were asked different problems; "
                    "evaluate both on one file"
                )
    return problems


def _responses(
    evaluations: Sequence[Evaluation],
    numbers: Mapping[ProblemKey, int],
    verdicts: Verdicts,
    room: int,
) -> list[dict[str, Any]]:
    rows = []
    for model, evaluation in enumerate(evaluations):
        folder = str(evaluation.folder.resolve())
        for record in evaluation.responses:
            row = {
                "model": model,
                "problem": numbers[record.benchmark, record.problem_idx],
                "run": record.run,
                "sample": record.sample,
                "right": bool(record.right),
                "pred": shorten_middle(record.pred or "", _MAX_PRED_CHARACTERS),
                "tokens": record.tokens,
                "characters": len(record.response),
                "truncated": bool(record.truncated),
                "failure": record.failure,
                "verdict": verdicts.get((folder, *record.key)),
                "text": shorten_middle(record.response),
            }
            rows.append({key: value for key, value in row.items() if value is not None and value is not False})
    chosen = choose(
        [(row["model"], row["problem"]) for row in rows], [embedded_size(row["text"]) for row in rows], room
    )
    for position, row in enumerate(rows):
        if position not in chosen:
            del row["text"]
    return rows


def _differences(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Paired differences to the first model, and on how many problems the pass rate rose and fell."""
    rows = []
    for model, evaluation in enumerate(evaluations[1:], start=1):
        for benchmark, differences in paired_differences(evaluation, evaluations[0]).items():
            first, second = (pass_rates(each) for each in (evaluations[0], evaluation))
            deltas = [second[key] - rate for key, rate in first.items() if key[0] == benchmark]
            rows.append(
                {
                    "model": model,
                    "benchmark": benchmark,
                    "ks": [asdict(difference) for difference in differences],
                    "better": sum(delta > 0 for delta in deltas),
                    "worse": sum(delta < 0 for delta in deltas),
                    "problems": len(deltas),
                }
            )
    return rows
