"""Bookkeeping of dropped rows: nothing is lost without a reason and a record."""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from data_prep.problems import MathProblem, RawProblem
from recipe_tapo.cli.tables import print_table


class DropReason(str, Enum):
    """Why a row is not in the output; the text is what ``rejected.jsonl`` says."""

    NO_PROBLEM = "no_problem"
    BAD_UNICODE = "bad_unicode"
    ANSWER_NULL = "answer_null"
    ANSWER_EMPTY = "answer_empty"
    ANSWER_WRONG_TYPE = "answer_wrong_type"
    DUPLICATE = "duplicate"
    CONFLICTING_ANSWERS = "conflicting_answers"
    CONTAMINATED = "contaminated"


MEANINGS = {
    DropReason.NO_PROBLEM: "the problem is null or blank",
    DropReason.BAD_UNICODE: "problem or answer is broken text",
    DropReason.ANSWER_NULL: "the answer is null, not a string",
    DropReason.ANSWER_EMPTY: "the answer is an empty string",
    DropReason.ANSWER_WRONG_TYPE: "the answer is neither text nor a finite number",
    DropReason.DUPLICATE: "same problem, same answer as an earlier row",
    DropReason.CONFLICTING_ANSWERS: "same problem with different answers",
    DropReason.CONTAMINATED: "overlaps a benchmark problem",
}


@dataclass
class Rejections:
    """The dropped rows of a run."""

    rows: list[dict] = field(default_factory=list)

    def add(self, reason: DropReason, row: RawProblem | MathProblem, detail: str = "") -> None:
        """Records a dropped row.

        Args:
            reason: Why it is dropped.
            row: The row, cleaned or not.
            detail: What else helps to judge the case, such as the row it equals.
        """
        answer = row.answer if isinstance(row.answer, str | None) else repr(row.answer)
        problem = row.question if isinstance(row, MathProblem) else row.problem
        self.rows.append(
            {
                "reason": reason.value,
                "detail": detail,
                "index": row.index,
                "source": row.source,
                "problem": problem,
                "answer": answer,
            }
        )

    def print_summary(self, rows_read: int) -> None:
        """Prints rows read, dropped by reason, and kept; reasons that did not occur are shown as 0."""
        counts = Counter(row["reason"] for row in self.rows)
        lines = [("rows read", rows_read, "")]
        lines += [(f"- {reason.value}", counts[reason.value], MEANINGS[reason]) for reason in DropReason]
        lines += [("rows kept", rows_read - len(self.rows), "")]
        print_table("Rows", ("", "count", "meaning"), lines)
