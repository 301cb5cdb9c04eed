"""Rows that ask the same problem: equal answers are duplicates, different ones conflict."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tqdm import tqdm

from data_prep.problems import MathProblem
from data_prep.reject import DropReason, Rejections
from data_prep.text import collapse_white_space

CONFLICT_CHOICES = ("drop", "keep", "report")


@dataclass(frozen=True)
class Conflict:
    """A problem that comes with different answers: the first row of each answer."""

    rows: tuple[MathProblem, ...]

    @property
    def answers(self) -> str:
        """The answers in one line."""
        return "; ".join(row.answer for row in self.rows)


def merge_duplicates(
    problems: Iterable[MathProblem],
    rejections: Rejections,
    agree: Callable[[str, str], bool],
    drop_conflicts: bool,
) -> tuple[list[MathProblem], list[Conflict]]:
    r"""Keeps one row per problem and answer.

    Problems are the same when they differ in white space only. Answers are the same when their strings are, or
    when the grader takes either for the other: ``\frac12`` and ``\frac{1}{2}`` are no conflict.

    Args:
        problems: Cleaned rows.
        rejections: Takes duplicates and, where asked for, conflicting rows.
        agree: ``agree(answer, gold)``, the grader; only called for equal problems with different answer strings.
        drop_conflicts: Whether to drop every row of a problem with different answers.

    Returns:
        The kept rows in their old order, and the conflicts.
    """
    groups: dict[str, list[MathProblem]] = {}
    for problem in problems:
        groups.setdefault(collapse_white_space(problem.text), []).append(problem)

    kept, conflicts = [], []
    for group in tqdm(groups.values(), desc="comparing", disable=None):
        distinct: list[MathProblem] = []
        for problem in group:
            earlier = next((row for row in distinct if _same(row.answer, problem.answer, agree)), None)
            if earlier is None:
                distinct.append(problem)
            else:
                rejections.add(DropReason.DUPLICATE, problem, f"same as row {earlier.index} with {earlier.answer}")
        if len(distinct) > 1:
            conflict = Conflict(tuple(distinct))
            conflicts.append(conflict)
            if drop_conflicts:
                for problem in distinct:
                    rejections.add(DropReason.CONFLICTING_ANSWERS, problem, conflict.answers)
                continue
        kept += distinct
    return sorted(kept, key=lambda problem: problem.index), conflicts


def _same(first: str, second: str, agree: Callable[[str, str], bool]) -> bool:
    return first == second or (agree(first, second) and agree(second, first))
