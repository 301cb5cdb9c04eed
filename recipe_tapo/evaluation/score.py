"""Grading of responses by the project's grader, the same as in training."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from recipe_tapo.command.errors import InputError
from recipe_tapo.evaluation.records import Problem, ResponseRecord
from recipe_tapo.reward import compute_score


def score_records(records: Sequence[ResponseRecord], problems: Iterable[Problem]) -> list[ResponseRecord]:
    """Fills in ``right`` and ``pred``; a response that failed is wrong and has no answer.

    Args:
        records: The responses.
        problems: What they answer.

    Raises:
        InputError: The grader does not work here.
    """
    golds = {(problem.benchmark, problem.problem_idx): problem.gold for problem in problems}

    def score(record: ResponseRecord) -> ResponseRecord:
        if record.failure is not None:
            return replace(record, right=False, pred="")
        gold = golds[record.benchmark, record.problem_idx]
        result = compute_score(record.benchmark, record.response, gold)
        return replace(record, right=result["acc"] == 1.0, pred=result["pred"])

    try:
        # Grading happens in the grader's own processes; threads keep all of them busy.
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
            return list(threads.map(score, records))
    # The grader raises no other error than that it cannot work at all: math-verify is missing or broken.
    except RuntimeError as error:
        raise InputError(f"cannot grade: {error}") from error
