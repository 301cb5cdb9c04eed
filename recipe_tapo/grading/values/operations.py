"""Operations on mpmath's numbers that refuse what has no value and what would take too long."""

from collections.abc import Callable
from typing import Any

from recipe_tapo.grading.values.tokens import NoValue

# Beyond 2^(2^17) a number is as good as infinite: no answer is that large, and nothing here may take long.
HUGE_EXPONENT = 2**17
_MAX_FACTORIAL = 100_000
_MAX_ANGLE_BITS = 64
# mpmath's contexts, numbers and functions carry no types.
Context = Any
Value = Any


def finite(context: Context, *values: Value) -> None:
    """Raises NoValue unless all values are finite."""
    if any(context.isinf(value) for value in values):
        raise NoValue


def function(context: Context, name: str, parts: list[Value], log_base: int | None) -> Value:
    """Applies a function to its argument; a logarithm may have its base as a second one."""
    finite(context, *parts)
    argument = parts[0]
    if name == "exp":
        return _power(context, +context.e, argument)
    if name in ("ln", "log", "lg"):
        if not argument:
            raise NoValue
        base = parts[1] if len(parts) > 1 else {"lg": 10, "log": log_base}.get(name)
        return context.log(argument) if base is None else context.log(argument) / context.log(base)
    if context.mag(argument) > _MAX_ANGLE_BITS:
        raise NoValue
    if name == "cis":
        return context.expj(argument)
    return getattr(context, {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}.get(name, name))(argument)


def _multiply(context: Context, left: Value, right: Value) -> Value:
    # What is too large may still have an ordinary product.
    if (context.isinf(left) or context.isinf(right)) and min(abs(left), abs(right)) < 1:
        raise NoValue
    return left * right


def _divide(context: Context, numerator: Value, denominator: Value) -> Value:
    finite(context, numerator, denominator)
    return numerator / denominator


def _power(context: Context, base: Value, exponent: Value) -> Value:
    if context.isinf(base) or context.isinf(exponent):
        if context.im(base) or context.isinf(base) or base <= 1 or exponent < 0:
            raise NoValue
        return context.inf
    if not base:
        if context.re(exponent) <= 0:
            raise NoValue
        return base
    if abs(exponent) * abs(context.log(abs(base), 2)) > HUGE_EXPONENT:
        if context.im(base) or context.im(exponent) or base < 0 or (base > 1) != (exponent > 0):
            raise NoValue
        return context.inf
    return base**exponent


def _root(context: Context, radicand: Value, degree: Value) -> Value:
    finite(context, radicand)
    if context.im(degree) or degree != int(degree) or not 2 <= degree <= 1000:
        raise NoValue
    index = int(degree)
    if index == 2:
        return context.sqrt(radicand)
    # The real root of a negative number, which contests mean, and not the principal one.
    if not context.im(radicand) and context.re(radicand) < 0 and index % 2:
        return -context.root(-context.re(radicand), index)
    return context.root(radicand, index)


def _factorial(context: Context, number: Value) -> Value:
    if context.isinf(number):
        return number
    _whole(context, number)
    return context.factorial(number) if number <= _MAX_FACTORIAL else context.inf


def _binomial(context: Context, above: Value, below: Value) -> Value:
    finite(context, above, below)
    _whole(context, above)
    _whole(context, below)
    if max(above, below) > _MAX_FACTORIAL:
        raise NoValue
    return context.binomial(above, below)


def _whole(context: Context, number: Value) -> None:
    if context.im(number) or number < 0 or number != int(number):
        raise NoValue


def _rounded(context: Context, value: Value, rounding: Callable[[Value], Value]) -> Value:
    finite(context, value)
    nearest = context.nint(value)
    # So near to a whole number that digits cannot tell on which side.
    if value != nearest and abs(value - nearest) < context.ldexp(1, -context.prec // 2):
        raise NoValue
    return rounding(value)


OPERATIONS: dict[str, Callable[..., Value]] = {
    "add": lambda context, left, right: left + right,
    "subtract": lambda context, left, right: left - right,
    "negate": lambda context, value: -value,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "root": _root,
    "factorial": _factorial,
    "binomial": _binomial,
    "absolute": lambda context, value: abs(value),
    "floor": lambda context, value: _rounded(context, value, context.floor),
    "ceiling": lambda context, value: _rounded(context, value, context.ceil),
    "degrees": lambda context, value: value * context.pi / 180,
}
