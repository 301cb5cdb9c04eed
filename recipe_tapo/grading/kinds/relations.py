r"""Inequalities and intervals: ``x<0 \lor x>1`` is ``(-\infty,0)\cup(1,\infty)``, ``a<b<c`` is ``c>b>a``."""

import re
from fractions import Fraction

from recipe_tapo.grading.kinds.brackets import both_signs, bracketed, split_at
from recipe_tapo.grading.kinds.equations import strip_membership
from recipe_tapo.grading.kinds.real_sets import (
    EVERYTHING,
    INFINITY,
    Interval,
    NoPlace,
    complement,
    difference,
    intersection,
    same_set,
    union,
)
from recipe_tapo.grading.normalise import split_top_level
from recipe_tapo.grading.outcome import Equal, Outcome, every
from recipe_tapo.grading.values.exact import exact_value
from recipe_tapo.grading.values.expression import parse
from recipe_tapo.grading.values.identity import closed

_SIGN = re.compile(r"(?:<|>|\\(?:le|ge|ne)(?![a-zA-Z]))\s*")
_POINT = re.compile(r"[a-zA-Z]=([^=]+)")
_TURNED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le", "\\ne": "\\ne"}
_UNION = re.compile(r"\\(?:cup|lor)(?![a-zA-Z])\s*")
_INTERSECTION = re.compile(r"\\(?:cap|land)(?![a-zA-Z])\s*")
_REALS = re.compile(
    r"\\mathbb\{?R\}?|(?:all|any|every)?\s*(?:the )?(?:reals|real numbers?|numbers)(?:\s*[a-z])?",
    re.IGNORECASE,
)
_WITHOUT = re.compile(
    r"(?:\\mathbb\{R\}|(?:all|any|every)\s*(?:the )?(?:reals|real numbers))\s*"
    r"(?:\\(?:setminus|backslash)|-|except(?: for)?|other than)\s*(?:\\\{(.+)\\\}|([^{}(\[][^{}]*))"
)
_SET_BUILDER = re.compile(r"\\\{\s*([a-zA-Z])(?:\\in\s*\\mathbb\{?R\}?)?\s*(?:\||:|\\colon)\s*(.+)\\\}")
_AMONG_REALS = re.compile(r"^\\mathbb\{?R\}?\s*(?:[,;|:]|\\land(?![a-zA-Z]))\s*(?=[a-zA-Z])")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_SETMINUS = re.compile(r"\\(?:setminus|smallsetminus|backslash)(?![a-zA-Z])\s*")
_WORDS_AS_SIGNS = {
    "greater than or equal to": "\\ge", "at least": "\\ge", "greater than": ">", "less than or equal to": "\\le",
    "at most": "\\le", "less than": "<", "not equal to": "\\ne",
}  # fmt: skip
_NUMBERS_THAT = re.compile(
    rf"(?:all|any|every) (?:the )?(?:reals|real numbers?|numbers)(?: [a-z])? ({'|'.join(_WORDS_AS_SIGNS)}) ?(.+)"
)
_VALUE_OF = re.compile(r"(?<![a-zA-Z\\])[f-h]\([a-z]\)")
_INSIDE = re.compile(r"\|([^|]+)\|")


def same_relation(gold: str, answer: str, equal: Equal) -> Outcome | None:
    """Compares inequalities and sets of real numbers; None unless one is written as such and both can be read."""
    if not (_is_relation(gold) or _is_relation(answer)):
        return None
    if "R" in (gold, answer) and "\\mathbb{R}" in (gold, answer):
        return True
    try:
        golds, answers = _read(gold), _read(answer)
    except NoPlace:
        golds = answers = None
    if golds is not None and answers is not None:
        return same_set(golds, answers, equal)
    if (golds is not None and closed(answer)) or (answers is not None and closed(gold)):
        return False
    return _same_chain(gold, answer, equal)


def _is_relation(text: str) -> bool:
    return bool(_has_sign(text) or "\\cup" in text or _REALS.search(text) or (INFINITY in text and len(text) > 8))


def _has_sign(text: str) -> bool:
    return _SIGN.search(text) is not None and len(split_at(text, _SIGN)) > 1


def _same_chain(gold: str, answer: str, equal: Equal) -> Outcome | None:
    """Compares chains of inequalities as they stand, smaller to larger; None where algebra may bridge a difference."""
    chains = [_chain(text) for text in (gold, answer)]
    if not all(len(signs) for _, signs in chains):
        return None
    (golds, gold_signs), (answers, answer_signs) = chains
    if gold_signs != answer_signs:
        return False if len(gold_signs) != len(answer_signs) else None
    same = every(map(equal, golds, answers))
    return same if same is not False or len(golds) > 2 else None


def _chain(text: str) -> tuple[list[str], list[str]]:
    pieces = split_at(text, _SIGN)
    parts, signs = pieces[::2], pieces[1::2]
    if signs and all(sign in (">", "\\ge") for sign in signs):
        return parts[::-1], [_TURNED[sign] for sign in signs[::-1]]
    return parts, signs


def _read(text: str) -> list[Interval] | None:
    """Reads a set of real numbers, in order; None for everything else."""
    text = strip_membership(_VALUE_OF.sub("y", _TEXT.sub(r"\1", text).strip()))
    if (match := _SET_BUILDER.fullmatch(text)) and bracketed(text)[0]:
        text = match[2]
    # "x\in\mathbb{R}, x\ne 2"
    text = _AMONG_REALS.sub("", text)
    if _REALS.fullmatch(text):
        return [EVERYTHING]
    if match := _WITHOUT.fullmatch(text):
        return complement(_points(match[1] or match[2]))
    if match := _NUMBERS_THAT.fullmatch(text):
        return _inequality(f"x{_WORDS_AS_SIGNS[match[1]]} {match[2]}")
    sets = _SETMINUS.split(text)
    if len(sets) == 2:
        left, right = map(_read, sets)
        return None if left is None or right is None else difference(left, right)
    parts = [strip_membership(part) for part in _UNION.split(text) if part]
    if len(parts) > 1:
        sets = [_read(_POINT.sub(r"\{\1\}", part) if _POINT.fullmatch(part) else part) for part in parts]
        return None if None in sets else union([interval for part in sets if part for interval in part])
    parts = [part for part in _INTERSECTION.split(text) if part]
    if len(parts) > 1:
        return _intersect(parts)
    kind, inner = bracketed(text)
    parts = split_top_level(inner)
    if kind == "\\{\\}":
        parts = [value for part in parts for value in both_signs(part)]
        return (
            union([Interval(part, part, True, True) for part in parts]) if all(parts) and not _has_sign(inner) else None
        )
    if kind in ("()", "[]", "(]", "[)") and len(parts) == 2 and all(parts) and not _has_sign(inner):
        interval = Interval(parts[0], parts[1], kind[0] == "[", kind[1] == "]")
        return None if interval.is_empty() else [interval]
    parts = [strip_membership(part) for part in split_top_level(text)]
    if len(parts) > 1 and all(bracketed(part)[0] for part in parts):
        return _read("\\cup ".join(parts))
    if len(parts) == 1 and "\\pm" in text and len(sides := text.split("\\ne")) == 2:
        return _intersect([f"{sides[0]}\\ne {point}" for point in _points(sides[1])])
    if len(parts) > 1 and "\\ne" in parts[0] and not any(_has_sign(part) for part in parts[1:]):
        # "x\ne 0,1"
        return _intersect([parts[0], *(f"{parts[0].partition('ne')[0]}ne {part}" for part in parts[1:])])
    if len(parts) > 1 and all(_has_sign(part) for part in parts):
        # "x<0, x>1" can only mean "or", "x>0, x<1" means "and".
        both = _intersect(parts)
        return both or _read("\\lor ".join(parts))
    return _inequality(inner if kind == "()" else text)


def _points(text: str) -> list[str]:
    """The numbers of a list, two for one with ``\\pm``; ``x=`` before one is its name."""
    items = [re.sub(r"^[a-zA-Z]=", "", item.strip()) for item in split_top_level(text)]
    return [value for item in items for value in both_signs(item)]


def _intersect(parts: list[str]) -> list[Interval] | None:
    common = [EVERYTHING]
    for part in parts:
        intervals = _read(part)
        if intervals is None:
            return None
        common = intersection(common, intervals)
    return common


def _inequality(text: str) -> list[Interval] | None:
    parts, signs = _chain(text)
    if len(parts) > 1 and parts[0] == f"-{INFINITY}" and signs[0] == "<":
        # It says nothing about the number.
        if len(parts) == 3 and parts[2] == INFINITY and signs[1] == "<":
            return [EVERYTHING] if _variables(parts[1]) == 1 else None
        parts, signs = parts[1:], signs[1:]
    if len(parts) == 3 and parts[2] == INFINITY and signs[1] == "<":
        parts, signs = parts[:2], signs[:1]
    if len(parts) == 3 and all(sign in ("<", "\\le") for sign in signs):
        above, below = _half(parts[0], signs[0], parts[1]), _half(parts[1], signs[1], parts[2])
        return None if above is None or below is None else intersection(above, below)
    return _half(parts[0], signs[0], parts[1]) if len(parts) == 2 else None


def _half(left: str, sign: str, right: str) -> list[Interval] | None:
    """Solves an inequality that is linear in one variable, or in its absolute value."""
    if _variables(left) == 0 and _variables(right) == 1:
        left, sign, right = right, _TURNED[sign], left
    if _variables(left) != 1 or (right not in (INFINITY, f"-{INFINITY}") and _variables(right) != 0):
        return None
    if match := _INSIDE.fullmatch(left):
        if sign in ("<", "\\le"):
            halves = _half(match[1], sign, right), _half(match[1], _TURNED[sign], f"-({right})")
            return None if None in halves else intersection(halves[0] or [], halves[1] or [])
        if sign in (">", "\\ge"):
            halves = _half(match[1], sign, right), _half(match[1], _TURNED[sign], f"-({right})")
            return None if None in halves else union([*(halves[0] or []), *(halves[1] or [])])
        return None
    line = _line(left)
    if line is None:
        return None
    at_nought, slope = line
    end = right if (at_nought, slope) == (0, 1) else f"\\frac{{({right})-({at_nought})}}{{{slope}}}"
    if slope < 0:
        sign = _TURNED[sign]
    if sign == "\\ne":
        return complement([end])
    if sign in ("<", "\\le"):
        return [Interval(f"-{INFINITY}", end, False, sign == "\\le")]
    return [Interval(end, INFINITY, sign == "\\ge", False)]


def _variables(text: str) -> int | None:
    expression = parse(text)
    return None if expression is None else len(expression.variables)


def _line(text: str) -> tuple[Fraction, Fraction] | None:
    """Returns value at nought and slope of an expression that is linear in its one variable, with rational numbers."""
    expression = parse(text)
    if expression is None:
        return None
    (name,) = expression.variables
    values = [exact_value(expression.root, {name: Fraction(point)}) for point in (0, 1, 2, 5)]
    if any(value is None for value in values):
        return None
    nought, one, two, five = (value for value in values if value is not None)
    slope = one - nought
    return (nought, slope) if slope and two == nought + 2 * slope and five == nought + 5 * slope else None
