"""Where things lie in a checkout."""

from argparse import ArgumentParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "examples" / "cpu_demo" / "checkpoint"
"""The cold-started model that comes with the project."""


def check_replaceable(parser: ArgumentParser, folder: Path, flag: str, own: str) -> None:
    """Ends a command that makes a folder anew where the folder holds something else, or is none.

    Args:
        parser: Of the command.
        folder: The folder.
        flag: What names it on the command line.
        own: A file that this command leaves in every folder it makes.
    """
    if folder.exists() and not folder.is_dir():
        parser.error(f"{flag} {folder}: is no folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / own).is_file():
        parser.error(f"{flag} {folder}: holds other files and would be made anew; choose another folder")
