"""One writer at a time."""

import fcntl
from pathlib import Path
from typing import IO

from recipe_tapo.errors import InputError


def lock(file: IO, path: Path) -> None:
    """Locks an open file until it is closed or its process ends.

    Args:
        file: The file.
        path: Its name, for the message.

    Raises:
        InputError: Another process has locked it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(f"{path}: another process is writing it") from error
