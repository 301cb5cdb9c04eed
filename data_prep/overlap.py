"""How much of a benchmark problem stands in a training text."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from data_prep.text import overlap_form

PIECE_LENGTH = 13
DEFAULT_OVERLAP_THRESHOLD = 0.6

METHOD = (
    "overlap = the share of a benchmark problem's pieces that also occur in the training problem, where a piece is "
    f"any {PIECE_LENGTH} consecutive characters after lower-casing and removing everything but letters and digits, "
    "so that spacing, case, punctuation and LaTeX layout do not matter"
)


@dataclass(frozen=True)
class Match:
    """The benchmark problem nearest to a training text.

    Attributes:
        benchmark: Name of the benchmark file.
        number: Row of the problem there, from 0.
        question: The benchmark problem.
        overlap: Share of its pieces found in the training text, in [0, 1].
    """

    benchmark: str
    number: int
    question: str
    overlap: float


class OverlapIndex:
    """The pieces of all benchmark problems, for quick look-up."""

    def __init__(self, questions: Iterable[tuple[str, int, str]]) -> None:
        """Indexes benchmark problems.

        Args:
            questions: Benchmark name, row number and text of each problem.
        """
        self._questions = list(questions)
        self._sizes: list[int] = []
        self._owners: dict[str, list[int]] = {}
        for position, (_, _, question) in enumerate(self._questions):
            pieces = _pieces(question)
            self._sizes.append(len(pieces))
            for piece in pieces:
                self._owners.setdefault(piece, []).append(position)

    def __len__(self) -> int:
        """Returns the number of benchmark problems."""
        return len(self._questions)

    def nearest(self, *texts: str) -> Match | None:
        """Finds the benchmark problem with the largest overlap.

        Args:
            texts: A training text; and once more without its instruction, since a problem that is shorter than a
                piece is looked for as the whole of a text.

        Returns:
            None when no piece is shared.
        """
        pieces = set().union(*map(_pieces, texts))
        shared = Counter(position for piece in self._owners.keys() & pieces for position in self._owners[piece])
        if not shared:
            return None
        # The first of equals, whatever the order of the set.
        position = max(sorted(shared), key=lambda candidate: shared[candidate] / self._sizes[candidate])
        benchmark, number, question = self._questions[position]
        return Match(benchmark, number, question, shared[position] / self._sizes[position])


def _pieces(text: str) -> set[str]:
    form = overlap_form(text)
    if not form:
        return set()
    return {form[start : start + PIECE_LENGTH] for start in range(max(1, len(form) - PIECE_LENGTH + 1))}
