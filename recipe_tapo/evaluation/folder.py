"""The folder of one evaluated model.

``responses.jsonl`` holds a ``ResponseRecord`` per line, ``problems.jsonl`` a ``Problem`` per line, ``settings.json``
what the responses were made with, ``metrics.json`` every number of the tables under stable keys.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.records import Problem, ResponseRecord, read_records
from recipe_tapo.records.write import atomic_paths, write_jsonl

RESPONSES = "responses.jsonl"
PROBLEMS = "problems.jsonl"
METRICS = "metrics.json"
SETTINGS = "settings.json"


@dataclass(frozen=True)
class Evaluation:
    """One evaluated model.

    Attributes:
        folder: Where it lies.
        responses: In the order of benchmark, problem, run and sample.
        problems: In the order of benchmark and problem.
        metrics: By key, ``<benchmark>/pass@1`` for instance; None for what could not be measured.
        settings: What the responses were made with.
    """

    folder: Path
    responses: list[ResponseRecord]
    problems: list[Problem]
    metrics: dict[str, float | None]
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        """What to call it in tables: the folder's own name."""
        return self.folder.resolve().name

    @property
    def benchmarks(self) -> list[str]:
        """Names of its benchmarks, in the order in which they were asked for."""
        return list(dict.fromkeys(problem.benchmark for problem in self.problems))


def load_evaluation(folder: Path) -> Evaluation:
    """Reads what ``tapo evaluate`` left in a folder.

    Raises:
        InputError: It is no such folder, or the evaluation is not finished.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    if not (folder / METRICS).is_file():
        state = "the evaluation is not finished" if (folder / RESPONSES).exists() else "holds no evaluation"
        raise InputError(f"{folder}: {state}; run tapo evaluate --output {folder}")
    return Evaluation(
        folder=folder,
        responses=list(read_records(folder / RESPONSES, ResponseRecord)),
        problems=list(read_records(folder / PROBLEMS, Problem)),
        metrics=read_object(folder / METRICS),
        settings=read_object(folder / SETTINGS),
    )


def write_records(path: Path, records: Iterable[ResponseRecord | Problem]) -> None:
    """Writes one record per line, atomically."""
    with atomic_paths(path) as (temporary,):
        write_jsonl(temporary, map(asdict, records))


def write_object(path: Path, values: dict[str, Any]) -> None:
    """Writes a json object for people and programs to read, atomically."""
    with atomic_paths(path) as (temporary,):
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def read_object(path: Path) -> dict[str, Any]:
    """Reads a json object.

    Raises:
        InputError: There is none in the file.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: holds no json object")
    return values
