r"""Plain numbers: integers, decimals, fractions, mixed numbers, per cent and degrees, as exact ``Fraction``s."""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from recipe_tapo.grading.normalise import strip_units, unwrap

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
_PLACES = 6


@dataclass(frozen=True)
class Plain:
    """A plain number.

    Attributes:
        value: The number as written; ``12\\%`` has the value 12.
        exact: False when written with a decimal point, so that it may be a rounded value.
        percent: Whether a per cent sign follows.
        grouped: Whether a comma separates thousands, so that "100,200" may also be a list.
    """

    value: Fraction
    exact: bool
    percent: bool
    grouped: bool


@lru_cache(maxsize=8192)
def parse_plain(cleaned: str) -> Plain | None:
    """Reads a cleaned answer as a plain number; None when it is anything else (never raises)."""
    if len(cleaned) > MAX_CHARS:
        return None
    text = strip_units(unwrap(cleaned))
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
    exact = match["decimals"] is None or match["repeat"] is not None
    return Plain(value, exact=exact, percent=percent, grouped="," in text)


def same_number(gold: Plain, answer: Plain) -> bool:
    """Compares two plain numbers.

    Exact numbers must be equal. A decimal matches what agrees with it in six places (math-verify's rule), unless
    that rounds to zero. If only one has a per cent sign, it may be read as a unit or as a hundredth.
    """
    if _close(gold, answer, gold.value, answer.value):
        return True
    if gold.percent == answer.percent:
        return False
    scale = Fraction(1, 100)
    return _close(
        gold, answer, gold.value * (scale if gold.percent else 1), answer.value * (scale if answer.percent else 1)
    )


def _close(gold: Plain, answer: Plain, gold_value: Fraction, answer_value: Fraction) -> bool:
    if gold_value == answer_value or (gold.exact and answer.exact):
        return gold_value == answer_value
    rounded = round(gold_value, _PLACES)
    return rounded != 0 and rounded == round(answer_value, _PLACES)


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
