"""What an evaluation consists of, as plain records that json lines hold."""

import json
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

from recipe_tapo.errors import InputError


@dataclass(frozen=True)
class ResponseRecord:
    """One response to one problem.

    Attributes:
        benchmark: Name of the benchmark.
        problem_idx: Row of the problem in the benchmark's file, from 0.
        run: Number of the run, from 0.
        sample: Number of the response within its run, from 0.
        response: The text; empty where there is none.
        right: The grader's verdict; None before grading.
        pred: The final answer found, "" for none; None before grading.
        truncated: Whether the response stopped at the token limit; None where that is not known.
        tokens: Its length; None where that is not known.
        failure: Why there is no response; None where there is one.
    """

    benchmark: str
    problem_idx: int
    run: int
    sample: int
    response: str
    right: bool | None = None
    pred: str | None = None
    truncated: bool | None = None
    tokens: int | None = None
    failure: str | None = None

    @property
    def key(self) -> tuple[str, int, int, int]:
        """What tells it from every other response of an evaluation."""
        return self.benchmark, self.problem_idx, self.run, self.sample


@dataclass(frozen=True)
class Problem:
    """One problem of a benchmark.

    Attributes:
        benchmark: Name of the benchmark.
        problem_idx: Row in the benchmark's file, from 0.
        question: The problem as a person reads it.
        gold: The right answer.
        messages: The chat prompt, role and content each.
    """

    benchmark: str
    problem_idx: int
    question: str
    gold: str
    messages: list[dict[str, str]] = field(default_factory=list)


RecordType = TypeVar("RecordType", ResponseRecord, Problem)


def read_records(path: Path, kind: type[RecordType]) -> Iterator[RecordType]:
    """Reads json lines as records of one kind; fields that the kind does not have are passed over.

    Args:
        path: The file.
        kind: ``ResponseRecord`` or ``Problem``; fields with a default may be missing from a line.

    Raises:
        InputError: No such file, none of its lines holds a record, or one of them is malformed.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    empty = True
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                empty = False
                yield _to_record(line, kind, f"{path}, line {number}")
    if empty:
        raise InputError(f"{path}: the file is empty")


def _to_record(line: bytes, kind: type[RecordType], where: str) -> RecordType:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: broken json ({error})") from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: is {_describe(row)}, expected an object with named fields")
    values = {}
    for column in fields(kind):
        if column.name in row:
            if not _fits(row[column.name], column.type):
                raise InputError(
                    f"{where}: '{column.name}' is {_describe(row[column.name])}, expected {_expected(column.type)}"
                )
            values[column.name] = row[column.name]
        elif column.default is MISSING and column.default_factory is MISSING:
            raise InputError(f"{where}: '{column.name}' is missing")
    return kind(**values)


_NAMES = {
    str: "text",
    int: "a whole number from 0",
    bool: "true or false",
    type(None): "null",
    list: "a list of messages with role and content",
}


def _types(annotation: Any) -> tuple[type, ...]:
    return (
        get_args(annotation) if isinstance(annotation, UnionType) else (getattr(annotation, "__origin__", annotation),)
    )


def _fits(value: Any, annotation: Any) -> bool:
    if type(value) not in _types(annotation):
        return False
    if isinstance(value, list):
        return all(
            isinstance(message, dict) and all(isinstance(message.get(name), str) for name in ("role", "content"))
            for message in value
        )
    return not isinstance(value, int) or value >= 0


def _expected(annotation: Any) -> str:
    return " or ".join(_NAMES[kind] for kind in _types(annotation))


def _describe(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"
