r"""The smallest parts of an expression: numbers, names, groups, fractions, roots and functions with their arguments."""

import re
from fractions import Fraction

from recipe_tapo.grading.values.nodes import Node, number
from recipe_tapo.grading.values.tokens import FUNCTIONS, GREEK, Cursor, NoValue

_MAX_DIGITS = 1000
_MAX_DEPTH = 40
_TRIGONOMETRIC = {"\\sin", "\\cos", "\\tan", "\\cot", "\\sec", "\\csc", "\\cis"}
CONSTANTS = {"\\pi": "pi", "e": "e", "i": "i"}
# A function that the problem defines, more often than a factor.
_NAMED_FUNCTIONS = frozenset("fghFGPQ")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_ROUNDINGS = {"\\lfloor": ("\\rfloor", "floor"), "\\lceil": ("\\rceil", "ceiling")}
_FACTORS = {"\\sqrt", "\\frac", "\\binom", *_ROUNDINGS, *CONSTANTS, *FUNCTIONS, *GREEK}
_INVERSE = Node("negate", (number(1),))


class Atoms:
    """Reads atoms at a cursor; what is around them is left to a subclass."""

    def __init__(self, tokens: list[str]) -> None:
        self.cursor = Cursor(tokens)
        self.variables: set[str] = set()
        self.in_angle = False
        self._bars = 0
        self._depth = 0

    def sum(self) -> Node:
        """Reads a sum; for a subclass."""
        raise NotImplementedError

    def power(self) -> Node:
        """Reads a factor with its exponent; for a subclass."""
        raise NotImplementedError

    def starts_factor(self, token: str) -> bool:
        """Whether a token begins another factor right after the last one."""
        if token == "|":
            return self._bars == 0
        if token in ("(", "{"):
            if self.cursor.last() in _NAMED_FUNCTIONS:
                raise NoValue
            return True
        if token[0].isdigit():
            return self.cursor.last() == "!"  # 2!3!, but not 5 5
        return token in _FACTORS or token[0].isalpha()

    def atom(self) -> Node:
        """Reads an atom."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise NoValue
        node = self._atom()
        self._depth -= 1
        return node

    def _atom(self) -> Node:
        token = self.cursor.next()
        if token in _CLOSING:
            return self._group()
        token = self.cursor.take()
        if token[0].isdigit() or token[0] == ".":
            return _number(token)
        if token == "\\frac":
            return Node("divide", (self._argument(), self._argument()))
        if token == "\\binom":
            return Node("binomial", (self._argument(), self._argument()))
        if token == "\\sqrt":
            degree = self._group() if self.cursor.next() == "[" else number(2)
            return Node("root", (self._argument(), degree))
        if token == "|":
            return self._absolute()
        if token in _ROUNDINGS:
            closing, kind = _ROUNDINGS[token]
            node = self.sum()
            self.cursor.expect(closing)
            return Node(kind, (node,))
        return self._function(token) if token in FUNCTIONS else self._name(token)

    def script(self) -> Node:
        """Reads an exponent or a subscript; "2^25" is 2^{2}5 for LaTeX and 2^{25} for the one who wrote it."""
        if self.cursor.next() in ("{", "("):
            return self._group()
        token = self.cursor.take()
        if len(token.lstrip("\\")) != 1 and token != "\\pi":
            raise NoValue
        return _number(token) if token.isdigit() else self._name(token)

    def _absolute(self) -> Node:
        if self._bars:
            raise NoValue
        self._bars += 1
        node = self.sum()
        self.cursor.expect("|")
        self._bars -= 1
        return Node("absolute", (node,))

    def _function(self, name: str) -> Node:
        base: tuple[Node, ...] = ()
        exponent = None
        if name == "\\log" and self.cursor.next() == "_":
            self.cursor.take()
            base = (self.script(),)
        if self.cursor.next() == "^":
            self.cursor.take()
            exponent = self.script()
        outside, self.in_angle = self.in_angle, name in _TRIGONOMETRIC
        bracketed = self.cursor.next() in ("(", "{", "[")
        argument = self._group() if bracketed else self._bare_argument()
        self.in_angle = outside
        if bracketed and self.cursor.next() in ("^", "!"):
            raise NoValue
        if exponent == _INVERSE and name in ("\\sin", "\\cos", "\\tan"):
            return Node("function", (argument,), name=f"arc{name[1:]}")
        node = Node("function", (argument, *base), name=name[1:])
        if exponent is None:
            return node
        if exponent.kind == "negate":
            raise NoValue
        return Node("power", (node, exponent))

    def _bare_argument(self) -> Node:
        r"""Reads the argument of ``\sin 2x``: factors side by side; a fraction bar after them could belong to it."""
        node = self.power()
        while (token := self.cursor.next()) is not None and token not in FUNCTIONS and self.starts_factor(token):
            node = Node("multiply", (node, self.power()))
        if self.cursor.next() == "/":
            raise NoValue
        return node

    def _argument(self) -> Node:
        token = self.cursor.next() or ""
        if token == "{":
            return self._group()
        if token.isdigit() and len(token) == 1:
            return _number(self.cursor.take())
        raise NoValue

    def _group(self) -> Node:
        opening = self.cursor.take()
        if opening not in _CLOSING:
            raise NoValue
        bars, self._bars = self._bars, 0
        node = self.sum()
        self.cursor.expect(_CLOSING[opening])
        self._bars = bars
        return node

    def _name(self, token: str) -> Node:
        if token in CONSTANTS:
            return Node("constant", name=CONSTANTS[token])
        if not (token in GREEK or token[0].isalpha()):
            raise NoValue
        name = token
        if self.cursor.next() == "_":
            self.cursor.take()
            subscript = self.cursor.take()
            if len(subscript) != 1 or not subscript.isalnum():
                raise NoValue
            name = f"{token}_{subscript}"
        self.variables.add(name)
        return Node("variable", name=name)


def _number(token: str) -> Node:
    if len(token) > _MAX_DIGITS:
        raise NoValue
    plain, _, repeat = token.partition("\\overline")
    whole, _, decimals = plain.partition(".")
    value = Fraction(int(whole or "0")) + (Fraction(int(decimals), 10 ** len(decimals)) if decimals else 0)
    digits = re.sub(r"\D", "", repeat)
    if digits:
        value += Fraction(int(digits), 10 ** len(decimals) * (10 ** len(digits) - 1))
    return number(value)
