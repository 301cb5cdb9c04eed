"""What is worth knowing about rows that are kept: conflicts, golds that the grader does not accept."""

from data_prep.duplicates import Conflict
from data_prep.problems import MathProblem
from recipe_tapo.cli.tables import print_table, shorten


def print_unverified(problems: list[MathProblem]) -> None:
    """Prints the problems whose gold answer does not verify against itself."""
    print(f"gold check: {len(problems)} gold answers do not verify against themselves")
    if problems:
        print_table(
            "Gold answers that no response can match",
            ("row", "source", "answer", "problem"),
            [(row.index, row.source, shorten(row.answer), shorten(row.question)) for row in problems],
        )


def print_conflicts(conflicts: list[Conflict]) -> None:
    """Prints the problems that come with different answers."""
    print_table(
        "Problems with conflicting answers",
        ("rows", "answers", "problem"),
        [
            (
                ", ".join(str(row.index) for row in conflict.rows),
                shorten(conflict.answers),
                shorten(conflict.rows[0].question),
            )
            for conflict in conflicts
        ],
    )


def unverified_record(problem: MathProblem) -> dict:
    """Returns an unverified gold as a json object."""
    return {
        "finding": "gold_unverified",
        "index": problem.index,
        "source": problem.source,
        "answer": problem.answer,
        "question": problem.question,
    }


def conflict_record(conflict: Conflict) -> dict:
    """Returns a conflict as a json object."""
    return {
        "finding": "conflict",
        "indices": [row.index for row in conflict.rows],
        "answers": [row.answer for row in conflict.rows],
        "question": conflict.rows[0].question,
    }
