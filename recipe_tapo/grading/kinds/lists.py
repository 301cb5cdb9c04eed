"""Lists, sets and tuples, compared item by item: order counts in tuples only."""

from recipe_tapo.grading.kinds.brackets import list_items
from recipe_tapo.grading.outcome import Equal, Open, Outcome, every, some
from recipe_tapo.grading.values.plain import parse_plain

_UNORDERED = ("", "\\{\\}")


def same_list(gold: str, answer: str, equal: Equal) -> Outcome | None:
    r"""Compares lists; None where neither is a list.

    A bare list ("1,2") is a set, except against a tuple, whose order it must then have; a set (``\{1,2\}``) is no
    tuple. Several values are one value only if all are equal to it.
    """
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
    ordered = [kind not in _UNORDERED for kind in (gold_kind, answer_kind)]
    if any(ordered):
        return _same_tuple(gold_kind, gold_items, answer_kind, answer_items, equal)
    return _same_set(gold_items, answer_items, equal)


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
    known = (
        {(ours, theirs): equal(ours, theirs) for ours in golds for theirs in answers if ours != theirs}
        if (len(golds) * len(answers) <= 400)
        else {}
    )

    def same(ours: str, theirs: str) -> Outcome:
        return True if ours == theirs else known.get((ours, theirs), Open.ALGEBRA if len(golds) > 40 else False)

    return every(
        [
            *(some(same(ours, theirs) for theirs in answers) for ours in golds),
            *(some(same(ours, theirs) for ours in golds) for theirs in answers),
        ]
    )
