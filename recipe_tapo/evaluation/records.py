"""What an evaluation consists of, as plain records that json lines hold."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, PlainValidator, StrictBool, StrictStr, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from recipe_tapo.errors import InputError

Count = Annotated[int, Field(strict=True, ge=0)]
# What tells a response from every other of an evaluation: the fields, and their values.
KEY = ("benchmark", "problem_idx", "run", "sample")
Place = tuple[str, int, int, int]


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

    benchmark: StrictStr
    problem_idx: Count
    run: Count
    sample: Count
    response: StrictStr
    right: StrictBool | None = None
    pred: StrictStr | None = None
    truncated: StrictBool | None = None
    tokens: Count | None = None
    failure: StrictStr | None = None

    @property
    def key(self) -> Place:
        """What tells it from every other response of an evaluation."""
        return self.benchmark, self.problem_idx, self.run, self.sample


def _check_number(value: Any) -> int | str:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not is_number and not (isinstance(value, str) and value):
        raise PydanticCustomError("problem_number", "no number of a problem")
    return value


@dataclass(frozen=True)
class Answer:
    """One answer that was produced elsewhere, as its author numbered it.

    Attributes:
        benchmark: What the author calls the benchmark.
        problem_idx: The problem's row, or what the benchmark's file calls it.

    The other fields are those of ``ResponseRecord``.
    """

    benchmark: StrictStr
    problem_idx: Annotated[int | str, PlainValidator(_check_number)]
    run: Count
    sample: Count
    response: StrictStr
    truncated: StrictBool | None = None
    tokens: Count | None = None
    # Some exporters write an empty text where nothing failed.
    failure: Annotated[StrictStr | None, AfterValidator(lambda failure: failure or None)] = None


def _check_chat(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    if not all({"role", "content"} <= message.keys() for message in messages):
        raise ValueError
    return messages


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

    benchmark: StrictStr
    problem_idx: Count
    question: StrictStr
    gold: StrictStr
    messages: Annotated[list[dict[StrictStr, StrictStr]], AfterValidator(_check_chat)] = field(default_factory=list)


RecordType = TypeVar("RecordType", ResponseRecord, Answer, Problem)


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number from 0",
    "greater_than_equal": "a whole number from 0",
    "bool_type": "true or false",
    "problem_number": "a whole number from 0 or the problem's name",
}
_CHAT = "a list of messages with role and content"


def read_records(path: Path, kind: type[RecordType]) -> Iterator[RecordType]:
    """Reads json lines as records of one kind; fields that the kind does not have are passed over.

    Args:
        path: The file.
        kind: ``ResponseRecord``, ``Answer`` or ``Problem``; fields with a default may be missing from a line.

    Raises:
        InputError: No such file, none of its lines holds a record, or one of them is malformed.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    adapter = TypeAdapter(kind)
    empty = True
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                empty = False
                try:
                    yield adapter.validate_python(json.loads(line))
                except ValidationError as error:
                    raise InputError(f"{path}, line {number}: {_explain(error, kind)}") from error
                except (ValueError, RecursionError) as error:
                    raise InputError(f"{path}, line {number}: broken json ({error})") from error
    if empty:
        raise InputError(f"{path}: the file is empty")


def _explain(error: ValidationError, kind: type[RecordType]) -> str:
    """The first thing that is wrong with a line, in the words of its author."""
    problem = error.errors(include_url=False, include_context=False)[0]
    if not problem["loc"]:
        return f"is {_describe(problem['input'])}, expected an object with named fields"
    name, *inside = problem["loc"]
    if problem["type"] == "missing" and not inside:
        return f"'{name}' is missing"
    expected = _CHAT if inside else _EXPECTED.get(problem["type"], _CHAT)
    may_be_null = any(column.name == name and column.default is None for column in fields(kind))
    return f"'{name}' is {_describe(problem['input'])}, expected {expected}" + (" or null" if may_be_null else "")


def _describe(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"
