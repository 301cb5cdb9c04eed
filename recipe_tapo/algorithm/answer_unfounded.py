r"""Guard against a correction that ends in the right sibling's answer without a way to it (ours).

"This indicates an error. Let's use another approach. Therefore \(x\) is \(\boxed{4}\)": nothing before says where the 4
comes from. Its reward would teach the policy to guess.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

from recipe_tapo.algorithm.answer_spelling import plain

# A longer one is no number that a text repeats.
_LONGEST = 100
_NUMBER = re.compile(
    r"\\frac\s?\{\s?-?(\d{1,30})\}\s?\{(\d{1,30})\}|(?<![\d.])(\d{1,30})\s?/\s?(\d{1,30})|(?<![\d.])(\d{1,30}(?:\.\d{1,30})?)"
)
_ALONE = re.compile(r"\s*[-+]?\s*(.*?)(?:\s*(?:%|°|\^\{?\\circ\}?|[A-Za-z]{2,20}))?[.\s]*", re.DOTALL)
# A displayed formula is one statement, however many lines it has. ``plain`` drops dollar signs.
_DOLLARS = re.compile(r"\$\$(.*?)\$\$", re.DOTALL)
_DISPLAYS = (("\\[", "\\]"), ("\\begin{", "\\end{"))
_SENTENCE_ENDS = re.compile(r"\n|[.!?:] |[。！？：]")
_CALCULATES = re.compile(
    r"[=≈+^*/×÷·⋅<>]|\\(?:cdot|times|div|equiv|approx|sqrt|sum|binom|implies|leq?|geq?)(?![A-Za-z])"
)


def states_answer_unfounded(text: str, stated: str, answer: str, question: str, kept: str = "") -> bool:
    """Whether a continuation ends in the right sibling's answer, a number, that nothing before its last sentence says.

    It is founded where the last sentence, or displayed formula, itself calculates, and where the continuation, y⁻'s
    kept beginning or the question says that number before, whatever its sign and spelling; question and beginning say
    nothing of a single digit, which stands in nearly all of them. What competitions ask for is founded too: one part of
    a fraction, the last digits of a number, the sum of two or three numbers said one after the other. In doubt it is
    founded.

    Args:
        text: What stands after the preserved prefix.
        stated: The final answer that it states.
        answer: The right sibling's answer as it wrote it, LaTeX included. One that is no number is always founded.
        question: The question.
        kept: The preserved prefix.
    """
    value = _value(answer)
    if value is None or _value(stated) != value:
        return False
    written = plain(_DOLLARS.sub(r"\\[\1\\]", text))
    places = [start for start, number in _numbers(written) if number == value]
    said = next((place for place in reversed(places) if not _in_exponent(written, place)), None)
    if said is None:
        return False
    statement = _statement_start(written, said)
    if _CALCULATES.search(written, statement, said) or any(place < statement for place in places):
        return False
    if _derived(value, written[:said]):
        return False
    single = value.denominator == 1 and value < 10
    return single or not any(number == value for part in (question, kept) for _, number in _numbers(plain(part)))


def _derived(value: Fraction, before: str) -> bool:
    """Whether an answer is a part of a fraction, the end of a number, or the sum of two or three numbers in a row."""
    if value.denominator != 1:
        return False
    wanted = value.numerator
    modulus = 10 ** len(str(wanted))
    recent: list[int] = []
    for _, number in _numbers(before):
        whole = number.denominator == 1
        for part in (number.numerator,) if whole else (number.numerator, number.denominator):
            is_end = whole and part > wanted and part % modulus == wanted
            is_part = not whole and part == wanted
            recent = [*recent[-2:], part]
            # Sums of small numbers hit a single digit by chance.
            is_sum = wanted > 9 and wanted in (sum(recent[-count:]) for count in range(2, len(recent) + 1))
            if is_end or is_part or is_sum:
                return True
    return False


def _in_exponent(text: str, place: int) -> bool:
    """Whether a number is that of a unit, as in cm^2, or of a power."""
    return text[max(0, place - 4) : place].rstrip("{ -").endswith("^")


def _statement_start(text: str, place: int) -> int:
    """Where the sentence begins that a place lies in, or the displayed formula."""
    opened = [(text.rfind(begin, 0, place), text.rfind(end, 0, place)) for begin, end in _DISPLAYS]
    if displays := [start for start, ended in opened if start > ended]:
        return min(displays)
    before = text[:place].rstrip("\n \t\\[({$*")
    return max((match.end() for match in _SENTENCE_ENDS.finditer(before)), default=0)


def _value(answer: str) -> Fraction | None:
    """The size of an answer that is a number, with or without a unit."""
    if not answer or len(answer) > _LONGEST:
        return None
    alone = _ALONE.fullmatch(plain(answer))
    return _fraction(alone[1]) if alone else None


def _numbers(text: str) -> Iterator[tuple[int, Fraction]]:
    for match in _NUMBER.finditer(text):
        number = _fraction(match[0])
        if number is not None:
            yield match.start(), number


@lru_cache(maxsize=4096)
def _fraction(written: str) -> Fraction | None:
    match = _NUMBER.fullmatch(written)
    if match is None:
        return None
    above, below = match[1] or match[3], match[2] or match[4]
    if above is None:
        return Fraction(match[5])
    return Fraction(int(above), int(below)) if int(below) else None
