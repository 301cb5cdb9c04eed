"""Complex values to as many binary digits as asked, with what is known of their size on the way."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import mpmath
from mpmath import libmp

from recipe_tapo.grading.values.exact import exact_value
from recipe_tapo.grading.values.nodes import Node
from recipe_tapo.grading.values.operations import HUGE_EXPONENT, OPERATIONS, Context, Value, function
from recipe_tapo.grading.values.tokens import NoValue

# mpmath's tables of constants are no more thread-safe than its precision.
_LOCK = threading.RLock()
_CANCELLED_BITS = 60
_CONTEXT: Context = mpmath.MPContext()


@dataclass(frozen=True)
class Digits:
    """A value and what bounds its error.

    Attributes:
        value: A real or complex number of mpmath.
        largest: The largest binary exponent on the way to it.
        smallest: The smallest.
        cancelled: Whether a difference is so small that little of its digits is left.
    """

    value: Value
    largest: int
    smallest: int
    cancelled: bool


def evaluate(node: Node, precision: int, values: Mapping[str, Fraction], log_base: int | None = None) -> Digits:
    r"""Evaluates an expression; the value is infinite where it is too large to be an answer.

    Args:
        node: The expression.
        precision: In bits.
        values: Of its variables.
        log_base: What ``\log`` without a base means, 10 or None for e.

    Raises:
        NoValue: It is not defined, has a variable without value, or is too large inside a function.
    """
    with _LOCK:
        _CONTEXT.prec = precision
        try:
            return _Evaluation(values, log_base).digits(node)
        except (ArithmeticError, ValueError, TypeError, libmp.NoConvergence) as error:
            raise NoValue from error


def distance(left: Value, right: Value) -> float | None:
    """Returns the binary exponent of the difference of two values, infinite if one is; None if both are infinite."""
    with _LOCK:
        infinite = _CONTEXT.isinf(left), _CONTEXT.isinf(right)
        if any(infinite):
            return None if all(infinite) else float("inf")
        return float(_CONTEXT.mag(left - right))


class _Evaluation:
    def __init__(self, values: Mapping[str, Fraction], log_base: int | None) -> None:
        self._values = values
        self._log_base = log_base
        self._largest = 0
        self._smallest = 0
        self._cancelled = False

    def digits(self, node: Node) -> Digits:
        value = self._value(node)
        return Digits(value, self._largest, self._smallest, self._cancelled)

    def _value(self, node: Node) -> Value:
        if node.kind == "number":
            return self._keep(_fraction(node.value))
        if node.kind == "constant":
            return self._keep(_CONTEXT.j if node.name == "i" else +getattr(_CONTEXT, node.name))
        if node.kind == "variable":
            if node.name not in self._values:
                raise NoValue
            return self._keep(_fraction(self._values[node.name]))
        parts = [self._value(part) for part in node.parts]
        if node.kind == "function":
            if node.name == "tanh":
                # It differs from 1 by e to the minus twice its argument.
                self._keep(function(_CONTEXT, "exp", [-2 * abs(parts[0])], None))
            return self._keep(function(_CONTEXT, node.name, parts, self._log_base))
        if node.kind == "power" and (index := _odd_root(node, parts[0])):
            # (-2)^{1/3} is the real root, as \sqrt[3]{-2} is.
            root = OPERATIONS["root"](_CONTEXT, parts[0], _CONTEXT.mpf(index.denominator))
            return self._keep(OPERATIONS["power"](_CONTEXT, root, _CONTEXT.mpf(index.numerator)))
        value = self._keep(OPERATIONS[node.kind](_CONTEXT, *parts))
        if node.kind in ("add", "subtract"):
            self._cancelled |= _CONTEXT.mag(value) < max(map(_CONTEXT.mag, parts)) - _CANCELLED_BITS
        return value

    def _keep(self, value: Value) -> Value:
        if _CONTEXT.isnan(value):
            raise NoValue
        if _CONTEXT.isinf(value) or not value:
            return value
        exponent = int(_CONTEXT.mag(value))
        if exponent > HUGE_EXPONENT:
            if _CONTEXT.im(value) or value < 0:
                raise NoValue
            return _CONTEXT.inf
        self._largest = max(self._largest, exponent)
        self._smallest = min(self._smallest, exponent)
        return value


def _odd_root(node: Node, base: Value) -> Fraction | None:
    """Returns the exponent of a negative number if it is a fraction with an odd denominator."""
    if _CONTEXT.im(base) or _CONTEXT.re(base) >= 0:
        return None
    exponent = exact_value(node.parts[1])
    return exponent if exponent is not None and exponent.denominator % 2 and exponent.denominator > 1 else None


def _fraction(value: Fraction) -> Value:
    return _CONTEXT.mpf(value.numerator) / value.denominator
