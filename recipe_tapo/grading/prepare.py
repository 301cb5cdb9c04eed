r"""Rewriting of answers into what math-verify reads rightly."""

import re

from recipe_tapo.grading.kinds.brackets import both_signs
from recipe_tapo.grading.normalise import clean, split_top_level, unwrap
from recipe_tapo.grading.spelling.units import strip_unit

_DEGREES = re.compile(r"\^\\circ(?![a-zA-Z])")
_TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
_RADIANS = r"\\cdot\\frac{\\pi}{180}"
_MIXED = re.compile(r"(?<![\d.])(\d+) (\d+)/(\d+)")
_BRACED_THOUSANDS = re.compile(r"\{\d{1,3}(?:,\d{3})+\}")
_SPACED_NUMBERS = re.compile(r"-?\d+(?: -?\d+)+")
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?: \d{3})+(?!\d)")
_UNIT_VECTOR = re.compile(r"\\vec([ijk])(?![a-zA-Z])")


def algebra_pairs(gold: str, answer: str) -> list[tuple[str, str]]:
    r"""Returns the (gold, answer) spellings to compare by algebra; one pair that agrees makes the answer right.

    Units go, ``\pm`` becomes two values, mixed numbers and digit groups are made explicit (sympy would read "1 1/2"
    as 11/2). Degrees go too, except that inside a trigonometric function, or against radians, they are converted.

    Args:
        gold: The right answer as the data set writes it, or cleaned.
        answer: The answer to grade, without its box.
    """
    gold, answer = _spell_out(gold), _spell_out(answer)
    pairs = [(_drop_degrees(gold), _drop_degrees(answer))]
    if bool(_DEGREES.search(gold)) != bool(_DEGREES.search(answer)) and "\\pi" in gold + answer:
        pairs.append((_to_radians(gold), _to_radians(answer)))
    return pairs


def _spell_out(text: str) -> str:
    text = strip_unit(unwrap(clean(text))).removesuffix("%").strip()
    text = _UNIT_VECTOR.sub(r"\\mathbf{\1}", text)
    text = _THOUSANDS.sub(lambda match: match.group().replace(" ", ""), text)
    text = _BRACED_THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    text = _MIXED.sub(r"\1\\frac{\2}{\3}", text)
    if _SPACED_NUMBERS.fullmatch(text):
        text = text.replace(" ", ",")
    if "\\pm" in text:
        text = ",".join(value for part in split_top_level(text) for value in both_signs(part))
    return text


def _drop_degrees(text: str) -> str:
    return _to_radians(text) if _TRIGONOMETRIC.search(text) else _DEGREES.sub("", text)


def _to_radians(text: str) -> str:
    return _DEGREES.sub(_RADIANS, text)
