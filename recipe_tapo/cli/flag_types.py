"""Types of command-line flags; argparse shows their messages in one line."""

import argparse
import json
import math
from pathlib import Path
from typing import Any


def positive(text: str) -> int:
    """Flag type: a whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def natural(text: str) -> int:
    """Flag type: a whole number from 0 up."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def share(text: str) -> float:
    """Flag type: a number above 0 and at most 1."""
    value = float(text)
    if not 0.0 < value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


def fraction(text: str) -> float:
    """Flag type: a number from 0 to 1."""
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


def above_zero(text: str) -> float:
    """Flag type: a finite number above 0."""
    value = float(text)
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and finite")
    return value


def temperature(text: str) -> float:
    """Flag type: a finite number from 0 up."""
    value = float(text)
    if not 0.0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no temperature; use 0 or more")
    return value


def json_object(text: str) -> dict[str, Any]:
    """Flag type: a json object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no json ({error})") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no json object")
    return value


def user_path(text: str) -> Path:
    """Flag type: a path, with ``~`` for the home folder, which bash does not expand in ``--output=~/x``."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text}: there is no such user") from error


def output_file(text: str) -> Path:
    """Flag type: a file to write; a folder is refused here, before there is any work."""
    path = user_path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; name a file")
    return path
