r"""The verdicts that need no computer algebra: same spelling, numbers, lists of plain ones, words."""

import re

from recipe_tapo.grading.normalise import clean, split_top_level, strip_units, text_key, unwrap
from recipe_tapo.grading.numeric import evaluate, same_value
from recipe_tapo.grading.plain import Plain, parse_plain, same_number

_ASSIGNMENT = re.compile(r"([a-zA-Z])(?:=|\\in(?![a-zA-Z]))(?=[^=])")
_BASED = re.compile(r"(-?[0-9A-F]+)_\{?(?:\\text\{)?(\d+|[a-z]+)\}*")
_BRACKETS = {"(": ")", "[": "]", "\\{": "\\}"}


def quick_verdict(gold: str, answer: str) -> bool | None:
    """Decides the ordinary cases without sympy.

    Args:
        gold: The right answer as the data set writes it.
        answer: The answer to grade, without its box.

    Returns:
        True or False where the texts alone settle it; None where algebra has to. An empty gold or answer is wrong.
    """
    gold, answer = clean(gold), clean(answer)
    if not gold or not answer:
        return False
    if gold == answer:
        return True
    words = text_key(gold)
    if words is not None:
        return _same_words(gold, words, answer)
    gold, answer = _strip_assignments(gold, answer)
    if gold == answer:
        return True
    based = _same_based(gold, answer)
    if based is not None:
        return based
    gold_number, answer_number = parse_plain(gold), parse_plain(answer)
    if gold_number and answer_number:
        if same_number(gold_number, answer_number):
            return True
        if not (gold_number.grouped and answer_number.grouped):
            return False
    gold_value, answer_value = evaluate(strip_units(gold)), evaluate(strip_units(answer))
    if gold_value and answer_value:
        return same_value(gold_value, answer_value)
    if (gold_value and _is_tuple(answer)) or (answer_value and _is_tuple(gold)):
        return False
    return _same_list(gold, answer)


def _same_words(gold: str, words: str, answer: str) -> bool | None:
    same = words == (text_key(answer) or " ".join(re.findall(r"[^\W_]+", unwrap(answer).lower())))
    # A bare capital may be a variable, so that another spelling of it needs algebra.
    return True if same else False if gold.startswith("\\text") else None


def _strip_assignments(gold: str, answer: str) -> tuple[str, str]:
    """Drops ``x=`` from one side, or from both if the variable is the same; "x=4" and "y=4" stay different."""
    in_gold, in_answer = _ASSIGNMENT.match(gold), _ASSIGNMENT.match(answer)
    if in_gold and in_answer and in_gold.group(1) != in_answer.group(1):
        return gold, answer
    for_gold = in_gold.group(1) if in_gold else None
    return _strip_assignment(gold, for_gold), _strip_assignment(answer, for_gold)


def _strip_assignment(text: str, variable: str | None) -> str:
    """Turns "x=1,x=2" into "1,2" when every part assigns to one variable (``variable``, where that is known)."""
    parts = split_top_level(text)
    matches = [_ASSIGNMENT.match(part) for part in parts]
    names = {match.group(1) for match in matches if match}
    if len(names) != 1 or (variable and names != {variable}) or matches[0] is None:
        return text
    values = [part[match.end() :] if match else part for part, match in zip(parts, matches, strict=True)]
    return text if any("=" in value for value in values) else ",".join(values)


def _same_based(gold: str, answer: str) -> bool | None:
    """Compares numerals with a base, ``203_7``: the digits and, where both state it, the base must agree."""
    in_gold, in_answer = _BASED.fullmatch(gold), _BASED.fullmatch(answer)
    if in_gold and in_answer:
        return in_gold.groups() == in_answer.groups()
    if in_gold and re.fullmatch(r"-?[0-9A-F]+", answer):
        return in_gold.group(1) == answer
    return None


def _same_list(gold: str, answer: str) -> bool | None:
    gold_kind, gold_items = _list_items(gold)
    answer_kind, answer_items = _list_items(answer)
    if gold_kind != answer_kind or max(len(gold_items), len(answer_items)) < 2:
        return None
    ordered = gold_kind not in ("", "\\{\\}")
    if (gold_items if ordered else sorted(gold_items)) == (answer_items if ordered else sorted(answer_items)):
        return True
    gold_numbers, answer_numbers = _numbers(gold_items), _numbers(answer_items)
    if gold_numbers is None or answer_numbers is None:
        return None
    if ordered:
        return len(gold_numbers) == len(answer_numbers) and all(map(same_number, gold_numbers, answer_numbers))
    return _covers(gold_numbers, answer_numbers) and _covers(answer_numbers, gold_numbers)


def _is_tuple(text: str) -> bool:
    """Whether the text is a tuple or an interval, which no number equals ("(1,234)" may be a number)."""
    kind, items = _list_items(text)
    return kind not in ("", "\\{\\}") and len(items) > 1 and parse_plain(text) is None


def _covers(numbers: list[Plain], others: list[Plain]) -> bool:
    return all(any(same_number(number, other) for other in others) for number in numbers)


def _list_items(text: str) -> tuple[str, list[str]]:
    """Returns the kind of bracket around a list ("" for none) and its items; "(1,2),(3,4)" is a bare list of two."""
    for opening in _BRACKETS:
        for closing in _BRACKETS.values():
            if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) + len(closing):
                inner = text[len(opening) : -len(closing)]
                if not any(bracket in inner for bracket in "()[]") and "\\}" not in inner:
                    return opening + closing, split_top_level(inner)
    return "", split_top_level(strip_units(text))


def _numbers(items: list[str]) -> list[Plain] | None:
    numbers = [number for item in items if (number := parse_plain(item)) is not None]
    return numbers if len(numbers) == len(items) else None
