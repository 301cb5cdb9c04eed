"""Whether two expressions are the same: by exact values, by digits, and at several points where they have variables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from recipe_tapo.grading.values.exact import exact_value
from recipe_tapo.grading.values.expression import parse
from recipe_tapo.grading.values.nodes import Expression, Node
from recipe_tapo.grading.values.tokens import NoValue

if TYPE_CHECKING:
    from recipe_tapo.grading.values.digits import Digits

_START_BITS = 160
_LEAST_BITS = 120
_MAX_BITS = 80_000
# A function of so many digits takes seconds; these are left to the process that can be stopped.
_MAX_FUNCTION_BITS = 20_000
# What rounding may eat of the digits.
_SLACK_BITS = 40
_POSITIVE_POINTS = (
    (Fraction(13, 7), Fraction(5, 11)),
    (Fraction(3, 17), Fraction(23, 9)),
    (Fraction(47, 13), Fraction(4, 19)),
)
_NEGATIVE_POINTS = ((Fraction(-29, 11), Fraction(8, 5)), (Fraction(-6, 23), Fraction(-31, 12)))
_LOG_BASES = (10, None)


@lru_cache(maxsize=8192)
def same_expression(gold: str, answer: str) -> bool | None:
    """Compares two cleaned answers as expressions.

    Closed ones are equal if their rational values are, or else if all of some hundred binary digits agree beyond the
    smallest and the largest number in them. With variables they are equal if they are at a handful of points, negative
    ones among them. ``\\log`` without a base may mean 10 or e.

    Returns:
        The verdict; None where one has no value, or where they agree at positive points only.
    """
    left, right = parse(gold), parse(answer)
    if left is None or right is None:
        return None
    variables = sorted({*left.variables, *right.variables})
    if not variables:
        return _same_at(left, right, {})
    verdicts = [_same_at(left, right, dict(_point(variables, point))) for point in _POSITIVE_POINTS]
    if False in verdicts:
        return False
    if None in verdicts:
        return None
    negative = [_same_at(left, right, dict(_point(variables, point))) for point in _NEGATIVE_POINTS]
    return True if all(negative) else None


def closed(text: str) -> bool:
    """Whether a cleaned answer is an expression without variables."""
    expression = parse(text)
    return expression is not None and not expression.variables


@lru_cache(maxsize=8192)
def approximate(text: str) -> complex | None:
    """Returns the value of a closed expression as a floating-point number, None for everything else."""
    expression = parse(text)
    return None if expression is None or expression.variables else _approximate(expression, {})


def real_value(text: str) -> Fraction | None:
    """Returns the value of a closed expression to floating-point digits; None where it is not real or not finite."""
    value = approximate(text)
    if value is None or value.imag or not math.isfinite(value.real):
        return None
    return Fraction(value.real)


def near(left: str, right: str, share: float) -> bool:
    """Whether two closed expressions differ by no more than a share of the larger."""
    first, second = approximate(left), approximate(right)
    return first is not None and second is not None and abs(first - second) <= share * max(abs(first), abs(second))


def exact_numbers(left: str, right: str) -> tuple[Fraction, Fraction] | None:
    """Returns the rational values of two closed expressions without decimals; None for everything else."""
    if "." in left + right:
        return None
    first, second = (parsed and exact_value(parsed.root) for parsed in map(parse, (left, right)))
    return None if first is None or second is None else (first, second)


def _point(variables: list[str], point: tuple[Fraction, Fraction]) -> Mapping[str, Fraction]:
    return {name: point[0] + point[1] * (number + number * number) for number, name in enumerate(variables)}


def _same_at(left: Expression, right: Expression, values: Mapping[str, Fraction]) -> bool | None:
    exact = exact_value(left.root, values), exact_value(right.root, values)
    if exact[0] is not None and exact[1] is not None:
        return exact[0] == exact[1]
    bases = _LOG_BASES if any(_has_bare_log(side.root) for side in (left, right)) else (None,)
    verdicts = {_same_digits(left, right, values, base) for base in bases}
    return True if True in verdicts else None if None in verdicts else False


def _same_digits(left: Expression, right: Expression, values: Mapping[str, Fraction], base: int | None) -> bool | None:
    # mpmath takes a third of a second to import, and most answers never need it.
    from recipe_tapo.grading.values.digits import distance, evaluate

    try:
        gold, answer = (evaluate(side.root, _START_BITS, values, base) for side in (left, right))
        if not gold.cancelled and not answer.cancelled and _far_apart(gold, answer):
            return False
        # sin x differs from x by its third power, and products of such functions by more.
        share = 4 if _has_function(left.root) or _has_function(right.root) else 2
        wanted = _LEAST_BITS + share * (max(gold.largest, answer.largest) - min(gold.smallest, answer.smallest))
        precision = min(max(wanted, _START_BITS), _MAX_BITS)
        if precision > _MAX_FUNCTION_BITS and (_has_function(left.root) or _has_function(right.root)):
            return None
        if precision > _START_BITS:
            gold, answer = (evaluate(side.root, precision, values, base) for side in (left, right))
    except NoValue:
        return None
    apart = distance(gold.value, answer.value)
    if apart is None:
        return None
    if apart > max(gold.largest, answer.largest) - precision + _SLACK_BITS:
        return False
    return True if wanted <= _MAX_BITS else None


def _far_apart(gold: Digits, answer: Digits) -> bool:
    from recipe_tapo.grading.values.digits import distance

    apart = distance(gold.value, answer.value)
    return apart is not None and apart > max(gold.largest, answer.largest) - _START_BITS // 2


def _has_bare_log(node: Node) -> bool:
    bare = node.kind == "function" and node.name == "log" and len(node.parts) == 1
    return bare or any(_has_bare_log(part) for part in node.parts)


def _has_function(node: Node) -> bool:
    return node.kind == "function" or any(_has_function(part) for part in node.parts)


def _approximate(expression: Expression, values: Mapping[str, Fraction]) -> complex | None:
    from recipe_tapo.grading.values.digits import evaluate

    try:
        return complex(evaluate(expression.root, 60, values).value)
    except (NoValue, OverflowError):
        return None
