"""Lists, sets and tuples, compared item by item: order counts in tuples only."""

import re
from fractions import Fraction

from recipe_tapo.grading.kinds.brackets import list_items, tuples_of_signs
from recipe_tapo.grading.outcome import Equal, Outcome, every, some
from recipe_tapo.grading.values.plain import parse_plain

_MAX_PAIRS = 2000
_GROUP = re.compile(r"0\d\d(?:\.\d*)?")
_UNORDERED = ("", "\\{\\}")


def same_list(gold: str, answer: str, equal: Equal) -> Outcome | None:
    r"""Compares lists; None where neither is a list.

    A bare list ("1,2") is a set, except against a tuple, whose order it must then have; a set (``\{1,2\}``) is no
    tuple. Several values are one value only if all are equal to it.
    """
    gold, answer = tuples_of_signs(gold), tuples_of_signs(answer)
    gold, answer = _ungrouped(gold), _ungrouped(answer)
    gold_kind, gold_items = list_items(gold)
    answer_kind, answer_items = list_items(answer)
    if len(gold_items) < 2 and len(answer_items) < 2:
        if "\\{\\}" not in (gold_kind, answer_kind) or not (gold_items and answer_items):
            return None
        return equal(gold_items[0], answer_items[0]) if gold_kind in _UNORDERED and answer_kind in _UNORDERED else False
    # "100,200" may be a list or one number.
    numbers = parse_plain(gold), parse_plain(answer)
    if numbers[0] and numbers[1] and numbers[0].value == numbers[1].value:
        return True
    for number, text, items in ((numbers[0], answer, answer_items), (numbers[1], gold, gold_items)):
        if number and number.grouped and len(items) < 2:
            return equal(str(number.value), text) if items is answer_items else equal(text, str(number.value))
    # What a sign "\\pm" stands for has no order.
    if any("\\pm" in text for text in (gold, answer)) and "()" in (gold_kind, answer_kind) and gold_kind != answer_kind:
        return False
    ordered = [kind not in _UNORDERED for kind in (gold_kind, answer_kind)]
    if any(ordered):
        return _same_tuple(gold_kind, gold_items, answer_kind, answer_items, equal)
    return _same_set(gold_items, answer_items, equal)


def _ungrouped(text: str) -> str:
    """Returns "1000000" for "1,000,000", which is no list: no item of one is written "000"."""
    if "," not in text or not any(_GROUP.fullmatch(item) for item in text.split(",")[1:]):
        return text
    number = parse_plain(text)
    return text.replace(",", "") if number and number.grouped else text


def _same_tuple(gold_kind: str, golds: list[str], answer_kind: str, answers: list[str], equal: Equal) -> Outcome:
    kinds = {gold_kind, answer_kind}
    if len(golds) != len(answers) or "\\{\\}" in kinds or (len(kinds) > 1 and "" not in kinds):
        return False
    # A half-open or closed interval is no list.
    if "" in kinds and "()" not in kinds:
        return False
    return every(equal(ours, theirs) for ours, theirs in zip(golds, answers, strict=True))


def _same_set(golds: list[str], answers: list[str], equal: Equal) -> Outcome:
    golds, answers = list(dict.fromkeys(golds)), list(dict.fromkeys(answers))
    gold_keys, answer_keys = set(map(_key, golds)), set(map(_key, answers))
    missing = [item for item in golds if _key(item) not in answer_keys]
    extra = [item for item in answers if _key(item) not in gold_keys]
    if len(missing) * len(answers) + len(golds) * len(extra) > _MAX_PAIRS:
        return False
    return every(
        [
            *(some(equal(ours, theirs) for theirs in answers) for ours in missing),
            *(some(equal(ours, theirs) for ours in golds) for theirs in extra),
        ]
    )


def _key(item: str) -> str | Fraction:
    """Returns what makes items the same without a closer look: the value of an exact number, or else the text."""
    number = parse_plain(item)
    return number.value if number and number.exact and not number.percent and not item.endswith("}") else item
