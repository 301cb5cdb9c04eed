r"""Residues ``3 \pmod 7`` and numerals with a base ``203_7``."""

import re
from dataclasses import dataclass

from recipe_tapo.grading.kinds.number_words import number_from_words
from recipe_tapo.grading.normalise import split_top_level
from recipe_tapo.grading.outcome import Equal, Outcome

_MODULO = re.compile(
    r"(?:[a-zA-Z](?:\\equiv|=))?(.+?)[,\s]*\(?\s*(?:\\p?mod|\\bmod|\\text\{\(?mod(?:ulo)?\s*\}?|\(?mod(?:ulo)?(?![a-z]))\s*\{?\s*(\d{1,50})[})]*"
)
_BASED = re.compile(
    r"(-?[0-9A-F]+)(?:_\{?\(?(?:\\text\{\s*)?(\d+|[a-z]+)\)?\}*|\s*\(?(?:\\text\{\s*)?\(?\s*base[-\s]*\}?\s*(\d+|[a-z]+)[})]*)"
)
_DIGITS_IN_BRACKETS = re.compile(r"^(-?)(?:\(|\\text\{\s*)([0-9A-F]+)\s*[)}]_")


@dataclass(frozen=True)
class _Residues:
    written: str
    numbers: frozenset[int]
    modulus: int


def same_residue(gold: str, answer: str, equal: Equal) -> Outcome | None:
    """Compares residues; None where neither is one.

    Two are equal if the moduli are and the numbers are congruent. The modulus may be left out of an answer, which then
    must be the number that the gold writes; or stand in an answer alone, whose least residue the gold then must be.
    """
    in_gold, in_answer = _residues(gold), _residues(answer)
    if in_gold and in_answer:
        return in_gold.modulus == in_answer.modulus and in_gold.numbers == in_answer.numbers
    if in_gold:
        return equal(in_gold.written, answer)
    if in_answer:
        return gold in map(str, in_answer.numbers) if len(in_answer.numbers) == 1 else equal(gold, in_answer.written)
    return None


def same_numeral(gold: str, answer: str) -> Outcome | None:
    """Compares numerals with a base; None unless the gold is one, or the answer alone.

    The digits must be the same, and so must the base where both state it.
    """
    in_gold, in_answer = _based(gold), _based(answer)
    if in_gold and in_answer:
        return in_gold == in_answer
    if in_gold:
        return in_gold[0] == answer if re.fullmatch(r"-?[0-9A-F]+", answer) else None
    if in_answer is None and _BASED.fullmatch(answer):
        # "5_2" is no numeral.
        return False
    if in_answer and re.fullmatch(r"-?\d+", gold):
        return in_answer[0] == gold or _value(*in_answer) == int(gold)
    return None


def _residues(cleaned: str) -> _Residues | None:
    match = _MODULO.fullmatch(cleaned)
    if match is None or int(match[2]) < 2:
        return None
    parts = split_top_level(match[1])
    if not all(re.fullmatch(r"-?\d{1,50}", part) for part in parts):
        return None
    modulus = int(match[2])
    return _Residues(match[1], frozenset(int(part) % modulus for part in parts), modulus)


def _based(cleaned: str) -> tuple[str, str] | None:
    match = _BASED.fullmatch(_DIGITS_IN_BRACKETS.sub(r"\1\2_", cleaned))
    if match is None:
        return None
    base = number_from_words(match[2] or match[3]) or match[2] or match[3]
    return (match[1], base) if _value(match[1], base) is not None else None


def _value(digits: str, base: str) -> int | None:
    try:
        return int(digits, int(base)) if len(digits) < 100 else None
    except ValueError:
        return None
