"""A benchmark's responses as a table of problems, runs and samples with nothing missing."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.records import Problem, ResponseRecord


@dataclass(frozen=True)
class Grid:
    """The responses to one benchmark, complete.

    Attributes:
        benchmark: Its name.
        responses: One list per problem, of one list per run, of its samples in order.
    """

    benchmark: str
    responses: list[list[list[ResponseRecord]]]

    @property
    def right_PRS(self) -> np.ndarray:
        """Whether each response is right."""
        return np.array([[[record.right for record in run] for run in problem] for problem in self.responses], bool)

    @property
    def records(self) -> list[ResponseRecord]:
        """All responses, in order."""
        return [record for problem in self.responses for run in problem for record in run]


def make_grids(problems: Iterable[Problem], records: Sequence[ResponseRecord], source: str) -> list[Grid]:
    """Sorts responses into one grid per benchmark, in the order of the problems; see ``make_grid``."""
    counts = Counter(problem.benchmark for problem in problems)
    return [make_grid(name, count, records, source) for name, count in counts.items()]


def make_grid(benchmark: str, problem_count: int, records: Iterable[ResponseRecord], source: str) -> Grid:
    """Sorts responses into a grid.

    Args:
        benchmark: Name of the benchmark; responses to others are passed over.
        problem_count: Its number of problems.
        records: The responses; runs and samples may be numbered from any start.
        source: Name for messages.

    Raises:
        InputError: A response is missing, there twice, or to a problem that does not exist.
    """
    table: dict[tuple[int, int, int], ResponseRecord] = {}
    for record in records:
        if record.benchmark != benchmark:
            continue
        if record.problem_idx >= problem_count:
            raise InputError(
                f"{source}: {benchmark} has no problem {record.problem_idx}; problem_idx is the row in its file, "
                f"0 to {problem_count - 1}"
            )
        if table.setdefault(record.key[1:], record) is not record:
            raise InputError(f"{source}: {_name(benchmark, *record.key[1:])} is there twice")
    runs = sorted({run for _, run, _ in table})
    samples = sorted({sample for _, _, sample in table})
    if not table:
        raise InputError(f"{source}: no response to {benchmark}")
    return Grid(
        benchmark,
        [
            [[_get(table, benchmark, problem, run, sample, source) for sample in samples] for run in runs]
            for problem in range(problem_count)
        ],
    )


def _get(
    table: dict[tuple[int, int, int], ResponseRecord], benchmark: str, problem: int, run: int, sample: int, source: str
) -> ResponseRecord:
    record = table.get((problem, run, sample))
    if record is None:
        raise InputError(
            f"{source}: {_name(benchmark, problem, run, sample)} is missing; every problem needs the same runs and "
            "samples (put in an empty response for one that failed)"
        )
    return record


def _name(benchmark: str, problem: int, run: int, sample: int) -> str:
    return f"{benchmark}, problem {problem}, run {run}, sample {sample}"
