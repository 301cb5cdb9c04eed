"""Tables on the terminal."""

import os
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

MAX_ROWS = 50
FILE_WIDTH = 140


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table of at most ``MAX_ROWS`` rows; numbers go to the right and long texts are wrapped.

    Args:
        title: Heading.
        columns: Column headings.
        rows: Cells of any type, one per column; None for no value.
    """
    rows = list(rows)
    hidden = max(0, len(rows) - MAX_ROWS)
    table = Table()
    for position, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[position], int | float | None) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows[:MAX_ROWS]:
        table.add_row(*map(_show, row))
    print(title)
    # Problems contain "[asy]" and ":x:", which rich would take for markup and emoji.
    Console(markup=False, emoji=False, highlight=False, width=_width()).print(table)
    if hidden:
        print(f"… and {hidden} more")


def _width() -> int | None:
    """None for the terminal's own width; a file or pipe has none, and rich would squeeze tables into 80 columns."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else FILE_WIDTH


def shorten(text: str, width: int = 60) -> str:
    """Puts a text on one line of limited width."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _show(cell: object) -> str:
    return "–" if cell is None else f"{cell:.2f}" if isinstance(cell, float) else str(cell)
