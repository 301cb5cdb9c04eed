"""Located steps against those that a reader labelled as a wrong rollout's first wrong one."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recipe_tapo.errors import InputError

BEFORE, AT, AFTER = _PLACES = ("before", "at", "after")


def read_labels(path: Path) -> dict[int, int]:
    """Reads the first wrong step, numbered from 1, by an attempt's place in the dump.

    Raises:
        InputError: The file is none of such numbers.
    """
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
        return {int(place): int(step) for place, step in labels.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InputError(f"--labels {path}: expected {{place: step}} in json ({error})") from error


def against_labels(results: Sequence[Mapping[str, Any]], labels: Mapping[int, int]) -> dict[str, Counter[str]]:
    """Attempts that were located before, at and after the labelled step: all, the usable ones, and of these the right.

    Args:
        results: What ``Preview.construct`` returned: a question is an attempt's place.
        labels: See ``read_labels``.

    Returns:
        Three counts by place, ``all``, ``usable`` and ``right``. Attempts not located or not labelled are left out.
    """
    counts: dict[str, Counter[str]] = {"all": Counter(), "usable": Counter(), "right": Counter()}
    for result in results:
        label = labels.get(result["question"])
        for record in result["records"]:
            step = record["located_step"]
            if step is None or label is None:
                continue
            where = BEFORE if step < label else AT if step == label else AFTER
            usable = record["reason"] is None
            counts["all"][where] += 1
            counts["usable"][where] += usable
            counts["right"][where] += usable and record["right"]
    return counts


def label_rows(variants: Sequence[Mapping[str, Counter[str]]]) -> list[list[str]]:
    """Two rows of the table, a cell per variant: where it located, and how many of its usable attempts end right."""

    def row(name: str, cell: Callable[[Mapping[str, Counter[str]], str], str]) -> list[str]:
        return [name, *(" / ".join(cell(counts, where) for where in _PLACES) for counts in variants)]

    return [
        row("located before / at / after the labelled step", lambda counts, where: f"{counts['all'][where]}"),
        row("right, of these usable", lambda counts, where: f"{counts['right'][where]} of {counts['usable'][where]}"),
    ]
