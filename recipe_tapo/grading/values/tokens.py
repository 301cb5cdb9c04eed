"""The tokens of a cleaned expression, and a cursor over them."""

import re

FUNCTIONS = frozenset(
    {"\\sin", "\\cos", "\\tan", "\\cot", "\\sec", "\\csc", "\\arcsin", "\\arccos", "\\arctan", "\\sinh", "\\cosh"}
    | {"\\tanh", "\\ln", "\\log", "\\lg", "\\exp", "\\cis"}
)
GREEK = frozenset(
    {
        "\\alpha",
        "\\beta",
        "\\gamma",
        "\\delta",
        "\\epsilon",
        "\\theta",
        "\\lambda",
        "\\mu",
        "\\phi",
        "\\varphi",
        "\\rho",
    }
    | {"\\sigma", "\\tau", "\\omega", "\\psi", "\\xi"}
)
_REPEATING = r"\\overline\{\d+\}"
_NUMBER = rf"\d+(?:\.\d*)?(?:{_REPEATING})?|\.\d+(?:{_REPEATING})?|\.{_REPEATING}"
_TOKEN = re.compile(rf"\s*({_NUMBER}|\\[a-zA-Z]+|[-+*/^!(){{}}\[\]|_]|[a-zA-Z]'*)")
# So many letters in a row are a word.
_WORD = re.compile(r"(?<!\\)(?<![a-zA-Z])[a-zA-Z]{5,}")


class NoValue(Exception):
    """The text is no expression with one reading, or it has no finite value."""


def tokenize(text: str) -> list[str]:
    """Splits an expression into tokens.

    Raises:
        NoValue: There is something in it that is no mathematics.
    """
    if _WORD.search(text):
        raise NoValue
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NoValue
        tokens.append(match[1])
        position = match.end()
    return tokens


class Cursor:
    """A place in a list of tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def next(self) -> str | None:
        """Returns the token to come, None at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def last(self) -> str:
        """Returns the token before, "" at the beginning."""
        return self._tokens[self._at - 1] if self._at else ""

    def take(self) -> str:
        """Returns the token to come and goes on.

        Raises:
            NoValue: There is none.
        """
        token = self.next()
        if token is None:
            raise NoValue
        self._at += 1
        return token

    def expect(self, token: str) -> None:
        """Goes over a token.

        Raises:
            NoValue: Another one comes.
        """
        if self.take() != token:
            raise NoValue
