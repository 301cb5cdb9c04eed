r"""The final statement of a response: boxes or formulas side by side are one answer, "2 or 16" and not 16."""

import re
from itertools import pairwise

from recipe_tapo.grading.boxes import Box
from recipe_tapo.grading.surroundings import with_surroundings

_MAX_GAP_CHARS = 120
_COMMENTS = re.compile(r"\\(?:text|mathrm|textbf|mbox)\s*\{([^{}]*)\}")
_NAMES = re.compile(
    r"\(?\s*\b[a-zA-Z](?:_\{?\w+\}?)?'?(?:\s*,\s*[a-zA-Z])*\s*\)?(?:\([a-z0-9]\))?"
    r"\s*(?:=|:|\\in\b|\\approx\b|\bis\b)|\\[a-zA-Z]+\s*="
)
_NUMBERING = re.compile(r"(?<![a-zA-Z0-9])\(?(?:[a-h]|[ivx]{1,4}|\d)[.)](?![a-zA-Z0-9])")
_COUNTED = re.compile(
    r"\b(?:answer|option|solution|root|value|possibility|candidate)\s*#?\d\b"
    r"|\b(?:second|third|other|alternative) (?:answer|option|solution|root|value|possibility|candidate)\b",
    re.IGNORECASE,
)
# Within a line; at its beginning a minus is a bullet.
_OPERATOR = re.compile(r"(?:[ ~]|\\[,;: ])*(?:[-+=]|\\approx(?![a-zA-Z]))(?:[ ~]|\\[,;: ])*")
_REJECTED = re.compile(r"\W*(?:and |but )?(?:not|rather than|instead of)\W*")
# Signs and spacing between formulas, of LaTeX and of Markdown.
_SIGNS = re.compile(
    r"\\(?:quad|qquad|text|mathrm|textbf|[lL]arge|LARGE|[hH]uge|bf|rm|it|displaystyle|left|right|newline|item|par"
    r"|begin\{[a-z*]+\}|end\{[a-z*]+\}|[^a-zA-Z])|[\W_]"
)
_OR = re.compile(
    r"\b(?:or|alternatively|alternately|perhaps|maybe|possibly|otherwise|else|ou|oder|vs)\b|\\(?:lor|vee)\b|或",
    re.IGNORECASE,
)
# At the beginning of what stands between, or after a unit.
_EARLY_OR = re.compile(rf"(?:[a-zA-Z]+\s+){{0,2}}(?:{_OR.pattern})", re.IGNORECASE)
_LINK_WORDS = (
    "it and or both either also as well with the other one another second third value values solution solutions root "
    "roots answer answers is are be could might may possibly maybe perhaps alternatively lor land vee wedge cup "
    "respectively 或 和 与 及 且"
)
_TOGETHER = frozenset(("and", "another", "other", "also", "could", "might"))
_LINKS = frozenset(_LINK_WORDS.split())
# With one of these a new thought begins, and the box after it replaces the one before.
_THOUGHT = re.compile(
    r"\b(?:so|thus|therefore|hence|then|because|since|but|wait|no|not|instead|rather|actually|correct(?:ed|ion)?|wrong"
    r"|check|verify|we|which|gives?|giving|yields?|implies|now|final|finally|step|case|answer|result|simplif\w*"
    r"|similarly)\b"
    r"|\\(?:implies|therefore|Rightarrow|to)\b|(?:所以|因此|但|不对|最终)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"(?:^|[\s$(\[{,;:&])([a-zA-Z](?:_\{?\w\}?)?)\s*&?=\s*(?:\$|\\\(|\\\[|\s)*$")


def final_statement(text: str, boxes: list[Box]) -> str:
    """Returns the answer that the last boxes state together: their contents, joined if there are several.

    Boxes are neighbours if only signs, numbering, names ("y =") and words such as "and" stand between them, or within
    one sentence an "or". Names before them ("x = ", "y = ") become part of the answer. Boxes with an operator between
    them are one formula.
    """
    boxes = _joined(text, boxes)
    while len(boxes) > 1 and _REJECTED.fullmatch(text[boxes[-2].end : boxes[-1].start]):
        boxes = boxes[:-1]
    first = len(boxes) - 1
    while first and are_neighbours(text[boxes[first - 1].end : boxes[first].start]):
        first -= 1
    group = boxes[first:]
    if len(group) == 1:
        return with_surroundings(text, group[0])
    contents = list(dict.fromkeys(_named(text, box, boxes[max(0, first - 1)].end if first else 0) for box in group))
    names, values = zip(*(content.rpartition("=")[::2] for content in contents), strict=True)
    if len(set(values)) == 1 and len({*names} - {""}) < 2:
        return group[-1].content
    return "; ".join(contents)


def are_neighbours(gap: str) -> bool:
    """Whether two values with this text between them belong to one statement."""
    if len(gap) > _MAX_GAP_CHARS:
        return False
    plain = _COMMENTS.sub(r" \1 ", gap)
    bare = _NUMBERING.sub(" ", _NAMES.sub(" ", _COUNTED.sub(" another ", plain)))
    words = _SIGNS.sub(" ", bare).lower().split()
    linked = bool(_OR.search(plain)) or not _TOGETHER.isdisjoint(words)
    if all(word in _LINKS for word in words):
        return linked or not any(word in ("answer", "answers", "is", "solution", "value", "the") for word in words)
    sentence = plain.strip(" \n$.,;:)]\\*_")
    return bool(_EARLY_OR.match(sentence)) and not _THOUGHT.search(sentence) and not re.search(r"[.!?\n]", sentence)


def _joined(text: str, boxes: list[Box]) -> list[Box]:
    r"""Makes one of boxes in one formula: ``\boxed{2}+\boxed{3}=\boxed{5}`` holds 2+3=5."""
    formulas = [[boxes[0]]]
    for left, right in pairwise(boxes):
        if _OPERATOR.fullmatch(text, left.end, right.start):
            formulas[-1].append(right)
        else:
            formulas.append([right])
    return [_formula(text, formula) for formula in formulas]


def _formula(text: str, boxes: list[Box]) -> Box:
    parts = [boxes[0].content]
    for left, right in pairwise(boxes):
        parts += [text[left.end : right.start].strip(), right.content]
    return Box(boxes[0].start, boxes[-1].end, " ".join(parts))


def _named(text: str, box: Box, after: int) -> str:
    """Returns the content of a box with the name that stands before it."""
    label = _LABEL.search(text[max(after, box.start - 24) : box.start])
    return f"{label[1]}={box.content}" if label and "=" not in box.content else box.content
