r"""Boxes, ``\boxed{…}``, ``\fbox{…}``, ``\framebox{…}`` or ``\boxed 2``: where they are, what they hold."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from recipe_tapo.grading.normalise import balanced

_NAME = r"\\(?:boxed|fbox|framebox)(?![a-zA-Z])"
_OPENING = rf"{_NAME}\s*(?:\[[^\[\]{{}}]*\]\s*){{0,2}}\{{"
# Without braces: a number, a letter, a bracket, a fraction or a root with its own braces.
_BARE = re.compile(
    rf"{_NAME}(?:\s*(-?\d[\d.,/]*(?<![.,])(?:\\?%)?|\([^()\s]{{1,40}}\))|\s*(-?\\(?:[dt]?frac|sqrt)(?![a-zA-Z])(?:\s*(?:\{{[^{{}}]*\}}|\d)){{1,2}}|-?\\pi\b)"
    r"|\s+([a-zA-Z])(?![a-zA-Z]))"
)
_ANY = re.compile(rf"{_NAME}")
# An escaped brace does not count, except after an escaped backslash (a row break).
_TOKEN = re.compile(rf"{_OPENING}|\\\\(?!boxed|fbox|framebox)|\\[{{}}]|[{{}}]")
_NESTED = re.compile(rf"(?:{_OPENING}\s*)+")
_INNER = re.compile(rf"{_NAME}\s*(?=\{{)")


@dataclass(frozen=True)
class Box:
    """A box: where it begins and ends in the text, and its content."""

    start: int
    end: int
    content: str


class _Place(NamedTuple):
    """Where a box and its content begin and end: of a thousand nested boxes one content is read."""

    start: int
    end: int
    content_start: int
    content_end: int


def find_boxes(text: str) -> list[Box]:
    """Returns the boxes whose braces balance, in order; of nested ones the outermost, without the inner commands.

    A box cut off by the token limit does not count. Linear in the length of the text.
    """
    places = [match.start() for match in _ANY.finditer(text)]
    if not places:
        return []
    # Ordinary responses have one box, and only that is scanned.
    found = _balanced(text, places[0])
    found += [_Place(match.start(), match.end(), *match.span(match.lastindex or 0)) for match in _BARE.finditer(text)]
    outermost: list[_Place] = []
    for place in sorted(found, key=lambda place: (place.start, -place.end)):
        if not outermost or place.start >= outermost[-1].end:
            outermost.append(place)
    return [
        Box(place.start, place.end, _without_inner_boxes(text[place.content_start : place.content_end].strip()))
        for place in outermost
    ]


def _without_inner_boxes(content: str) -> str:
    """Removes the commands of boxes within a box, and their braces where they enclose all of it."""
    if nested := _NESTED.match(content):
        inner, closing = content[nested.end() :].rstrip(), len(_ANY.findall(nested[0]))
        kept = inner.rstrip("} ") + inner[len(inner.rstrip("} ")) :].replace(" ", "")
        if kept.endswith("}" * closing) and balanced(kept[:-closing]):
            content = kept[:-closing]
    return _INNER.sub("", content).strip()


def _balanced(text: str, start: int) -> list[_Place]:
    open_braces: list[tuple[int, int]] = []
    boxes: list[_Place] = []
    for token in _TOKEN.finditer(text, start):
        piece = token.group()
        if piece == "}":
            if open_braces:
                begin, content = open_braces.pop()
                if content:
                    boxes.append(_Place(begin, token.end(), content, token.start()))
        elif piece.endswith("{") and piece != "\\{":
            open_braces.append((token.start(), token.end() if piece != "{" else 0))
    return boxes
