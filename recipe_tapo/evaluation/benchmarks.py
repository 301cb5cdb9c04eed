"""Benchmarks by name or file, as the problems to be answered."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.records import Problem
from recipe_tapo.sampling.rl_rows import prompt_and_gold

DEFAULT_DATA_DIR = Path("~/data/tapo")
ALIASES = {"hmmt_2025": "hmmt_feb_2025"}


def find_benchmarks(names: Iterable[str], data_dir: Path) -> dict[str, Path]:
    """Finds the files of benchmarks.

    Args:
        names: ``aime_2024``, looked up as ``aime_2024.parquet`` in the folder; or ``path/to/file.parquet``, named by
            its stem; or ``name=path/to/file.parquet``.
        data_dir: The folder.

    Returns:
        Paths by name, in the order asked for.

    Raises:
        InputError: There is no such file, or two files have one name.
    """
    found: dict[str, Path] = {}
    for text in names:
        name, path = _split(text, data_dir.expanduser())
        if not path.is_file():
            raise InputError(f"benchmark {text}: {path} is no file; {_remedy(data_dir.expanduser())}")
        if found.setdefault(name, path) != path:
            raise InputError(f"benchmark {name}: both {found[name]} and {path}; tell them apart as NAME=PATH")
    return found


def name_among(files: Mapping[str, Path], text: str, data_dir: Path) -> str | None:
    """Which of some benchmarks is meant by a name, alias or path that ``find_benchmarks`` takes; None for another.

    Args:
        files: Files by name.
        text: What it is called.
        data_dir: The folder of benchmarks that are called by name alone.
    """
    if text in files:
        return text
    name, path = _split(text, data_dir.expanduser())
    for known, file in files.items():
        if path.is_file() and path.resolve() == file.resolve():
            return known
    aliases = {ALIASES.get(known, known): known for known in files}
    return None if path.is_file() and "/" in text else aliases.get(name)


def load_all(files: dict[str, Path]) -> list[Problem]:
    """Reads the problems of several benchmarks, one after the other."""
    return [problem for name, path in files.items() for problem in load_problems(name, path)]


def load_problems(name: str, path: Path, most: int | None = None) -> list[Problem]:
    """Reads a benchmark's problems from a parquet file in verl's RL schema, numbered by row from 0.

    Args:
        name: The benchmark's.
        path: The file.
        most: How many of its first rows to read; None for all.

    Raises:
        InputError: It is no such file.
    """
    try:
        rows = pq.read_table(path).slice(0, most).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: not a readable parquet file ({error})") from error
    if not rows:
        raise InputError(f"{path}: the file has no rows")
    return [_to_problem(row, name, index, f"{path}: row {index}") for index, row in enumerate(rows)]


def digests(problems: Iterable[Problem]) -> dict[str, str]:
    """A short name for each benchmark's problems, which changes with any prompt or gold answer."""
    hashes: dict[str, Any] = {}
    for problem in problems:
        identity = json.dumps([problem.messages, problem.gold]) + "\n"
        hashes.setdefault(problem.benchmark, hashlib.sha256()).update(identity.encode())
    return {name: digest.hexdigest()[:16] for name, digest in hashes.items()}


def _split(text: str, data_dir: Path) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if separator and name and path and "/" not in name:  # out/seed=1/aime.parquet is a path
        return name, Path(path).expanduser()
    if text.endswith(".parquet") or "/" in text:
        return Path(text).stem, Path(text).expanduser()
    name = ALIASES.get(text, text)
    return name, data_dir / f"{name}.parquet"


def _remedy(data_dir: Path) -> str:
    known = sorted(path.stem for path in data_dir.glob("*.parquet"))
    if known:
        return f"{data_dir} has {', '.join(known)} (see --data_dir)"
    return f"run python -m data_prep.benchmarks --local_save_dir {data_dir} (see --data_dir)"


def _to_problem(row: dict[str, Any], benchmark: str, index: int, where: str) -> Problem:
    messages, gold = prompt_and_gold(row, where)
    extra_info = row.get("extra_info")
    question = extra_info.get("question") if isinstance(extra_info, dict) else None
    if not isinstance(question, str):
        question = messages[-1]["content"]
    return Problem(benchmark, index, question, gold, messages)
