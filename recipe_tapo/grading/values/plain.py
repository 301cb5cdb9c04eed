r"""Plain numbers: integers, decimals, fractions, mixed numbers, per cent and degrees, as exact ``Fraction``s."""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from recipe_tapo.grading.normalise import unwrap
from recipe_tapo.grading.spelling.units import strip_unit

# Longer "numbers" are not ordinary answers, and Python refuses to convert digits without end.
MAX_CHARS = 200

_GROUPED = r"\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+"
_INTEGER = rf"(?:{_GROUPED}|\d+)"
_FRACTION = (
    rf"\\frac\{{(?P<nsign>[-+]?)(?P<num>{_INTEGER})\}}\{{(?P<den>{_INTEGER})\}}"
    rf"|(?P<num2>{_INTEGER})/(?P<den2>{_INTEGER})"
)
_NUMBER = re.compile(
    rf"(?P<sign>[-+]?)(?:(?P<whole>{_INTEGER})(?=\\frac\{{\d| \d+/))? ?(?:{_FRACTION})"
    rf"|(?P<dsign>[-+]?)(?P<int>{_INTEGER})?(?P<decimals>\.\d*)?(?:\\overline\{{(?P<repeat>\d+)\}})?"
)
# A decimal stands for what it was rounded from, if it has so many digits.
_PLACES = 6
_FLOAT_PLACES = 12
_TOLERANCE = Fraction(1, 10**_PLACES)


@dataclass(frozen=True)
class Plain:
    """A plain number.

    Attributes:
        value: The number as written; ``12\\%`` has the value 12.
        exact: False when written with a decimal point, so that it may be a rounded value.
        percent: Whether a per cent sign follows.
        grouped: Whether a comma separates thousands, so that "100,200" may also be a list.
        places: Digits after the decimal point.
    """

    value: Fraction
    exact: bool
    percent: bool
    grouped: bool
    places: int


@lru_cache(maxsize=8192)
def parse_plain(cleaned: str) -> Plain | None:
    """Reads a cleaned answer as a plain number; None when it is anything else (never raises)."""
    if len(cleaned) > MAX_CHARS:
        return None
    text = strip_unit(unwrap(cleaned))
    percent = text.endswith("%")
    text = text.rstrip("% ").removesuffix(r"^\circ").strip().strip("£€")
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    if text.startswith("-(") and text.endswith(")"):
        text = "-" + text[2:-1]
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    value = _fraction(match) if match["num"] or match["num2"] else _decimal(match)
    if value is None:
        return None
    places = len((match["decimals"] or ".")[1:])
    exact = not places or match["repeat"] is not None
    return Plain(value, exact=exact, percent=percent, grouped="," in text, places=places)


def same_number(gold: Plain, answer: Plain) -> bool:
    """Compares two plain numbers.

    Exact numbers must be equal. Where the gold is a decimal, what differs by less than a millionth of it (and by less
    than a millionth) is the same. A decimal answers another gold if it is rounded from it to six places or more. If
    only one has a per cent sign, it may be read as a unit or as a hundredth.
    """
    if _close(gold, answer, gold.value, answer.value):
        return True
    if gold.percent == answer.percent:
        return False
    scale = Fraction(1, 100)
    return _close(
        gold, answer, gold.value * (scale if gold.percent else 1), answer.value * (scale if answer.percent else 1)
    )


def may_be_rounded(answer: Plain) -> bool:
    """Whether a number is a decimal of six places and six digits, which may stand for a value with more of them."""
    return (
        not answer.exact and answer.places >= _PLACES and abs(answer.value) * 10**answer.places >= 10 ** (_PLACES - 1)
    )


def is_rounded_from(answer: Fraction, places: int, gold: Fraction) -> bool:
    """Whether a decimal is a value rounded to its places, or cut off there."""
    distance = (abs(gold) - abs(answer)) * 10 ** min(places, _FLOAT_PLACES)
    # Floating-point numbers are off in their last digits.
    return gold * answer >= 0 and Fraction(-1, 2) - (places > _FLOAT_PLACES) <= distance < 1


def within_tolerance(gold: Fraction, answer: Fraction) -> bool:
    """Whether a value is within a millionth of another, in absolute and in relative terms."""
    return abs(gold - answer) <= _TOLERANCE * min(1, max(abs(gold), abs(answer)))


def _close(gold: Plain, answer: Plain, gold_value: Fraction, answer_value: Fraction) -> bool:
    if gold_value == answer_value or (gold.exact and answer.exact):
        return gold_value == answer_value
    if gold.exact:
        terminates = (gold_value * 10**_PLACES).denominator == 1
        return not terminates and may_be_rounded(answer) and is_rounded_from(answer_value, answer.places, gold_value)
    return within_tolerance(gold_value, answer_value)


def _integer(digits: str) -> int:
    return int(digits.replace(",", "").replace(" ", ""))


def _fraction(match: re.Match[str]) -> Fraction | None:
    denominator = _integer(match["den"] or match["den2"])
    if denominator == 0:
        return None
    value = Fraction(_integer(match["num"] or match["num2"]), denominator)
    if match["whole"]:
        value += _integer(match["whole"])
    return -value if (match["sign"] + (match["nsign"] or "")).count("-") == 1 else value


def _decimal(match: re.Match[str]) -> Fraction | None:
    decimals, repeat = (match["decimals"] or "").removeprefix("."), match["repeat"]
    if not (match["int"] or decimals or repeat) or (repeat and match["decimals"] is None):
        return None
    scale = 10 ** len(decimals)
    value = Fraction(_integer(match["int"] or "0")) + Fraction(int(decimals or "0"), scale)
    if repeat:
        value += Fraction(int(repeat), scale * (10 ** len(repeat) - 1))
    return -value if match["dsign"] == "-" else value
