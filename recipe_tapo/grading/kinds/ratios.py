r"""Ratios ``a:b:c``, equal when proportional, and times of day, which look like them."""

import re

from recipe_tapo.grading.kinds.brackets import bracketed
from recipe_tapo.grading.normalise import split_top_level
from recipe_tapo.grading.outcome import Equal, Outcome, every
from recipe_tapo.grading.values.identity import same_expression
from recipe_tapo.grading.values.plain import parse_plain

_TIME = re.compile(r"0?(\d{1,2})(?::(\d\d))?(?::(\d\d))?\s*(?:\\text\{)?\s*(?:([ap])\.?\s?m\.?)?\s*\}?", re.IGNORECASE)
_TO = re.compile(r"(?<=[\d}])\s*(?:\\text\{\s*to\s*\}|\bto\b)\s*(?=[\d\\])")


def same_time(gold: str, answer: str) -> Outcome | None:
    """Compares times of day; None unless both are. Without "a.m." or "p.m." on one side the other's is not compared."""
    in_gold, in_answer = _TIME.fullmatch(gold), _TIME.fullmatch(answer)
    if not (in_gold and in_answer and _is_time(in_gold) and _is_time(in_answer)):
        return None
    halves = [(match[4] or "").lower() for match in (in_gold, in_answer)]
    if not any(halves) and in_gold.groups() != in_answer.groups():
        # Two numbers with a colon, and other ones: a ratio, if anything.
        return None
    return (
        in_gold[1] == in_answer[1]
        and (in_gold[2] or "00", in_gold[3] or "00") == (in_answer[2] or "00", in_answer[3] or "00")
        and ("" in halves or halves[0] == halves[1])
    )


def same_ratio(gold: str, answer: str, equal: Equal) -> Outcome | None:
    """Compares ratios term by term, up to a common factor; None where neither is a ratio.

    A ratio of two terms is also their quotient; one of three or more is no number.
    """
    golds, answers = ratio_terms(gold), ratio_terms(answer)
    if not golds and not answers:
        return None
    if golds and answers:
        # Of nought to nought every ratio would be a multiple.
        if len(golds) != len(answers) or all(same_expression(term, "0") for term in answers):
            return False
        return every(
            equal(_product(golds[0], theirs), _product(answers[0], ours))
            for ours, theirs in zip(golds[1:], answers[1:], strict=True)
        )
    terms, other = (golds, answer) if golds else (answers, gold)
    if len(terms) > 2:
        return False
    quotient = f"\\frac{{{terms[0]}}}{{{terms[1]}}}"
    return equal(quotient, other) if golds else equal(other, quotient)


def ratio_terms(cleaned: str) -> list[str]:
    """Returns the terms of a ratio, none for everything else."""
    text = _TO.sub(":", cleaned)
    if ":" not in text or any(sign in text for sign in ("=", "<", ">", "\\{")):
        return []
    kind, inner = bracketed(text)
    terms = split_top_level(inner if kind == "()" else text, ":")
    return terms if len(terms) > 1 and all(terms) else []


def _is_time(match: re.Match[str]) -> bool:
    return int(match[1]) < 25 and (match[2] is not None or match[4] is not None) and int(match[2] or 0) < 60


def _product(left: str, right: str) -> str:
    numbers = parse_plain(left), parse_plain(right)
    if numbers[0] and numbers[1]:
        value = numbers[0].value * numbers[1].value
        return f"{value.numerator}" if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    return f"({left})\\cdot({right})"
