r"""Equations: ``x=5`` states a value, ``2x+1=5`` does not; chains ``x=2+3=5``; approximations; lists of assignments."""

import re
from dataclasses import dataclass

from recipe_tapo.grading.kinds.brackets import bracketed, is_tuple, split_at
from recipe_tapo.grading.kinds.scalars import DEGREE, in_radians
from recipe_tapo.grading.normalise import split_top_level
from recipe_tapo.grading.outcome import Equal, Outcome, some
from recipe_tapo.grading.spelling.units import strip_unit
from recipe_tapo.grading.values.identity import closed, exact_numbers, near

_LETTER = (
    r"(?:[a-zA-Z]|\\(?:alpha|beta|gamma|delta|epsilon|theta|lambda|mu|phi|varphi|rho|sigma|tau|omega|psi|xi|ell|Delta"
    r"|Omega)(?![a-zA-Z]))"
)
_VARIABLE = rf"{_LETTER}'*(?:_(?:\{{[^{{}}]*\}}|\w)'*)?"
_ARGUMENTS = r"(?:\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\])"
# What is asked for has a name: a variable, several joined by signs (m+n), a function's value, a part of a figure.
_NAME = re.compile(
    rf"(?:\\(?:angle|triangle|measuredangle|overline|overrightarrow|hat|bar|text|mathbb|mathcal)(?![a-zA-Z])\s*)*"
    rf"(?:{_VARIABLE}(?:\s*(?:(?:[-+/*]|\\cdot)\s*)?{_VARIABLE})*|\\frac\{{d?{_VARIABLE}\}}\{{d?{_VARIABLE}\}}"
    rf"|\{{?{_VARIABLE}\}}?(?:\^\{{?[-\w]+\}}?)?{_ARGUMENTS}|\|[A-Z]{{1,2}}\||\\?#\{{?[A-Z]\}}?|\[(?:\\triangle\s*)?[A-Z]{{3,}}\]|\{{[^{{}}=]*\}}"
    rf"|\({_VARIABLE}(?:,{_VARIABLE})+\)"
    # A maximum, a limit, a sum: what they are of is free.
    r"|m?\\angle [A-Z]+|[a-zA-Z]\^\{?\*\}?|[a-zA-Z](?::[a-zA-Z])+"
    r"|(?:\\vec|\\mathbf|\\overrightarrow)\{?[a-zA-Z]{1,2}\}?"
    rf"|(?:\\(?:max|min|sup|inf|gcd|lcm|det|dim|deg|lim|sum|prod|int)(?![a-zA-Z])|{_LETTER}?_?\\(?:max|min)(?![a-zA-Z]))"
    r"(?:[^={}]|\{(?:[^{}]|\{[^{}]*\})*\})*"
    # A sum or a product that is not written out: 1+2+\ldots+10.
    r"|(?=.*\\ldots)(?:[-+*\d.()]|\\(?:ldots|cdot|times)(?![a-zA-Z])\s?)+)"
)
_FUNCTION = re.compile(rf"y|{_LETTER}(?:\^\{{?-1\}}?)?\([a-z]\)")
_SIGN = re.compile(r"\\(?:approx|simeq|approxeq|doteq)(?![a-zA-Z])|(?<![<>])=")
# How far apart values in a row may be: rounded ones, and ones that are said to be equal. More values than these are a
# guess at many.
_ROUNDED, _EQUAL = 0.1, 0.002
_MOST_VALUES = 5
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_DIGIT_OF_ITS_OWN = re.compile(r"(?<![\^_{\d-])\d")


@dataclass(frozen=True)
class _Stated:
    """What an answer says: of what it states a value, the values in a row, and how far apart these may be."""

    name: str
    values: list[str]
    apart: list[float]


def strip_membership(cleaned: str) -> str:
    r"""Removes ``x\in`` in front of a set or a value."""
    return re.sub(r"^(?:[a-zA-Z]|\([a-zA-Z](?:,[a-zA-Z])+\))\\in(?![a-zA-Z])\s*", "", cleaned)


def same_equation(gold: str, answer: str, equal: Equal) -> Outcome | None:
    """Compares answers one of which has an equals sign; None where none has, and where both are proper equations.

    Only a name may stand before the value (``x=5``, ``m+n=25``, ``f(2)=7``), the same one where both state one. Values
    in a row (``x=2+3=5``) must agree. Where the gold is an equation that states no value (``2x+1=5``) only another
    equation answers it; an answer that is one states no value.
    """
    if not any(_SIGN.search(text) and len(_sides(text)) > 1 for text in (gold, answer)):
        return None
    ours, theirs = _stated(gold), _stated(answer)
    if ours is None or theirs is None:
        # Two equations without a value are for algebra to compare.
        return None if len(_sides(gold)) > 1 and len(_sides(answer)) > 1 else False
    if ours.name and theirs.name and ours.name != theirs.name:
        functions = _FUNCTION.fullmatch(ours.name) and _FUNCTION.fullmatch(theirs.name)
        if not functions or ours.name == "y" == theirs.name:
            return False if closed(ours.values[-1]) and closed(theirs.values[-1]) else None
    # A gold that gives its value and a rounded one ("\\frac23\\approx 0.67") is answered by either.
    golds = ours.values[::-1] if "\\approx" in gold else ours.values[-1:]
    return some(_one_of(value, theirs, equal) for value in golds)


def assigned(cleaned: str) -> tuple[list[str], list[str]] | None:
    """Returns the names and values of a list of assignments ("x=1,y=2"); None for everything else.

    A part without a name ("x=1,2") takes that of the part before.
    """
    if "=" not in cleaned:
        return None
    kind, inner = bracketed(cleaned)
    names: list[str] = []
    values: list[str] = []
    for part in split_top_level(inner if kind in ("()", "\\{\\}") else cleaned):
        name, sign, value = part.partition("=")
        if not sign:
            name, value = names[-1] if names else "", part
        if not value or "=" in value or not _NAME.fullmatch(name):
            return None
        names.append(name)
        values.append(value)
    return (names, values) if len(values) > 1 else None


def values_of(names: list[str], values: list[str]) -> str | None:
    """Returns assignments as a list of one name's values, or as a tuple in the order of names; None for a mixture.

    The same names again and again ("x=1,y=2,x=3,y=4") are a list of tuples.
    """
    size = len(set(names))
    if size == 1:
        return ",".join(values)
    if len(names) % size or names != names[:size] * (len(names) // size):
        return None
    rows = [list(zip(names[:size], values[at : at + size], strict=True)) for at in range(0, len(values), size)]
    # Of names without an order, such as m and b, that in which they stand is as good as any.
    alike = len({re.sub(r"_.*", "", name) for name in names}) == 1 or all(name.startswith("\\") for name in names)
    if alike or "".join(sorted(names[:size])) in _ALPHABET:
        rows = [sorted(row) for row in rows]
    return ",".join(f"({','.join(value for _, value in row)})" for row in rows)


def without_numbering(names: list[str], values: list[str]) -> tuple[list[str], list[str]]:
    """Returns assignments with "x" for "x_1" and "x_2" if these are all their names."""
    plain = [re.sub(r"_\{?\d\}?$", "", name) for name in names]
    return (plain, values) if len(set(plain)) == 1 else (names, values)


def _sides(cleaned: str) -> list[str]:
    """Sides and signs in turn; a sign in a function's parentheses, P(X=3), is none."""
    sides: list[str] = []
    for piece in split_at(cleaned, _SIGN):
        if sides and re.search(r"[a-zA-Z]\([^()]*$", sides[-1]):
            sides[-1] += piece
        else:
            sides.append(piece)
    return sides


def _one_of(gold: str, stated: _Stated, equal: Equal) -> Outcome:
    if len(stated.values) == 1:
        return equal(gold, stated.values[0])
    if len(stated.values) > _MOST_VALUES:
        return False
    plain = _in_one_unit([_number(value) for value in stated.values])
    known = [position for position, value in enumerate(plain) if closed(value)]
    # Each is held against the last one: neighbours that are near each other can lead anywhere.
    for position in known[:-1]:
        apart = max(stated.apart[position : known[-1]])
        exact = exact_numbers(plain[position], plain[known[-1]])
        # A whole number is not another one rounded; of \\frac{100}{3} it may be.
        if exact and (apart == _EQUAL or all(value.denominator == 1 for value in exact)):
            if exact[0] != exact[1]:
                return False
        elif not near(plain[position], plain[known[-1]], apart):
            return False
    # What cannot be held against the others ("x=16=\\text{seventeen}") is the answer alone.
    last = len(plain) - 1
    positions = known[::-1] if last in known else [last]
    return some(equal(gold, stated.values[position]) for position in positions)


def _in_one_unit(numbers: list[str]) -> list[str]:
    """Degrees in radians where only some are degrees."""
    degrees = [number.endswith(DEGREE) for number in numbers]
    if all(degrees) or not any(degrees):
        return numbers
    return [in_radians(number) if degree else number for number, degree in zip(numbers, degrees, strict=True)]


def _number(value: str) -> str:
    """A value as the row compares it: without its unit, and per cent as hundredths."""
    number = strip_unit(value)
    return f"({number[:-1]})/100" if number.endswith("%") else number


def _stated(cleaned: str) -> _Stated | None:
    """Reads "value", "name=value" and "name=value=value"; None for an equation that states no value."""
    parts = _sides(cleaned)
    texts, apart = parts[::2], [_EQUAL if sign == "=" else _ROUNDED for sign in parts[1::2]]
    if not all(texts):
        return None
    if len(texts) == 2 and closed(texts[0]) and _NAME.fullmatch(texts[1]) and not closed(texts[1]):
        texts = texts[::-1]
    if len(texts) == 2 and _is_point(texts[1]) and not _DIGIT_OF_ITS_OWN.search(texts[0]):
        return _Stated("", texts[1:], apart[1:])
    if len(texts) > 1 and _NAME.fullmatch(texts[0]):
        return _Stated(texts[0], texts[1:], apart[1:])
    numbers = _in_one_unit([_number(text) for text in texts])
    return _Stated("", texts, apart) if len(texts) == 1 or all(map(closed, numbers)) else None


def _is_point(text: str) -> bool:
    """Whether a text is a tuple, a vector or a matrix; whatever equals it is only its name."""
    return (text.startswith("\\begin") and text.endswith("}")) or is_tuple(text)
