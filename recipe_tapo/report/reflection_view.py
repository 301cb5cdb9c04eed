"""What ``tapo reflect`` left, for the page."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import read_object
from recipe_tapo.reflection.results import REFLECTION, VERDICTS

# By model name and response key; the verdict, or why there is none.
Verdicts = dict[tuple[str, str, int, int, int], dict[str, Any]]


@dataclass(frozen=True)
class ReflectionData:
    """The content of ``reflection.json`` and the verdict of each judged response."""

    results: dict[str, Any]
    verdicts: Verdicts


def reflection_data(folder: Path) -> ReflectionData:
    """Reads an ``--output`` folder of ``tapo reflect``.

    Raises:
        InputError: It is none, or the command has not finished.
    """
    if not (folder / REFLECTION).is_file():
        raise InputError(f"{folder}: holds no {REFLECTION}; run tapo reflect --output {folder}")
    verdicts: Verdicts = {}
    try:
        for line in (folder / VERDICTS).read_text(encoding="utf-8").split("\n"):
            if line:
                row = json.loads(line)
                key = (row["model"], row["benchmark"], row["problem_idx"], row["run"], row["sample"])
                verdicts[key] = row["verdict"] or {"malformed": row["malformed"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / VERDICTS}: cannot be read ({type(error).__name__}: {error})") from error
    return ReflectionData(read_object(folder / REFLECTION), verdicts)
