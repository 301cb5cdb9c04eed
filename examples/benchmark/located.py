"""Located steps against those that a person labelled as a wrong rollout's first wrong one."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recipe_tapo.errors import InputError

BEFORE, AT, AFTER = "before", "at", "after"


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


def against_labels(results: Sequence[Mapping[str, Any]], labels: Mapping[int, int]) -> Counter[str]:
    """How many attempts were located before, at and after the labelled step; those not located are left out.

    Args:
        results: What ``Preview.construct`` returned: a question is an attempt's place.
        labels: See ``read_labels``.
    """
    located = [
        (record["located_step"], labels[result["question"]])
        for result in results
        for record in result["records"]
        if record["located_step"] is not None and result["question"] in labels
    ]
    return Counter(BEFORE if step < label else AT if step == label else AFTER for step, label in located)


def label_row(counts: Sequence[Counter[str]]) -> list[str]:
    """A row of the table, a cell per variant."""
    cells = [" / ".join(str(count[where]) for where in (BEFORE, AT, AFTER)) for count in counts]
    return ["located before / at / after the labelled step", *cells]
