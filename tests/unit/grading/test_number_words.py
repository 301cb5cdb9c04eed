"""Numbers in words against Python's own arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe_tapo.grading.kinds.number_words import number_from_words

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def in_words(number: int) -> str:
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f"-{ONES[number % 10]}" if number % 10 else "")
    for scale, word in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= scale:
            rest = number % scale
            return f"{in_words(number // scale)} {word}" + (f" {in_words(rest)}" if rest else "")
    raise AssertionError(number)


@given(st.integers(0, 999_999))
def test_whole_numbers(number):
    assert number_from_words(in_words(number)) == str(number)


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("one hundred and five", "105"),
        ("twelve hundred", "1200"),
        ("minus five", "-5"),
        ("half", "1/2"),
        ("a half", "1/2"),
        ("three-quarters", "3/4"),
        ("five halves", "5/2"),
        ("two and a half", "5/2"),
        ("a million", "1000000"),
        ("three dozen", "36"),
    ],
)
def test_other_numbers(words, number):
    assert number_from_words(words) == number


@pytest.mark.parametrize(
    "words",
    ["", "third", "one two", "twenty eleven", "hundred", "five and six", "two and", "one thousand million", "a", "even"]
    + ["million", "one and a", "half of two", "minus", "two hundred hundred", "thirty zero", "one " * 10_000],
)
def test_what_is_no_number(words):
    assert number_from_words(words) is None
