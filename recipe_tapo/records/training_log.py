"""What verl's file logger wrote (``trainer.logger=[console,file]``): one run's metrics by name and step."""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recipe_tapo.errors import InputError
from recipe_tapo.records.json_lines import read_whole_lines

_START = re.compile(r"metrics-from-step-(\d+)\.jsonl")


@dataclass
class Run:
    """One run's metrics by name: step to value."""

    label: str
    series: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))


def metrics_files(path: Path) -> dict[int, Path]:
    """A run's files by the step that each began after, in order; a run that was never interrupted has one.

    A file stands for itself. In a folder they are ``metrics.jsonl``, or one ``metrics-from-step-N.jsonl`` for each
    start (verl's file logger begins its file anew), or else the only file with metrics below it.

    Raises:
        InputError: There is no such file, or several that are not of one run.
    """
    if path.is_file():
        return {0: path}
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    if (path / "metrics.jsonl").is_file():
        return {0: path / "metrics.jsonl"}
    starts = {int(match[1]): file for file in path.iterdir() if (match := _START.fullmatch(file.name))}
    if starts:
        return dict(sorted(starts.items()))
    found = [file for file in sorted(path.rglob("*.jsonl")) if _holds_metrics(file)]
    if len(found) != 1:
        raise InputError(f"{path}: {len(found)} files of verl's file logger below it; name the one to draw")
    return {0: found[0]}


def _holds_metrics(file: Path) -> bool:
    if not file.is_file():
        return False
    with open(file, "rb") as lines:
        try:
            entry = json.loads(next(lines, b"null"))
        except (ValueError, RecursionError):
            return False
    return isinstance(entry, dict) and isinstance(entry.get("data"), dict) and "step" in entry


def read_run(path: Path) -> Run:
    """Reads one run; lines cut short by a killed run are passed over, and steps that a later start trained again.

    Raises:
        InputError: There is no metric in it.
    """
    files = metrics_files(path)
    run = Run(label=_label(path.resolve()))
    for start, file in files.items():
        for values in run.series.values():
            for step in [step for step in values if step > start]:
                del values[step]
        _read_into(run, file)
    run.series = {name: values for name, values in run.series.items() if values}
    if not run.series:
        raise InputError(f"{list(files.values())[-1]}: no metrics; was trainer.logger=[console,file] set?")
    return run


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Reads runs; those of one name are called by their paths, so that none is taken for a seed of another.

    Raises:
        InputError: There is no metric in one of them.
    """
    runs = [read_run(path) for path in paths]
    labels = Counter(run.label for run in runs)
    for run, path in zip(runs, paths, strict=True):
        if labels[run.label] > 1:
            run.label = str(path)
    return runs


def _label(path: Path) -> str:
    """A folder's name; a file's, unless it is verl's logger's own."""
    if not path.is_file():
        return path.name
    return path.parent.name if path.name == "metrics.jsonl" or _START.fullmatch(path.name) else path.stem


def _read_into(run: Run, file: Path) -> None:
    for entry in read_whole_lines(file):
        try:
            step, data = int(entry["step"]), entry["data"]
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if not isinstance(data, dict):
            continue
        for name, value in data.items():
            if isinstance(value, int | float) and math.isfinite(value):
                run.series[name][step] = float(value)
