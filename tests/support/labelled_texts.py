"""Texts of real models and of hand, labelled by a reader."""

import json
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"


def read_labelled(name: str) -> list[dict]:
    """The rows of a file in ``tests/data``; a text may hold line breaks other than the one that ends a row."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").split("\n") if line]
