r"""Properties of the kinds of answer, beyond the table of cases."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe_tapo.grading.kinds.brackets import both_signs, list_items, one_spelling_of_brackets, split_at
from recipe_tapo.grading.kinds.real_sets import EVERYTHING, Interval, complement, intersection, union
from recipe_tapo.grading.kinds.relations import _SIGN
from recipe_tapo.grading.normalise import clean
from recipe_tapo.grading.quick import quick_verdict
from recipe_tapo.grading.spelling.units import conversion, read_unit, split_unit

NUMBERS = st.integers(-50, 50)


@given(st.lists(NUMBERS, min_size=2, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_sets_have_no_order_and_tuples_have_one(numbers, chance):
    shuffled = chance.sample(numbers, len(numbers))
    listed, other = (",".join(map(str, items)) for items in (numbers, shuffled))
    assert quick_verdict(f"\\{{{listed}\\}}", f"\\{{{other}\\}}") is True
    assert quick_verdict(listed, other) is True
    assert quick_verdict(f"({listed})", f"({other})") is (numbers == shuffled)
    assert quick_verdict(f"\\{{{listed}\\}}", f"({listed})") is False
    assert quick_verdict(f"({listed})", f"\\{{{listed}\\}}") is False


@given(st.lists(st.integers(1, 30), min_size=3, max_size=5), st.integers(2, 9), st.integers(1, 5))
def test_ratios_are_equal_up_to_a_factor(terms, factor, change):
    text = ":".join(map(str, terms))
    assert quick_verdict(text, ":".join(str(term * factor) for term in terms)) is True
    changed = [terms[0] + change, *terms[1:]]
    assert quick_verdict(text, ":".join(str(term * factor) for term in changed)) is False
    quotient = Fraction(terms[0])
    for term in terms[1:]:
        quotient /= term
    assert quick_verdict(str(quotient), text) is False


@given(NUMBERS, NUMBERS, st.sampled_from(["<", r"\le "]), st.sampled_from(["<", r"\le "]))
def test_inequalities_are_intervals(low, width, left, right):
    low, high = low, low + abs(width) + 1
    interval = f"{'(' if left == '<' else '['}{low},{high}{')' if right == '<' else ']'}"
    turned = {"<": ">", r"\le ": r"\ge "}
    for text in (
        f"{low}{left}x{right}{high}",
        f"{high}{turned[right]}x{turned[left]}{low}",
        f"x{turned[left]}{low} \\text{{ and }} x{right}{high}",
        f"{2 * low}{left}2x{right}{2 * high}",
    ):
        assert quick_verdict(interval, text) is True
        assert quick_verdict(f"({low},{high + 1})", text) is False


@given(NUMBERS, st.integers(1, 20))
def test_absolute_values_are_two_inequalities(middle, radius):
    assert quick_verdict(f"({middle - radius},{middle + radius})", f"|x-({middle})|<{radius}") is True
    outside = f"(-\\infty,{middle - radius}]\\cup[{middle + radius},\\infty)"
    assert quick_verdict(outside, f"|x-({middle})|\\ge {radius}") is True


def test_unions_join_what_touches():
    def interval(text: str) -> Interval:
        low, high = text[1:-1].split(",")
        return Interval(low, high, text[0] == "[", text[-1] == "]")

    assert union([interval("[1,2)"), interval("[2,3]")]) == [interval("[1,3]")]
    assert union([interval("(2,3)"), interval("(1,2)")]) == [interval("(1,2)"), interval("(2,3)")]
    assert intersection([interval("[1,3]")], [interval("(2,5)")]) == [interval("(2,3]")]
    assert complement([]) == [EVERYTHING] and len(complement(["2", "1"])) == 3


def test_brackets():
    assert list_items("(1,2),(3,4)") == ("", ["(1,2)", "(3,4)"])
    assert list_items(r"\{0,\pm 1\}") == ("\\{\\}", ["0", "1", "-1"])
    assert one_spelling_of_brackets(r"]1,2[\cup[3,4[") == r"(1,2)\cup[3,4)"
    assert both_signs(r"1\pm\sqrt{2}\mp 3") == [r"1+\sqrt{2}-3", r"1-\sqrt{2}+3"]
    assert len(both_signs(r"\pm 1\pm 2")) == 4 and len(both_signs(r"\pm 1" * 9)) == 1
    assert split_at(r"\sum_{i<j} a<b", _SIGN) == [r"\sum_{i<j} a", "<", "b"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"12\,\mathrm{cm^2}", "12"), (r"9.8\text{ m}/\text{s}^2", "9.8"), (r"5\,\frac{\text{m}}{\text{s}}", "5"),
        ("5 miles per hour", "5"), ("42 apples", "42"), (r"5\text{ million}", r"5\cdot 1000000"), ("5x", "5x"),
        (r"5\text{ at most}", r"5\text{at most}"), (r"5\text{ p.m.}", r"5\text{p.m.}"), ("5平方厘米", "5"),
        ("3万", r"3\cdot 10000"), (r"2\text{ halves}", r"\frac{2}{2}"), ("7 squared", "(7)^2"),
    ],
)  # fmt: skip
def test_units_are_taken_off_and_values_stay(text, value):
    assert split_unit(clean(text)).value == value


def test_units_convert_exactly():
    assert conversion(read_unit("m"), read_unit("inches")) == Fraction(254, 10000)
    assert conversion(read_unit("m/s"), read_unit("km/h")) == Fraction(10, 36)
    assert conversion(read_unit("square feet"), read_unit("ft^2")) == 1
    assert conversion(read_unit("N"), read_unit("kg m/s^2")) == 1
    assert conversion(read_unit("cm"), read_unit("cm^2")) is None
    assert conversion(read_unit("apples"), read_unit("cm")) == 1


@pytest.mark.parametrize(
    "answer", ["10^{10^{10}}k", "9^{9^{9^9}}", r"\frac{k}{10^{400}}", "e^{e^{e^{e^{e}}}}", "10^{400}+k"]
)
def test_a_family_without_bounds_has_no_common_period(answer):
    assert quick_verdict(r"k\pi, k\in\mathbb{Z}", answer) is not True
