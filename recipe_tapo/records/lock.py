"""One writer at a time."""

import fcntl
import os
import socket
from datetime import datetime
from pathlib import Path
from typing import IO

from recipe_tapo.errors import InputError

RUN_LOCK = "run.lock"


def lock(file: IO, path: Path) -> None:
    """Locks an open file until it is closed or its process ends.

    Args:
        file: The file.
        path: Its name, for the message.

    Raises:
        InputError: Another process has locked it, or its file system has no locks.
    """
    if not _locked(file, path):
        raise InputError(f"{path}: another process is writing it")


def lock_folder(folder: Path) -> IO[str]:
    """Makes a folder this process's own, by a lock on a file in it that names the process.

    Returns:
        The open file. The lock lasts until it is closed or the process ends, also by SIGKILL.

    Raises:
        InputError: The folder is another process's, and the message says whose; or its file system has no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = open(folder / RUN_LOCK, "a+", encoding="utf-8")  # noqa: SIM115  as long as the lock
    if not _locked(file, folder):
        with file:
            file.seek(0)
            holder = file.read().strip() or "another process"
        raise InputError(f"{folder}: in use by {holder}")
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}, started {datetime.now():%Y-%m-%d %H:%M:%S}\n")
    file.flush()
    return file


def _locked(file: IO, path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise InputError(
            f"{path}: its file system has no locks ({error.strerror}); choose a place on another"
        ) from error
    return True
