r"""Brackets: lists, tuples, sets, intervals; ``]1,2[``, ``\langle 1,2\rangle``, ``\pm``."""

import re
from itertools import islice, product

from recipe_tapo.grading.normalise import split_top_level

_BRACKETS = {"(": ")", "[": "]", "\\{": "\\}"}
_FRENCH = re.compile(r"([\[\]])([^\[\](),;]+[,;][^\[\](),;]+)([\[\]])")
_FRENCH_BRACKETS = {"][": "()", "[[": "[)", "]]": "(]", "[]": "[]"}
_POINT = re.compile(r"(?:\\text\{\s*(?:the )?point(?: [A-Z])?\s*\}|[A-Z])'?(?=\()")
_PLUS_MINUS = re.compile(r"\\(pm|mp)(?![a-zA-Z])\s*")
_MAX_SIGNS = 4
_MAX_TUPLES = 64
_ANGLES = re.compile(r"\\langle(?![a-zA-Z])\s*(.*?)\\rangle(?![a-zA-Z])")


def one_spelling_of_brackets(cleaned: str) -> str:
    r"""Returns the text with ``(1,2)`` for ``]1,2[`` and for ``\langle 1,2\rangle``."""
    if "[" in cleaned or "]" in cleaned:
        cleaned = _FRENCH.sub(_french, cleaned)
    if "\\mp" in cleaned and "\\pm" not in cleaned:
        cleaned = re.sub(r"\\mp(?![a-zA-Z])", r"\\pm", cleaned)
    return _ANGLES.sub(r"(\1)", cleaned) if "\\langle" in cleaned else cleaned


def without_point(cleaned: str, other: str) -> str:
    r"""Returns the coordinates of a named point, "(3,-1)" of "P(3,-1)", where the other answer is a tuple."""
    match = _POINT.match(cleaned)
    if not match or not all(is_tuple(text) for text in (cleaned[match.end() :], other)):
        return cleaned
    return cleaned[match.end() :]


def is_tuple(cleaned: str) -> bool:
    """Whether a text is a pair of round brackets around two parts or more."""
    kind, inner = bracketed(cleaned)
    return kind == "()" and len(split_top_level(inner)) > 1


def bracketed(cleaned: str) -> tuple[str, str]:
    r"""Returns the bracket around a whole text and its inside, as in ("\{\}", "1,2"); the kind is "" for none."""
    for opening in _BRACKETS:
        for closing in _BRACKETS.values():
            if (
                cleaned.startswith(opening)
                and cleaned.endswith(closing)
                and len(cleaned) >= len(opening) + len(closing)
            ):
                inner = cleaned[len(opening) : -len(closing)]
                if _encloses(inner):
                    return opening + closing, inner
    return "", cleaned


def list_items(cleaned: str) -> tuple[str, list[str]]:
    r"""Returns the kind of bracket around a list ("" for none) and its items; "(1,2),(3,4)" is a bare list of two.

    In bare lists and sets ``\pm`` stands for two items.
    """
    kind, inner = bracketed(cleaned)
    items = [item for item in split_top_level(inner) if item]
    if kind in ("", "\\{\\}") and "\\pm" in inner:
        items = [value for item in items for value in both_signs(item)]
    return kind, items


def both_signs(item: str) -> list[str]:
    r"""Returns the two values of an item with ``\pm`` (and ``\mp``), upper signs first; the item itself without."""
    signs = _PLUS_MINUS.findall(item)
    if "pm" not in signs or len(signs) > _MAX_SIGNS:
        return [item]
    plus = _PLUS_MINUS.sub(lambda match: "+" if match[1] == "pm" else "-", item)
    minus = _PLUS_MINUS.sub(lambda match: "-" if match[1] == "pm" else "+", item)
    values = [plus.removeprefix("+"), minus]
    # In "\pm\sqrt{2}\pm 1" the signs are independent of each other.
    return values if len(signs) == 1 or "mp" in signs else _all_signs(item)


def tuples_of_signs(cleaned: str) -> str:
    r"""Returns "(1,2),(-1,2)" for the tuple ``(\pm1,2)``; everything else unchanged."""
    if "\\pm" not in cleaned:
        return cleaned
    kind, inner = bracketed(cleaned)
    items = split_top_level(inner)
    if kind != "()" or len(items) < 2:
        return cleaned
    choices = product(*map(both_signs, items))
    return ",".join(f"({','.join(choice)})" for choice in islice(choices, _MAX_TUPLES))


def split_at(text: str, sign: re.Pattern[str]) -> list[str]:
    r"""Splits at signs outside LaTeX's braces: parts and signs in turn, as in "x", "<", "\frac{1}{2}"."""
    pieces, start = [], 0
    for match in sign.finditer(_outside_braces(text)):
        pieces += [text[start : match.start()].strip(), match[0].strip()]
        start = match.end()
    return [*pieces, text[start:].strip()]


def _outside_braces(text: str) -> str:
    r"""Blanks what stands in braces, as in ``\sum_{k=1}``; the length stays."""
    if "{" not in text:
        return text
    depth, characters, escaped = 0, [], False
    for character in text:
        depth -= character == "}" and not escaped and depth > 0
        characters.append("\x00" if depth else character)
        depth += character == "{" and not escaped
        escaped = character == "\\" and not escaped
    return "".join(characters)


def _all_signs(item: str) -> list[str]:
    values = [item]
    for _ in _PLUS_MINUS.findall(item):
        values = [_PLUS_MINUS.sub(sign, value, count=1).removeprefix("+") for value in values for sign in "+-"]
    return values


def _encloses(inner: str) -> bool:
    """Whether the brackets around this text belong together, as in "1,(2,3)" and unlike in "1,2),(3,4"."""
    depth = 0
    for character in inner:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return False
    return depth == 0


def _french(match: re.Match[str]) -> str:
    brackets = _FRENCH_BRACKETS[match[1] + match[3]]
    return f"{brackets[0]}{match[2]}{brackets[1]}"
