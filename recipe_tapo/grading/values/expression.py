r"""Cleaned answers read as expressions, where one reading exists: ``\frac{9\sqrt{23}}{23}``, ``e^{2\pi i/3}``."""

from functools import lru_cache

from recipe_tapo.grading.values.atoms import Atoms
from recipe_tapo.grading.values.nodes import Expression, Node
from recipe_tapo.grading.values.tokens import NoValue, tokenize

# A sum of more terms is a deeper tree than Python can walk.
_MAX_TOKENS = 300


@lru_cache(maxsize=8192)
def parse(cleaned: str) -> Expression | None:
    """Reads a cleaned answer as an expression; None for all else, and for what has two readings (never raises)."""
    try:
        tokens = tokenize(cleaned)
        if len(tokens) > _MAX_TOKENS:
            return None
        parser = _Parser(tokens)
        root = parser.sum()
        if parser.cursor.next() is not None:
            return None
        return Expression(root, tuple(sorted(parser.variables)))
    except (NoValue, ValueError, ArithmeticError):
        return None


class _Parser(Atoms):
    """Recursive descent; raises NoValue where a reader could hesitate."""

    def sum(self) -> Node:
        node = self._product()
        while self.cursor.next() in ("+", "-"):
            kind = "add" if self.cursor.take() == "+" else "subtract"
            node = Node(kind, (node, self._product()))
        return node

    def power(self) -> Node:
        base = self._postfix(self.atom())
        if self.cursor.next() != "^":
            return base
        self.cursor.take()
        if self.cursor.next() == "\\circ":
            self.cursor.take()
            if not self.in_angle:
                raise NoValue
            return Node("degrees", (base,))
        node = Node("power", (base, self.script()))
        if self.cursor.next() in ("^", "!"):
            raise NoValue
        return node

    def _product(self) -> Node:
        node, divided = self._signed(), False
        while True:
            token = self.cursor.next()
            if token in ("*", "\\cdot", "\\times"):
                self.cursor.take()
                node = Node("multiply", (node, self._signed()))
            elif token == "/":
                self.cursor.take()
                node, divided = Node("divide", (node, self._signed())), True
            elif token is not None and self.starts_factor(token):
                # "1/2\pi" has two readings.
                if divided:
                    raise NoValue
                node = self._mixed(node) if token == "\\frac" else Node("multiply", (node, self.power()))
            else:
                return node

    def _mixed(self, whole: Node) -> Node:
        r"""Reads the fraction of ``2\frac{1}{3}``, the one juxtaposition that is a sum, or of any product."""
        after_digits = self.cursor.last().isdigit()
        fraction = self.power()
        if not after_digits or fraction.kind != "divide" or any(part.kind != "number" for part in fraction.parts):
            return Node("multiply", (whole, fraction))
        if not 0 < fraction.parts[0].value < fraction.parts[1].value:
            raise NoValue
        if whole.kind == "number":
            return Node("add", (whole, fraction))
        if whole.kind == "negate" and whole.parts[0].kind == "number":
            return Node("negate", (Node("add", (whole.parts[0], fraction)),))
        raise NoValue

    def _signed(self) -> Node:
        negative = False
        while self.cursor.next() in ("+", "-"):
            negative ^= self.cursor.take() == "-"
        node = self.power()
        return Node("negate", (node,)) if negative else node

    def _postfix(self, node: Node) -> Node:
        if self.cursor.next() != "!":
            return node
        self.cursor.take()
        if self.cursor.next() == "!":
            raise NoValue
        return Node("factorial", (node,))
