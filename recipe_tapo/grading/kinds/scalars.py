r"""Single values: numbers with units, per cent and degrees, and expressions."""

import re
from fractions import Fraction

from recipe_tapo.grading.normalise import unwrap
from recipe_tapo.grading.outcome import Open, Outcome
from recipe_tapo.grading.spelling.units import conversion, read_unit, split_unit, unit_letters
from recipe_tapo.grading.values.identity import real_value, same_expression
from recipe_tapo.grading.values.plain import (
    Plain,
    is_rounded_from,
    may_be_rounded,
    parse_plain,
    same_number,
    within_tolerance,
)

_NUMBERS = re.compile(r"-?[\d.]+(?: -?[\d.]+)+")
_THOUSANDS = re.compile(r"-?\d{1,3}(?: \d{3})+(?:\.\d+)?")
_COMMANDS = re.compile(r"\\text\{[^{}]*\}|\\[a-zA-Z]+")
_RADIAN = read_unit("radians")
DEGREE = r"^\circ"
_DEGREES = re.compile(r"\^\\circ(?![a-zA-Z])")


def same_value(gold: str, answer: str) -> Outcome:
    """Compares two single values by what they are worth, open where algebra is needed.

    A unit counts only where both state one that is known, and is converted; a per cent sign may be read as a unit or as
    a hundredth where only one side has it, and degrees against radians are converted.
    """
    if ("\\ldots" in gold) != ("\\ldots" in answer):
        return False
    gold, answer = unwrap(gold), unwrap(answer)
    if _NUMBERS.fullmatch(answer) and not _THOUSANDS.fullmatch(answer) and parse_plain(gold):
        # "5 5" is no number.
        return False
    if "^\\circ" in gold + answer and (outcome := _same_in_radians(gold, answer)) is not None:
        return outcome
    gold, answer = _with_unit(gold, answer), _with_unit(answer, gold)
    ours, theirs = split_unit(gold), split_unit(answer)
    factor = conversion(ours.unit, theirs.unit)
    if factor is None:
        return False
    gold, answer = ours.value, theirs.value
    if factor != 1:
        answer = (
            f"({answer})\\cdot({factor.numerator})/({factor.denominator})"
            if parse_plain(answer) is None
            else _times(answer, factor)
        )
    return _same_number_or_expression(gold, answer)


def in_radians(degrees: str) -> str:
    """Returns an angle that ends in a degree sign as an expression without it."""
    return f"({degrees.removesuffix(DEGREE)})\\cdot\\frac{{\\pi}}{{180}}"


def _with_unit(text: str, other: str) -> str:
    """Sets a bare symbol of a unit as text ("1000 m"), unless the other side has the letter as a variable."""
    letters = unit_letters(text)
    if not letters or (not unit_letters(other) and letters[0] in _COMMANDS.sub("", split_unit(other).value)):
        return text
    return f"{text.removesuffix(letters).rstrip()}\\text{{{letters}}}"


def _same_in_radians(gold: str, answer: str) -> Outcome | None:
    """Compares an angle in degrees with one that says it is in radians; None for everything else."""
    ours, theirs = split_unit(gold), split_unit(answer)
    for degrees, radians in ((gold, theirs), (answer, ours)):
        if degrees.endswith(DEGREE) and radians.unit == _RADIAN:
            verdict = same_expression(in_radians(degrees), radians.value)
            return Open.ALGEBRA if verdict is None else verdict
    return None


def _same_number_or_expression(gold: str, answer: str) -> Outcome:
    gold_number, answer_number = parse_plain(gold), parse_plain(answer)
    if gold_number and answer_number:
        return same_number(gold_number, answer_number)
    percent = gold.endswith("%"), answer.endswith("%")
    gold, answer = (text.rstrip("% ") for text in (gold, answer))
    readings = [(gold, answer)]
    if percent[0] != percent[1]:
        readings.append((f"({gold})/100", answer) if percent[0] else (gold, f"({answer})/100"))
    outcomes = [_same(*reading, gold_number, answer_number) for reading in readings]
    degrees = bool(_DEGREES.search(gold)), bool(_DEGREES.search(answer))
    if any(degrees) and True not in outcomes:
        outcomes.append(_same_angle(gold, answer, degrees))
    return True if True in outcomes else Open.ALGEBRA if Open.ALGEBRA in outcomes else False


def _same(gold: str, answer: str, gold_number: Plain | None, answer_number: Plain | None) -> Outcome:
    if gold == answer:
        return True
    verdict = same_expression(gold, answer)
    if verdict is not False:
        return Open.ALGEBRA if verdict is None else True
    if gold_number and not gold_number.exact:
        value = real_value(answer)
        return value is not None and within_tolerance(gold_number.value, value)
    if answer_number and may_be_rounded(answer_number):
        value = real_value(gold)
        return value is not None and is_rounded_from(answer_number.value, answer_number.places, value)
    return False


def _same_angle(gold: str, answer: str, degrees: tuple[bool, bool]) -> Outcome:
    """Compares with degree signs: dropped, or turned into radians where only one side has them and the other has pi."""
    plain = _DEGREES.sub("", gold), _DEGREES.sub("", answer)
    outcomes = [same_expression(*plain)]
    if degrees[0] != degrees[1] and "\\pi" in gold + answer:
        outcomes.append(same_expression(*(_DEGREES.sub(r"\\cdot\\frac{\\pi}{180}", text) for text in (gold, answer))))
    return True if True in outcomes else Open.ALGEBRA if None in outcomes else False


def _times(number: str, factor: Fraction) -> str:
    plain = parse_plain(number)
    assert plain is not None  # the caller has read it
    value = plain.value * factor
    return (
        f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
        if value >= 0
        else f"-\\frac{{{-value.numerator}}}{{{value.denominator}}}"
    )
