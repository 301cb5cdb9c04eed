"""Reading problems from json, jsonl and parquet files, folders of them, and the hub."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from data_prep.problems import RawProblem
from data_prep.sources import FILE_SUFFIXES
from data_prep.text import is_encodable
from recipe_tapo.errors import InputError

PROBLEM_COLUMNS = ("problem", "question")
ANSWER_COLUMNS = ("answer",)
ID_COLUMNS = ("problem_idx", "problem_id", "id", "unique_id")


def read_files(paths: Iterable[Path]) -> list[RawProblem]:
    """Reads problems from files, numbering the rows through.

    Args:
        paths: Files as ``list_files`` returns them.

    Raises:
        InputError: A file cannot be read or does not hold problems and answers.
    """
    records: list[RawProblem] = []
    for path in paths:
        records += to_raw_problems(read_rows(path), source=path.name, where=str(path), first_index=len(records))
    return records


def list_files(path: Path, skip_stems: frozenset[str] = frozenset()) -> list[Path]:
    """Resolves a path to the data files it stands for, in a stable order.

    Args:
        path: A file, or a folder that is searched with its subfolders.
        skip_stems: Files of a folder to leave out, by name without suffix.

    Raises:
        InputError: There is no such path, or no data file in it.
    """
    if path.is_file():
        return [path]
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not path.is_dir():
        raise InputError(f"{path}: neither a regular file nor a folder")
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix in FILE_SUFFIXES
        and file.is_file()
        and file.stem not in skip_stems
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not files:
        raise InputError(f"{path}: no {', '.join(FILE_SUFFIXES)} file in this folder")
    return files


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Reads the rows of one file.

    Raises:
        InputError: No such file, an unknown suffix, or content that does not fit the suffix.
    """
    if path.suffix == ".parquet":
        return table_rows(read_parquet_table(path), path)
    _check_file(path)
    if path.suffix not in FILE_SUFFIXES:
        raise InputError(f"{path}: unknown kind of file; expected one of {', '.join(FILE_SUFFIXES)}")
    rows = _read_json(path)
    if not rows:
        raise InputError(f"{path}: the file has no rows")
    return rows


def read_parquet_table(path: Path) -> pa.Table:
    """Reads a parquet file as a table.

    Raises:
        InputError: It is none.
    """
    _check_file(path)
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable parquet file ({error})") from error


def table_rows(table: pa.Table, path: Path) -> list[dict[str, Any]]:
    """Turns a parquet file's table, or some columns of it, into rows.

    Raises:
        InputError: It has none, or a value that Python cannot hold: text that is no UTF-8, a date out of range.
    """
    try:
        rows = table.to_pylist()
    except (OverflowError, ValueError) as error:
        raise InputError(f"{path}: not a readable parquet file ({error})") from error
    if not rows:
        raise InputError(f"{path}: the file has no rows")
    return rows


def to_raw_problems(rows: list[dict[str, Any]], source: str, where: str, first_index: int = 0) -> list[RawProblem]:
    """Picks the problem and the answer out of rows.

    Args:
        rows: At least one row.
        source: Name kept with every record.
        where: Name for messages.
        first_index: Number of the first row.

    Raises:
        InputError: A column is missing or holds the wrong type.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    problem_column = _find_column(columns, PROBLEM_COLUMNS, where)
    answer_column = _find_column(columns, ANSWER_COLUMNS, where)
    problems = [row.get(problem_column) for row in rows]
    answers = [row.get(answer_column) for row in rows]
    for number, problem in enumerate(problems, start=1):
        if not isinstance(problem, str | None):
            raise InputError(f"{where}: row {number}: '{problem_column}' is of type {_type(problem)}, expected text")
    if all(problem is None for problem in problems):
        raise InputError(f"{where}: column '{problem_column}' has no text in any row")
    if not any(is_answer_type(answer) for answer in answers):
        raise InputError(f"{where}: column '{answer_column}' is of type {_type(answers[0])}, expected text or numbers")
    id_column = next((column for name in ID_COLUMNS for column in columns if column.lower() == name), None)
    own_ids = [_own_id(row.get(id_column)) if id_column else None for row in rows]
    return [
        RawProblem(index, source, problem, answer, own_id)
        for index, (problem, answer, own_id) in enumerate(zip(problems, answers, own_ids, strict=True), first_index)
    ]


def is_answer_type(answer: Any) -> bool:
    """Tells whether a value can be an answer by its type: text or a number."""
    return isinstance(answer, str | int | float) and not isinstance(answer, bool)


def _own_id(value: Any) -> str | None:
    is_id = isinstance(value, str | int) and not isinstance(value, bool) and is_encodable(str(value))
    return str(value) if is_id else None


def _find_column(columns: list[str], names: tuple[str, ...], where: str) -> str:
    found = next((column for name in names for column in columns if column.lower() == name), None)
    if found is None:
        raise InputError(
            f"{where}: no column '{names[0]}'; found {', '.join(columns) or 'none'}, "
            "expected at least 'problem' and 'answer'"
        )
    return found


def _type(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")


def _read_json(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error})") from error
    is_array = text.lstrip().startswith("[")
    rows = _parse_json(text, str(path)) if is_array else list(_parse_lines(text, path))
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise InputError(f"{path}: row {number} is of type {_type(row)}, expected an object with named fields")
    return rows


def _parse_lines(text: str, path: Path) -> Iterator[Any]:
    # Not splitlines(): it also breaks at characters that json allows inside a string, such as U+2028.
    for number, line in enumerate(tqdm(text.split("\n"), desc=f"reading {path.name}", disable=None), start=1):
        if line.strip():
            yield _parse_json(line, f"{path}, line {number}")


def _parse_json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: broken json ({error})") from error
