"""Verdicts in three values: right, wrong, and open where texts and values do not settle it."""

from collections.abc import Callable, Iterable
from enum import Enum


class Open(Enum):
    """A comparison that only computer algebra can decide."""

    ALGEBRA = "algebra"


Outcome = bool | Open
# Compares a gold with an answer, both cleaned.
Equal = Callable[[str, str], Outcome]


def every(outcomes: Iterable[Outcome]) -> Outcome:
    """Returns False if one is, else open if one is, else True."""
    result: Outcome = True
    for outcome in outcomes:
        if outcome is False:
            return False
        if outcome is Open.ALGEBRA:
            result = outcome
    return result


def some(outcomes: Iterable[Outcome]) -> Outcome:
    """Returns True if one is, else open if one is, else False."""
    result: Outcome = False
    for outcome in outcomes:
        if outcome is True:
            return True
        if outcome is Open.ALGEBRA:
            result = outcome
    return result
