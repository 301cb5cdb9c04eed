"""Expressions as trees."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Node:
    """A part of an expression.

    Attributes:
        kind: "number", "constant", "variable", or the operation.
        parts: What it is applied to.
        value: Of a number.
        name: Of a constant, a variable or a function.
    """

    kind: str
    parts: tuple["Node", ...] = ()
    value: Fraction = Fraction(0)
    name: str = ""


@dataclass(frozen=True)
class Expression:
    """An expression as a whole.

    Attributes:
        root: Its last operation.
        variables: Its variables, sorted.
    """

    root: Node
    variables: tuple[str, ...]


def number(value: int | Fraction) -> Node:
    """Returns the node of a number."""
    return Node("number", value=Fraction(value))
