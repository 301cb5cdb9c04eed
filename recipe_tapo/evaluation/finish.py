"""From complete responses to the finished folder of an evaluation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import (
    METRICS,
    PROBLEMS,
    RESPONSES,
    SETTINGS,
    Evaluation,
    read_object,
    write_object,
    write_records,
)
from recipe_tapo.evaluation.grid import make_grids
from recipe_tapo.evaluation.metrics import Metrics, measure
from recipe_tapo.evaluation.records import Problem, ResponseRecord


def finish_evaluation(
    folder: Path, problems: Sequence[Problem], records: Sequence[ResponseRecord], settings: dict[str, Any]
) -> Evaluation:
    """Measures, and writes everything but the responses; the metrics come last and mark the folder as finished.

    Args:
        folder: Of the evaluation; holds the responses already.
        problems: Of all benchmarks.
        records: Graded responses.
        settings: What they were made with, and the date, which stays the first one where nothing else has changed.

    Raises:
        InputError: A response is missing, there twice, or to a problem that does not exist.
    """
    metrics: Metrics = {}
    for grid in make_grids(problems, records, str(folder / RESPONSES)):
        metrics |= measure(grid)
    settings = {**settings, "date": _first_date(folder / SETTINGS, settings)}
    write_records(folder / PROBLEMS, problems)
    write_object(folder / SETTINGS, settings)
    write_object(folder / METRICS, metrics)
    return Evaluation(folder, list(records), list(problems), metrics, settings)


def _first_date(path: Path, settings: dict[str, Any]) -> str:
    try:
        known = read_object(path)
    except InputError:
        return settings["date"]
    return known["date"] if known == {**settings, "date": known.get("date")} else settings["date"]
