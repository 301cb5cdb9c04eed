"""What ``tapo reflect`` left, for the page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import Evaluation, read_object
from recipe_tapo.reflection.results import REFLECTION, VERDICTS

# By the model's resolved folder and response key; the verdict, or why there is none.
Verdicts = dict[tuple[str, str, int, int, int], dict[str, Any]]


@dataclass(frozen=True)
class ReflectionData:
    """The content of ``reflection.json`` and the verdict of each judged response."""

    results: dict[str, Any]
    verdicts: Verdicts


def reflection_data(folder: Path, evaluations: Sequence[Evaluation]) -> ReflectionData:
    """Reads an ``--output`` folder of ``tapo reflect``.

    Args:
        folder: The folder.
        evaluations: The models of the page; each must be among the judged ones, for two folders may have one name.

    Raises:
        InputError: It is none, the command has not finished, or it did not judge one of the models.
    """
    if not (folder / REFLECTION).is_file():
        raise InputError(f"{folder}: holds no {REFLECTION}; run tapo reflect --output {folder}")
    results = read_object(folder / REFLECTION)
    folders = _judged_folders(results, folder, evaluations)
    verdicts: Verdicts = {}
    try:
        for line in (folder / VERDICTS).read_text(encoding="utf-8").split("\n"):
            if line:
                row = json.loads(line)
                key = (folders[row["model"]], row["benchmark"], row["problem_idx"], row["run"], row["sample"])
                verdicts[key] = row["verdict"] or {"malformed": row["malformed"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / VERDICTS}: cannot be read ({type(error).__name__}: {error})") from error
    return ReflectionData(results, verdicts)


def _judged_folders(results: dict[str, Any], folder: Path, evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """The resolved folder of each judged model by its name there."""
    models = results.get("models")
    if not isinstance(models, dict):
        raise InputError(f"{folder / REFLECTION}: does not say which folders were judged; run tapo reflect again")
    folders = {name: str(Path(path).resolve()) for name, path in models.items()}
    for evaluation in evaluations:
        here = evaluation.folder.resolve()
        # Copied from another machine, where the judged folders are.
        copied = [name for name, path in folders.items() if Path(path).name == here.name and not Path(path).exists()]
        if str(here) not in folders.values() and len(copied) == 1:
            folders[copied[0]] = str(here)
        elif str(here) not in folders.values():
            raise InputError(
                f"{evaluation.folder}: is none of the folders that {folder} judged ({', '.join(models.values())}); "
                "leave it out, or name it to tapo reflect too"
            )
    return folders
