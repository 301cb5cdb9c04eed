r"""Floating-point values of closed expressions (``\frac{9\sqrt{23}}{23}``, ``1-\frac{2}{\pi}``), to tell numbers apart.

Most wrong expressions have another value, and absurd ones (``9^{9^{9^9}}``) an infinite one: no algebra is needed to
see it. Whatever could be read in two ways, or has a variable, has no value here.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(r"\s*(\d+\.?\d*|\.\d+|\\[a-zA-Z]+|[-+*/^!(){}\[\]])")
_MAX_DEPTH = 40
# Up to this size of every intermediate result, rounding cannot blur two expressions that a contest would tell apart.
_SMALL = 1e4
_SAME = 1e-13
_DIFFERENT = 1e-5
_HUGE = 1e300


class _NoValue(Exception):
    """The text is no closed expression with one reading."""


@dataclass(frozen=True)
class Numeric:
    """A value (infinite beyond floats) and the largest magnitude on the way to it, which bounds its error."""

    value: float
    largest: float


@lru_cache(maxsize=8192)
def evaluate(cleaned: str) -> Numeric | None:
    """Evaluates a cleaned answer; None for everything but a closed expression with one reading (never raises)."""
    try:
        parser = _Parser(_tokens(cleaned))
        value = parser.sum()
        if parser.rest() or math.isnan(value):
            return None
        return Numeric(value, parser.largest)
    except (_NoValue, ArithmeticError, ValueError):
        return None


def same_value(gold: Numeric, answer: Numeric) -> bool | None:
    """Compares two values: False if clearly apart, True if equal in all digits of small expressions, else None."""
    largest = max(gold.largest, answer.largest)
    distance = abs(gold.value - answer.value)
    if math.isinf(gold.value) != math.isinf(answer.value):
        return False if min(abs(gold.value), abs(answer.value)) < _HUGE else None
    size = max(abs(gold.value), abs(answer.value), 1.0)
    if math.isfinite(largest) and distance > max(_DIFFERENT * size, 1e-9 * largest):
        return False
    return True if largest <= _SMALL and gold.value != 0 and distance <= _SAME * abs(gold.value) else None


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _NoValue
        tokens.append(match.group(1))
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent; every step goes through ``_keep``, which guards against results of no worth."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self.largest = 0.0

    def rest(self) -> bool:
        return self._at < len(self._tokens)

    def sum(self) -> float:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _NoValue
        value = self._product()
        while self._next() in ("+", "-"):
            sign = 1 if self._take() == "+" else -1
            value = self._keep(value + sign * self._product())
        self._depth -= 1
        return value

    def _product(self) -> float:
        value, divided = self._signed(), False
        while True:
            token = self._next()
            if token in ("*", "\\cdot", "\\times"):
                self._take()
                value = self._multiply(value, self._signed())
            elif token == "/":
                self._take()
                value, divided = self._divide(value, self._signed()), True
            elif token in ("(", "\\sqrt", "\\pi", "\\frac"):
                # "1/2\pi" and "2\frac{1}{2}" have two readings.
                if divided or (token == "\\frac" and self._tokens[self._at - 1][-1].isdigit()):
                    raise _NoValue
                value = self._multiply(value, self._power())
            else:
                return value

    def _signed(self) -> float:
        if self._next() in ("+", "-"):
            return self._power() if self._take() == "+" else -self._power()
        return self._power()

    def _power(self) -> float:
        value = self._atom()
        if self._next() == "!":
            self._take()
            if value < 0 or (math.isfinite(value) and value != value // 1) or self._next() == "!":
                raise _NoValue
            value = self._keep(float(math.factorial(int(value))) if value <= 170 else math.inf)
        if self._next() != "^":
            return value
        self._take()
        exponent = self._exponent()
        if self._next() in ("^", "!"):
            raise _NoValue
        if math.isinf(value) or (math.isinf(exponent) and value <= 1):
            raise _NoValue
        try:
            power = value**exponent
        except OverflowError:
            power = math.inf if value > 0 else math.nan
        return self._keep(power)

    def _exponent(self) -> float:
        if self._next() == "{":
            return self._group("{", "}")
        token = self._take()
        # "2^25" is 2^{2}5 for LaTeX and 2^{25} for the one who wrote it.
        if len(token) != 1 or not token.isdigit():
            raise _NoValue
        return float(token)

    def _atom(self) -> float:
        opening = self._next()
        if opening in ("(", "{"):
            return self._group(opening, ")" if opening == "(" else "}")
        token = self._take()
        if token == "\\pi":
            return self._keep(math.pi)
        if token == "\\frac":
            return self._divide(self._group("{", "}"), self._group("{", "}"))
        if token == "\\sqrt":
            return self._root()
        if token[0].isdigit() or token[0] == ".":
            return self._keep(float(token))
        raise _NoValue

    def _root(self) -> float:
        degree = self._group("[", "]") if self._next() == "[" else 2.0
        token = self._next() or ""
        radicand = float(self._take()) if token.isdigit() and len(token) == 1 else self._group("{", "}")
        if degree != degree // 1 or degree < 2 or radicand < 0 or math.isinf(radicand):
            raise _NoValue
        return self._keep(radicand ** (1 / degree) if degree > 2 else math.sqrt(radicand))

    def _group(self, opening: str, closing: str) -> float:
        if self._take() != opening:
            raise _NoValue
        value = self.sum()
        if self._take() != closing:
            raise _NoValue
        return value

    def _multiply(self, left: float, right: float) -> float:
        # What is too large for a float may still have an ordinary product, or quotient: 180!/170!.
        if math.isinf(left * right) and min(abs(left), abs(right)) < 1:
            raise _NoValue
        return self._keep(left * right)

    def _divide(self, numerator: float, denominator: float) -> float:
        if math.isinf(numerator) or math.isinf(denominator):
            raise _NoValue
        return self._keep(numerator / denominator)

    def _keep(self, value: float) -> float:
        if isinstance(value, complex) or math.isnan(value):
            raise _NoValue
        self.largest = max(self.largest, abs(value))
        return value

    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self) -> str:
        token = self._next()
        if token is None:
            raise _NoValue
        self._at += 1
        return token
