"""``tapo.dump_dir`` across the starts of a run: what a resumed run does again takes the place of what it did before."""

import os
import re
from pathlib import Path

SET_ASIDE = "replaced"
_STEP_FILE = re.compile(r"(?:weights-(\d+)|(\d+)-\w+)\.jsonl")


def set_aside(directory: str | os.PathLike, first_step: int) -> int:
    """Moves the files of steps that will be done again out of the way, into ``replaced/<number>``.

    A step's files are whole files, so each is at one place or the other. Tools read the folder itself alone.

    Args:
        directory: ``tapo.dump_dir``; nothing happens where there is none.
        first_step: The first step that the run will do.

    Returns:
        How many files were moved.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = Path(directory)
    files = [path for path in folder.glob("*.jsonl") if _step_of(path) >= first_step]
    if not files:
        return 0
    number = 1
    while (folder / SET_ASIDE / str(number)).exists():
        number += 1
    target = folder / SET_ASIDE / str(number)
    target.mkdir(parents=True)
    for path in files:
        os.replace(path, target / path.name)
    return len(files)


def _step_of(path: Path) -> int:
    match = _STEP_FILE.fullmatch(path.name)
    return int(match[1] or match[2]) if match else -1
