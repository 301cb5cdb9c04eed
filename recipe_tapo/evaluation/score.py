"""Grading of responses by the project's grader, the same as in training."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from recipe_tapo.evaluation.records import Problem, ResponseRecord
from recipe_tapo.grading.batch import score_all


def score_records(records: Sequence[ResponseRecord], problems: Iterable[Problem]) -> list[ResponseRecord]:
    """Fills in ``right`` and ``pred``; a response that failed is wrong and has no answer.

    Args:
        records: The responses.
        problems: What they answer.

    Raises:
        InputError: The grader does not work here.
    """
    golds = {(problem.benchmark, problem.problem_idx): problem.gold for problem in problems}
    pairs = (
        ("", "") if record.failure is not None else (record.response, golds[record.benchmark, record.problem_idx])
        for record in records
    )
    return [
        replace(record, right=score["acc"] == 1.0, pred=score["pred"])
        for record, score in zip(records, score_all(pairs), strict=True)
    ]
