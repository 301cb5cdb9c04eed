"""Where things lie in a checkout."""

from pathlib import Path

from recipe_tapo.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "examples" / "cpu_demo" / "checkpoint"
"""The cold-started model that comes with the project."""


def check_replaceable(folder: Path, flag: str, own: str) -> None:
    """Keeps a command that makes a folder anew from deleting another's files.

    Args:
        folder: The folder.
        flag: What names it on the command line.
        own: A file that this command leaves in every folder it makes.

    Raises:
        InputError: It holds something, and not that file; or it is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{flag} {folder}: is no folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / own).is_file():
        raise InputError(f"{flag} {folder}: holds other files and would be made anew; choose another folder")
