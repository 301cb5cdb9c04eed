"""What verl's file logger wrote (``trainer.logger=[console,file]``): one run's metrics by name and step."""

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from recipe_tapo.errors import InputError
from recipe_tapo.records.json_lines import read_whole_lines


@dataclass
class Run:
    """One run's metrics by name: step to value."""

    label: str
    series: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))


def metrics_file(path: Path) -> Path:
    """The run's jsonl: the path itself, ``metrics.jsonl`` in it, or the only jsonl with metrics below it."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder")
    if (path / "metrics.jsonl").is_file():
        return path / "metrics.jsonl"
    found = [file for file in sorted(path.rglob("*.jsonl")) if _holds_metrics(file)]
    if len(found) != 1:
        raise InputError(f"{path}: {len(found)} files of verl's file logger below it; name the one to draw")
    return found[0]


def _holds_metrics(file: Path) -> bool:
    with open(file, encoding="utf-8") as lines:
        try:
            entry = json.loads(next(lines, "null"))
        except json.JSONDecodeError:
            return False
    return isinstance(entry, dict) and isinstance(entry.get("data"), dict) and "step" in entry


def read_run(path: Path) -> Run:
    """Reads one run; lines cut short by a killed run are passed over.

    Raises:
        InputError: There is no metric in it.
    """
    file = metrics_file(path)
    run = Run(label=path.resolve().stem if path.is_file() else path.resolve().name)
    for entry in read_whole_lines(file):
        try:
            step, data = int(entry["step"]), entry["data"]
        except (KeyError, TypeError, ValueError):
            continue
        for name, value in data.items():
            if isinstance(value, int | float) and math.isfinite(value):
                run.series[name][step] = float(value)
    if not run.series:
        raise InputError(f"{file}: no metrics; was trainer.logger=[console,file] set?")
    return run
