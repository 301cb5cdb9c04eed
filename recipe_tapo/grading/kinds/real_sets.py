r"""Sets of real numbers as intervals: read from ``(0,1]\cup\{2\}``, ``0<x\le 1`` or ``|x|<3``, and compared."""

from dataclasses import dataclass
from itertools import pairwise

from recipe_tapo.grading.outcome import Equal, Outcome, every
from recipe_tapo.grading.values.identity import approximate

INFINITY = "\\infty"


@dataclass(frozen=True)
class Interval:
    """An interval; a single number is one that is closed at both ends.

    Attributes:
        low: Its lower end, cleaned; "-\\infty" for none.
        high: Its upper end.
        has_low: Whether the lower end belongs to it.
        has_high: Likewise.
    """

    low: str
    high: str
    has_low: bool
    has_high: bool

    @property
    def start(self) -> float:
        return position(self.low)

    @property
    def end(self) -> float:
        return position(self.high)

    def is_empty(self) -> bool:
        return self.start > self.end or (self.start == self.end and not (self.has_low and self.has_high))


EVERYTHING = Interval(f"-{INFINITY}", INFINITY, False, False)


class NoPlace(Exception):
    """An end that is no real number."""


def position(end: str) -> float:
    """Returns where an end lies, to order it among others.

    Raises:
        NoPlace: It has variables or is not real.
    """
    if end in (INFINITY, f"+{INFINITY}"):
        return float("inf")
    if end == f"-{INFINITY}":
        return float("-inf")
    value = approximate(end)
    if value is None or abs(value.imag) > 1e-12 * max(1.0, abs(value)):
        raise NoPlace
    return value.real


def union(intervals: list[Interval]) -> list[Interval]:
    """Returns the intervals in order, those that touch or overlap joined."""
    joined: list[Interval] = []
    for interval in sorted(
        (part for part in intervals if not part.is_empty()), key=lambda part: (part.start, not part.has_low)
    ):
        last = joined[-1] if joined else None
        touching = last is not None and (
            interval.start < last.end or (interval.start == last.end and (interval.has_low or last.has_high))
        )
        if last is None or not touching:
            joined.append(interval)
        elif (interval.end, interval.has_high) > (last.end, last.has_high):
            joined[-1] = Interval(last.low, interval.high, last.has_low, interval.has_high)
    return joined


def intersection(left: list[Interval], right: list[Interval]) -> list[Interval]:
    """Returns what two sets have in common."""
    common = []
    for one in left:
        for other in right:
            low = max(one, other, key=lambda part: (part.start, not part.has_low))
            high = min(one, other, key=lambda part: (part.end, part.has_high))
            common.append(Interval(low.low, high.high, low.has_low, high.has_high))
    return union(common)


def complement(points: list[str]) -> list[Interval]:
    """Returns the real numbers without some of them."""
    ends = [f"-{INFINITY}", *sorted(points, key=position), INFINITY]
    return [Interval(low, high, False, False) for low, high in pairwise(ends)]


def difference(left: list[Interval], right: list[Interval]) -> list[Interval]:
    """Returns what belongs to the first set and not to the second."""
    for part in right:
        below = Interval(f"-{INFINITY}", part.low, False, not part.has_low)
        above = Interval(part.high, INFINITY, not part.has_high, False)
        left = intersection(left, [below, above])
    return left


def same_set(golds: list[Interval], answers: list[Interval], equal: Equal) -> Outcome:
    """Compares two sets, both in order."""
    if [(part.has_low, part.has_high) for part in golds] != [(part.has_low, part.has_high) for part in answers]:
        return False
    return every(
        ours == theirs or (INFINITY not in ours + theirs and equal(ours, theirs))
        for one, other in zip(golds, answers, strict=True)
        for ours, theirs in ((one.low, other.low), (one.high, other.high))
    )
