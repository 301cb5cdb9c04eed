"""Exact rational values, as long as the numbers stay of a size that costs nothing."""

import math
from collections.abc import Mapping
from fractions import Fraction

from recipe_tapo.grading.values.nodes import Node
from recipe_tapo.grading.values.tokens import NoValue

# 10,000! has some 120,000 bits; their greatest common divisors take milliseconds.
_MAX_BITS = 2**17
_MAX_FACTORIAL = 10_000
_NOTHING: Mapping[str, Fraction] = {}


def exact_value(node: Node, values: Mapping[str, Fraction] = _NOTHING) -> Fraction | None:
    """Returns the rational value of an expression, None where it has none or its digits are too many.

    Args:
        node: The expression.
        values: Of its variables.
    """
    try:
        return _value(node, values)
    except (NoValue, ArithmeticError, ValueError):
        return None


def _value(node: Node, values: Mapping[str, Fraction]) -> Fraction:
    if node.kind == "number":
        return node.value
    if node.kind == "variable" and node.name in values:
        return values[node.name]
    operation = _OPERATIONS.get(node.kind)
    if operation is None:
        raise NoValue
    result = operation(*(_value(part, values) for part in node.parts))
    if max(result.numerator.bit_length(), result.denominator.bit_length()) > _MAX_BITS:
        raise NoValue
    return result


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        return _power(_root(base, Fraction(exponent.denominator)), Fraction(exponent.numerator))
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent.numerator) * (bits - 1) > _MAX_BITS or abs(exponent.numerator) > 2**64:
        raise NoValue
    if base in (1, -1):
        return base if exponent.numerator % 2 else Fraction(1)
    return base**exponent.numerator


def _root(radicand: Fraction, degree: Fraction) -> Fraction:
    if degree.denominator != 1 or not 2 <= degree <= 64:
        raise NoValue
    index = int(degree)
    if radicand < 0:
        # The real root, which contests mean, and not the principal one.
        if index % 2 == 0:
            raise NoValue
        return -_root(-radicand, degree)
    return Fraction(_integer_root(radicand.numerator, index), _integer_root(radicand.denominator, index))


def _integer_root(number: int, index: int) -> int:
    root = math.isqrt(number) if index == 2 else _newton(number, index)
    if root**index != number:
        raise NoValue
    return root


def _newton(number: int, index: int) -> int:
    if number < 2:
        return number
    root = 1 << -(-number.bit_length() // index)
    while True:
        better = ((index - 1) * root + number // root ** (index - 1)) // index
        if better >= root:
            return root
        root = better


def _factorial(number: Fraction) -> Fraction:
    if number.denominator != 1 or not 0 <= number <= _MAX_FACTORIAL:
        raise NoValue
    return Fraction(math.factorial(int(number)))


def _binomial(above: Fraction, below: Fraction) -> Fraction:
    if above.denominator != 1 or below.denominator != 1 or not 0 <= below <= above <= _MAX_FACTORIAL:
        raise NoValue
    return Fraction(math.comb(int(above), int(below)))


_OPERATIONS = {
    "add": lambda left, right: left + right,
    "subtract": lambda left, right: left - right,
    "multiply": lambda left, right: left * right,
    "divide": lambda left, right: left / right,
    "negate": lambda value: -value,
    "power": _power,
    "root": _root,
    "factorial": _factorial,
    "binomial": _binomial,
    "absolute": abs,
    "floor": lambda value: Fraction(math.floor(value)),
    "ceiling": lambda value: Fraction(math.ceil(value)),
}
