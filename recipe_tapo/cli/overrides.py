"""Paths on a Hydra command line, whose grammar stumbles over ``ü``, ``=``, ``,`` and brackets."""

from pathlib import Path


def quoted(path: str | Path) -> str:
    r"""Returns a path as the value of an override, in single quotes; quotes in it are escaped as Hydra wants."""
    text = str(path)
    # A backslash is an escape only in front of a quote.
    return "'" + text.replace("\\'", "\\\\'").replace("'", "\\'") + "'"
