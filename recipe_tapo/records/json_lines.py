"""Files of json lines that a killed or running process may have left unfinished."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_whole_lines(path: Path) -> Iterator[Any]:
    """Yields the value of each line; those that are broken or only half there are passed over."""
    with open(path, "rb") as file:
        for line in file:
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                continue
