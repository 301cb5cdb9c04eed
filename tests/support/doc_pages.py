"""What tests read from the documentation: fenced blocks and tables."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
COMMANDS = sorted((DOCS / "commands").glob("*.sh"))

_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its text."""

    language: str
    text: str


def blocks(markdown: str) -> list[Block]:
    """The fenced blocks of a page."""
    return [Block(language, text) for _, language, text in _FENCE.findall(markdown)]


def rows(page: Path, header: str) -> list[list[str]]:
    """The rows of every table of a page whose first column has this header.

    Raises:
        AssertionError: There is no such table.
    """
    found, lines = [], iter(page.read_text(encoding="utf-8").splitlines())
    known = False
    for line in lines:
        if line.startswith("|") and _cells(line)[0] == header:
            known = True
            next(lines)  # the line of dashes
            for row in lines:
                if not row.startswith("|"):
                    break
                found.append(_cells(row))
    assert known, f"{page.name}: no table whose first column is called {header!r}"
    return found


def codes(cell: str) -> list[str]:
    """What stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def expanded(name: str) -> list[str]:
    """``a/{b,c}`` as ``a/b`` and ``a/c``."""
    match = re.search(r"\{([^}]*)\}", name)
    return [name.replace(match[0], choice) for choice in match[1].split(",")] if match else [name]


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip().strip("|"))]
