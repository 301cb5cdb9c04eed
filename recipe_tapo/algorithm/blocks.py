"""Whether display mathematics or a code block is open in a text that is read line by line (ours)."""

import re

_FENCE = re.compile(r"^\s{0,12}(?:(?:[-*+•]|\d{1,3}[.)])\s{1,4})?(?P<fence>`{3,}|~{3,})(?P<behind>.*)")
# Behind a line break, ``\\\\``, but not as a part of one with a distance, ``\\\\[2pt]``.
_MATHS = re.compile(r"(?<!\\)(?:\\\\)*\\(?:([\[\]()])|(begin|end)\{[a-zA-Z]{1,20}\*?\})")
_DOLLARS = re.compile(r"\\.|\$\$|\$")


class OpenBlock:
    """The block that is open after the lines read so far."""

    def __init__(self) -> None:
        self._fence = ""
        self._dollars = False
        self._brackets = False
        self._depth = 0

    @property
    def is_open(self) -> bool:
        """Whether the next line belongs to a block."""
        return bool(self._fence) or self._dollars or self._brackets or self._depth > 0

    def read(self, line: str) -> None:
        """Takes the next line."""
        fence = _FENCE.match(line)
        if self._fence:
            # As CommonMark has it, nothing stands behind the fence; models write it behind the last line of code, too.
            if line.rstrip().endswith(self._fence):
                self._fence = ""
        elif fence and not (fence["fence"][0] == "`" and "`" in fence["behind"]):
            self._fence = fence["fence"]
        else:
            self._dollars = _opens_display(line, self._dollars)
            self._read_maths(line)

    def _read_maths(self, line: str) -> None:
        r"""Follows ``\[ … \]``, which does not nest, and environments, which do.

        A model that opens ``\[`` and closes ``\)`` has closed it.
        """
        inline = False
        for bracket, environment in _MATHS.findall(line):
            if environment:
                self._depth = max(0, self._depth + (1 if environment == "begin" else -1))
            elif bracket in "[]":
                self._brackets = bracket == "["
            else:
                self._brackets = self._brackets and (bracket == "(" or inline)
                inline = bracket == "("


def _opens_display(line: str, is_open: bool) -> bool:
    r"""Whether ``$$`` is open behind a line, where it was or was not in front of it.

    An escaped dollar is a currency's, and so is one of an odd number. Within inline mathematics ``$$`` closes one
    formula and opens the next (``$\triangle$$ABC$``).
    """
    marks = [match[0] for match in _DOLLARS.finditer(line) if match[0][0] == "$"]
    in_pairs = marks.count("$") % 2 == 0
    inline = False
    for mark in marks:
        if mark == "$$" and not inline:
            is_open = not is_open
        elif mark == "$" and in_pairs and not is_open:
            inline = not inline
    return is_open
