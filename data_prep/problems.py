"""What a row is before it is cleaned (``RawProblem``) and after (``MathProblem``)."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RawProblem:
    """A row as it was read.

    Attributes:
        index: Its number among all rows read, so that dropped rows can be found again.
        source: File name, or hub data set.
        problem: The problem as given; None when the row has none.
        answer: The answer as given, of any type.
        own_id: The number or name that the file gives it; None where it gives none.
    """

    index: int
    source: str
    problem: str | None
    answer: Any
    own_id: str | None = None


@dataclass(frozen=True, slots=True)
class MathProblem:
    """A row that can be used.

    Attributes:
        index: See ``RawProblem``.
        source: See ``RawProblem``.
        question: The problem exactly as given.
        text: The problem with white space normalised, which goes into the prompt.
        answer: The gold answer on one line, never empty.
        own_id: See ``RawProblem``.
    """

    index: int
    source: str
    question: str
    text: str
    answer: str
    own_id: str | None = None
