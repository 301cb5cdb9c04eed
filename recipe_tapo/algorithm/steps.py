r"""A response as a sequence of steps (ours): what can be numbered, pointed at, kept or left out.

A step is a line. Lines that belong together are one step: display mathematics (``\[ … \]``, ``$$ … $$``,
``\begin{align} … \end{align}``), a fenced code block, a list item with its indented continuation. Text of Chinese,
Japanese or Korean puts several sentences on one line; there a step ends after each sentence, and the space between
two is the beginning of the second. Otherwise a step ends with the white space that follows it. The steps of a text,
joined, are the text.
"""

import re
from dataclasses import dataclass

from recipe_tapo.algorithm.blocks import OpenBlock
from recipe_tapo.algorithm.sentences import sentence_ends

_ITEM = re.compile(r"^[ \t]{0,12}(?:[-*+•]|\d{1,3}[.)]|\([a-z0-9]{1,3}\))\s")
_GOES_ON = re.compile(r"\w(?:\w|[.,]\d)")
_FRACTION = re.compile(r"\d[.,]\d")


@dataclass(frozen=True)
class Step:
    """A part of a text.

    Attributes:
        start: Where it begins, in characters.
        end: Where the next one begins.
    """

    start: int
    end: int


def split_steps(text: str) -> list[Step]:
    """Splits a text into its steps, in time linear in its length.

    Args:
        text: Any text. A block that is never closed goes on to the end.

    Returns:
        Steps that cover the text without gap or overlap. A text of white space alone is one step, an empty one none.
    """
    if not text:
        return []
    starts: list[int] = []
    block = OpenBlock()
    in_item = False
    position = 0
    for line in text.splitlines(keepends=True):
        inside = block.is_open
        block.read(line)
        indented = line[:1] in (" ", "\t")
        continues_item = in_item and indented and not _ITEM.match(line)
        if line.strip() and not inside and not continues_item:
            starts.append(position)
            in_item = _ITEM.match(line) is not None
            if not block.is_open:
                sentences = line.rstrip()
                starts += [position + end for end in sentence_ends(sentences) if end < len(sentences)]
        position += len(line)
    starts[:1] = [0]  # what is blank before the first step belongs to it
    return [Step(start, end) for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def repeated_steps(text: str, other: str) -> list[Step]:
    """The first steps of a text that another one repeats whole.

    White space at a step's end does not count: where the text goes on in the next line, the other may go on after a
    blank one. The other may also repeat the beginning of one step more.

    Args:
        text: Whose steps.
        other: What begins as the text does.
    """
    pairs = enumerate(zip(text, other, strict=False))
    common = next((i for i, (mine, theirs) in pairs if mine != theirs), min(len(text), len(other)))
    if _GOES_ON.match(other, max(0, common - 1)):  # "x = 3" is not repeated by "x = 35" or "x = 3.5"
        common -= 1
    elif _FRACTION.match(other, max(0, common - 2)):  # nor "x = 3." by "x = 3.5"
        common -= 2
    return [step for step in split_steps(text) if step.start + len(text[step.start : step.end].rstrip()) <= common]
