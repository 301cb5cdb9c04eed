r"""Gold answers under the project's grader."""

from collections.abc import Iterable

from tqdm import tqdm

from data_prep.problems import MathProblem
from recipe_tapo.grading.batch import score_all


def verifies(answer: str, gold: str) -> bool:
    """Tells whether the grader accepts an answer for a gold answer.

    Raises:
        InputError: The grader does not work here.
    """
    (score,) = score_all([_pair(answer, gold)])
    return score["acc"] == 1.0


def unverified_golds(problems: Iterable[MathProblem]) -> list[MathProblem]:
    """Returns the problems whose gold answer the grader does not accept as its own right answer.

    No response to such a problem can earn a reward.

    Raises:
        InputError: The grader does not work here.
    """
    problems = list(problems)
    scores = score_all(_pair(problem.answer, problem.answer) for problem in problems)
    progress = tqdm(scores, total=len(problems), desc="checking golds", disable=None)
    return [problem for problem, score in zip(problems, progress, strict=True) if score["acc"] != 1.0]


def _pair(answer: str, gold: str) -> tuple[str, str]:
    return f"\\boxed{{{answer}}}", gold
