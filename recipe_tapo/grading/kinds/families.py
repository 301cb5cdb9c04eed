r"""Families of values, ``\frac{\pi}{2}+k\pi`` with ``k\in\mathbb{Z}``: clause, name and start are free."""

import math
import re
from fractions import Fraction

from recipe_tapo.grading.kinds.brackets import list_items
from recipe_tapo.grading.outcome import Equal, Outcome
from recipe_tapo.grading.values.exact import exact_value
from recipe_tapo.grading.values.expression import parse
from recipe_tapo.grading.values.identity import approximate
from recipe_tapo.grading.values.nodes import Expression

_INTEGER = r"(?:any |an |some |all |arbitrary )?(?:integers?|whole numbers?|natural numbers?|整数)"
_WORDS = r"(?:where|for|with|and|for all|for any|for some|for every)"
_WHERE = rf"(?:\\text\{{\s*{_WORDS}?\s*\}}|\b{_WORDS}\b)?\s*(?:\\forall\s*)?"
_IN_INTEGERS = r"\\in\s*(?:\\mathbb\s*)?\{?\\?[ZN]\}?(?:\^[+*]|_\+|_0|_\{[^{}]*\})?"
_CLAUSE = re.compile(
    rf"[,;:(\s]{{0,9}}{_WHERE}([a-zA-Z])\s*(?:{_IN_INTEGERS}|(?:\\text\{{)?\s*(?:is|为|是)\s*{_INTEGER}\s*\}}?)\)?"
    rf"|[,;:(\s]{{0,9}}(?:\\text\{{)?[,\s]*{_WORDS}\s*\}}?\s*([a-zA-Z])\s*\\text\{{\s*(?:is|be|are)\s+{_INTEGER}\s*\}}\)?"
    rf"|[,;:(\s]{{1,9}}([a-zA-Z])\s*(?:\\text\{{)?\s*(?:is )?{_INTEGER}\s*\}}?\)?"
    rf"|[,;:(\s]{{0,9}}(?:\\text\{{)?[,\s]*{_WORDS}\s+{_INTEGER}\s*\}}?\s*([a-zA-Z])\)?"
)
# "\\{x | x=k\\pi, k\\in Z\\}" and "\\{k\\pi | k\\in Z\\}".
_SET_OF_VALUES = re.compile(
    r"\\\{(?:[a-zA-Z]\s*[|:]\s*(?=[a-zA-Z]=))?([a-zA-Z]=)?([^|:]+?)\s*[|:,]\s*([a-zA-Z]\s*\\in.*)\\\}"
)
_MAX_STEPS = 48
_SAME = 1e-9


def same_family(gold: str, answer: str, equal: Equal) -> Outcome | None:
    r"""Compares values with an integer parameter; None where neither names one.

    Lists of ``a+bk`` are equal if they have the same members; everything else if it is equal with the parameter's name
    changed. The clause may be missing on one side.
    """
    (gold_text, gold_name), (answer_text, answer_name) = _without_clause(gold), _without_clause(answer)
    if not gold_name and not answer_name:
        return None
    without_clause = not gold_name
    gold_name = gold_name or _only_variable(gold_text) or answer_name
    answer_name = answer_name or _only_variable(answer_text) or gold_name
    # A polynomial such as x+1 is no family: any linear one has its members at the integers.
    if without_clause and not re.search(r"\\pi|\\circ", gold_text):
        return equal(gold_text, _renamed(answer_text, answer_name, gold_name))
    members = _members(gold_text, gold_name), _members(answer_text, answer_name)
    if members[0] and members[1]:
        return _same_members(members[0], members[1])
    return equal(gold_text, _renamed(answer_text, answer_name, gold_name))


def _without_clause(text: str) -> tuple[str, str]:
    if builder := _SET_OF_VALUES.fullmatch(text):
        text = f"{builder[1] or ''}{builder[2]},{builder[3]}"
    for match in _CLAUSE.finditer(text):
        if match.end() == len(text) and match.start() > 0:
            value = re.sub(r"^[a-zA-Z](?:=|\\in(?![a-zA-Z]))", "", text[: match.start()])
            return value, next(filter(None, match.groups()))
    return re.sub(r"^[a-zA-Z]=", "", text), ""


def _only_variable(text: str) -> str:
    names = {name for item in list_items(text)[1] if (read := parse(item)) for name in read.variables}
    return names.pop() if len(names) == 1 else ""


def _members(text: str, name: str) -> list[tuple[float, float]]:
    """Returns start and step of each item, none where one is not linear in the parameter with real numbers."""
    found = []
    for item in list_items(text)[1]:
        expression = parse(item)
        if expression is None or expression.variables not in ((name,), ()):
            return []
        values = [_at(item, expression, name, point) for point in (0, 1, 2, 3)]
        if None in values:
            return []
        start, one, two, three = (value for value in values if value is not None)
        step = one - start
        if any(
            abs(value - start - times * step) > _SAME * max(1.0, abs(value)) for times, value in ((2, two), (3, three))
        ):
            return []
        found.append((start, step))
    return found


def _at(item: str, expression: Expression, name: str, point: int) -> float | None:
    exact = exact_value(expression.root, {name: Fraction(point)})
    if exact is not None:
        return float(exact) if abs(exact) < 10**300 else None
    value = approximate(_renamed(item, name, f"({point})"))
    return None if value is None or abs(value.imag) > _SAME or not math.isfinite(value.real) else value.real


def _same_members(golds: list[tuple[float, float]], answers: list[tuple[float, float]]) -> bool:
    """Compares two unions of a+bk by their members within a period that all steps divide."""
    steps = [abs(step) for _, step in [*golds, *answers] if abs(step) > _SAME]
    if not steps:
        return False
    period = Fraction(1)
    for step in steps:
        ratio = Fraction(step / steps[0]).limit_denominator(_MAX_STEPS)
        if abs(float(ratio) - step / steps[0]) > _SAME:
            return False
        period = Fraction(
            math.lcm(period.numerator * ratio.denominator, ratio.numerator * period.denominator),
            period.denominator * ratio.denominator,
        )
    members = [_within(side, float(period) * steps[0]) for side in (golds, answers)]
    if members[0] is None or members[1] is None:
        return False
    return all(_contains(members[1], value) for value in members[0]) and all(
        _contains(members[0], value) for value in members[1]
    )


def _within(family: list[tuple[float, float]], period: float) -> list[float] | None:
    """Returns the members as shares of the period, from 0 to 1; None for too many, and for a lone value."""
    found = []
    for start, step in family:
        if abs(step) <= _SAME or period / abs(step) > _MAX_STEPS:
            return None
        found.extend((start + times * step) / period % 1 for times in range(round(period / abs(step))))
    return found


def _contains(members: list[float], value: float) -> bool:
    return any(min(abs(member - value), 1 - abs(member - value)) < _SAME for member in members)


def _renamed(text: str, name: str, new: str) -> str:
    if name == new:
        return text
    return re.sub(rf"(\\[a-zA-Z]+)|{re.escape(name)}", lambda match: match[1] or new, text)
