"""``tapo.dump_dir``: one jsonl line per construction attempt, to read what the policy wrote."""

import json
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from recipe_tapo.records.json_lines import read_whole_lines

_STEP_FILE = re.compile(r"(\d+)(?:-\w+)?\.jsonl")


@dataclass
class AttemptRecord:
    """One construction attempt; fields not reached stay None.

    Attributes:
        step: The training step that handed the question out, under verl's asynchronous trainers not always the one
            that trains on it.
        uid: verl's identifier of the question in that step.
        question: Its text.
        error_rollout: y⁻.
        correct_rollout: y⁺.
        steps: How many steps y⁻ was split into, in ``continuation`` as the next.
        located_step: Which of them is the first wrong one, counted from 1.
        retried: What earlier samples were rejected for; the record shows the last one.
        raw_output: What the policy wrote.
        reconstruction: The trajectory's text.
        prefix_text: What it preserves of y⁻.
        transition: What was written for the policy after that.
        prefix_length: Tokens preserved.
        prefix_fraction: Their share of y⁻'s.
        recovered: How an output that missed the format was read.
        leak: Whether it speaks of what only the synthesis prompt shows.
        doubt: Whether a doubt in the policy's own words follows the preserved prefix.
        reward: What the reward function gave.
        right: Whether that counts as right.
        reason: Why the attempt gave no row.
        key: The row's key in verl's storage.
        error_versions: The weights that wrote y⁻, oldest and newest; None where the engine does not say.
        correct_versions: Those that wrote y⁺.
        versions: Those that wrote the trajectory's new tokens.
    """

    step: int
    uid: str
    question: str
    error_rollout: str
    correct_rollout: str
    steps: int | None = None
    located_step: int | None = None
    retried: list[str] = field(default_factory=list)
    raw_output: str | None = None
    reconstruction: str | None = None
    prefix_text: str | None = None
    transition: str | None = None
    prefix_length: int | None = None
    prefix_fraction: float | None = None
    recovered: str | None = None
    leak: bool | None = None
    doubt: bool | None = None
    reward: float | None = None
    right: bool | None = None
    reason: str | None = None
    key: str | None = None
    error_versions: tuple[int, int] | None = None
    correct_versions: tuple[int, int] | None = None
    versions: tuple[int, int] | None = None


class AttemptDump:
    """Appends records to ``<dir>/<step>-<writer>.jsonl``; a file per writer, so that writers never mix lines."""

    def __init__(self, directory: str | os.PathLike):
        self.directory = Path(directory)
        self.writer = uuid.uuid4().hex[:8]

    def write(self, record: AttemptRecord) -> None:
        """Appends one line. Raises OSError if the directory cannot be written."""
        self.directory.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(record), ensure_ascii=True)
        with open(self.directory / f"{record.step}-{self.writer}.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")


def read_dump(directory: str | os.PathLike) -> Iterator[dict]:
    """Yields all records of a dump, by step. Last lines cut short by a killed run are passed over."""
    for _, _, path in sorted((int(match[1]), path.name, path) for path, match in _step_files(directory)):
        yield from read_whole_lines(path)


def read_dumps(directory: str | os.PathLike) -> Iterator[dict]:
    """Yields all records of a dump or, where a folder holds several, of each of them, with its name as ``variant``."""
    folders = sorted(path for path in Path(directory).iterdir() if path.is_dir() and any(_step_files(path)))
    yield from read_dump(directory)
    for folder in folders:
        yield from ({**record, "variant": folder.name} for record in read_dump(folder))


def _step_files(directory: str | os.PathLike) -> Iterator[tuple[Path, re.Match[str]]]:
    """The files of a dump, whatever else lies in its folder."""
    for path in Path(directory).glob("*.jsonl"):
        match = _STEP_FILE.fullmatch(path.name)
        if match:
            yield path, match
