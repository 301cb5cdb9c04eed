r"""Gold answers under the project's grader."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from data_prep.records import Problem
from recipe_tapo.command.errors import InputError


def verifies(answer: str, gold: str) -> bool:
    """Tells whether the grader accepts an answer for a gold answer.

    Raises:
        InputError: The grader does not work here.
    """
    # Imported here, so that --help and bad input need no grader.
    from recipe_tapo.reward import compute_score

    try:
        return compute_score("tapo/gold_check", f"\\boxed{{{answer}}}", gold)["acc"] == 1.0
    # The grader raises no other error than that it cannot work at all: math-verify is missing or broken.
    except RuntimeError as error:
        raise InputError(f"cannot grade: {error}") from error


def unverified_golds(problems: Iterable[Problem]) -> list[Problem]:
    """Returns the problems whose gold answer the grader does not accept as its own right answer.

    No response to such a problem can earn a reward.
    """
    problems = list(problems)
    # Grading happens in the grader's own processes; threads keep all of them busy.
    threads = ThreadPoolExecutor(max_workers=os.cpu_count())
    try:
        verdicts = threads.map(lambda problem: verifies(problem.answer, problem.answer), problems)
        progress = tqdm(verdicts, total=len(problems), desc="checking golds", disable=None)
        return [problem for problem, verified in zip(problems, progress, strict=True) if not verified]
    finally:
        # After Ctrl-C nobody wants to wait for the golds still in the queue.
        threads.shutdown(cancel_futures=True)
