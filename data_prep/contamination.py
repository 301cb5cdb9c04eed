"""Training problems that overlap a benchmark."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path

import pyarrow as pa
from tqdm import tqdm

from data_prep.overlap import Match, OverlapIndex
from data_prep.read import read_parquet_table, read_rows, table_rows
from data_prep.schema import QUESTION_COLUMNS, question_of, raw_question
from data_prep.sources import BENCHMARK_NAMES, find_benchmark_files
from recipe_tapo.cli.tables import print_table, shorten
from recipe_tapo.errors import InputError

_FEWEST_PROMPTS = 5


@dataclass(frozen=True)
class Finding:
    """A training problem at or above the threshold.

    Attributes:
        index: Number of its row.
        question: Its text.
        match: The nearest benchmark problem.
    """

    index: int
    question: str
    match: Match

    def as_record(self) -> dict:
        """Returns the finding as one flat json object."""
        match = asdict(self.match)
        match["benchmark_question"] = match.pop("question")
        return {"finding": "contaminated", "index": self.index, "question": self.question, **match}


def benchmark_files(paths: Iterable[Path]) -> list[Path]:
    """Resolves files, and folders that hold the known benchmarks, to benchmark files.

    Raises:
        InputError: A folder holds no known benchmark.
    """
    files = []
    for path in paths:
        found = find_benchmark_files(path) if path.is_dir() else [path]
        if not found:
            raise InputError(f"{path}: none of {', '.join(sorted(BENCHMARK_NAMES))} in this folder; name files instead")
        files += found
    return files


def load_index(files: Iterable[Path]) -> OverlapIndex:
    """Indexes the problems of benchmark files.

    Args:
        files: Parquet files in the RL schema, or raw files with a ``problem`` column.

    Raises:
        InputError: A file cannot be read, or a row has no question.
    """
    questions = []
    for path in files:
        raw, said = [], []
        for number, row in enumerate(read_rows(path)):
            row = {name.lower(): value for name, value in row.items()}
            raw.append(raw_question(row))
            text = question_of(row)
            if not text:
                raise InputError(f"{path}: row {number + 1} has no question in {', '.join(QUESTION_COLUMNS)}")
            said.append(text)
        texts = said if all(raw) else without_instruction(said)
        questions += [(path.stem, number, raw[number] or text) for number, text in enumerate(texts)]
    return OverlapIndex(questions)


def without_instruction(prompts: Sequence[str]) -> list[str]:
    """Takes off the words that all prompts of a file begin or end with: they are no part of any problem.

    Args:
        prompts: Where fewer than five differ, what they share may be part of the problems, and they stay as they are.
    """
    if len(set(prompts)) < _FEWEST_PROMPTS:
        return list(prompts)
    words = [prompt.split() for prompt in prompts]
    start = _shared_words(words)
    rest = [each[start:] for each in words]
    end = _shared_words([each[::-1] for each in rest])
    rest = [each[: len(each) - end] for each in rest]
    return [" ".join(each) for each in rest] if all(rest) else list(prompts)


def _shared_words(texts: Sequence[Sequence[str]]) -> int:
    """With how many words all of them begin."""
    return sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*texts, strict=False)))


def read_training_table(path: Path) -> tuple[pa.Table, list[str]]:
    """Reads any training parquet and the question of each of its rows.

    Raises:
        InputError: Not a parquet file, or rows without a question.
    """
    table = read_parquet_table(path)
    columns = [name for name in QUESTION_COLUMNS if name in table.column_names]
    rows = table_rows(table.select(columns), path) if columns else [{}]
    questions = [question_of(row) for row in rows]
    found = [question for question in questions if question is not None]
    if len(found) < len(questions):
        raise InputError(
            f"{path}: row {questions.index(None) + 1} has no question in {', '.join(QUESTION_COLUMNS)}; "
            f"found the columns {', '.join(table.column_names)}"
        )
    return table, found


def find_contaminated(questions: Iterable[tuple[int, str]], index: OverlapIndex, threshold: float) -> list[Finding]:
    """Returns the questions whose overlap with some benchmark problem reaches the threshold, in order.

    Args:
        questions: Row number and text.
        index: The benchmark problems.
        threshold: Smallest overlap that counts, in (0, 1].
    """
    findings, questions = [], list(questions)
    cores = without_instruction([question for _, question in questions])
    for (row, question), core in zip(tqdm(questions, desc="decontaminating", disable=None), cores, strict=True):
        match = index.nearest(question, core)
        if match and match.overlap >= threshold:
            findings.append(Finding(row, question, match))
    return findings


def print_findings(findings: list[Finding], index: OverlapIndex, threshold: float) -> None:
    """Prints what was compared and every finding."""
    print(
        f"contamination: {len(findings)} training problems overlap one of {len(index)} benchmark problems "
        f"by {threshold:g} or more"
    )
    if findings:
        print_table(
            "Contaminated problems",
            ("row", "overlap", "benchmark", "no.", "training problem", "benchmark problem"),
            [
                (
                    finding.index,
                    finding.match.overlap,
                    finding.match.benchmark,
                    finding.match.number + 1,
                    shorten(finding.question),
                    shorten(finding.match.question),
                )
                for finding in findings
            ],
        )
