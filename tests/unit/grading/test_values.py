r"""Exact values and digits: what is equal, what differs beyond double precision, what has no value."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe_tapo.grading.normalise import clean
from recipe_tapo.grading.values.exact import exact_value
from recipe_tapo.grading.values.expression import parse
from recipe_tapo.grading.values.identity import approximate, closed, same_expression
from recipe_tapo.grading.values.plain import is_rounded_from, parse_plain, within_tolerance

RATIONALS = st.fractions(max_denominator=1000).filter(lambda value: abs(value) < 1000)


def exactly(text: str) -> Fraction | None:
    expression = parse(clean(text))
    assert expression is not None
    return exact_value(expression.root)


def same(gold: str, answer: str) -> bool | None:
    return same_expression(clean(gold), clean(answer))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"1-\frac{1}{2^{10}}", Fraction(1023, 1024)),
        ("5!/3!", Fraction(20)),
        (r"\binom{5}{2}", Fraction(10)),
        (r"-2\frac13", Fraction(-7, 3)),
        (r"-2^2", Fraction(-4)),
        (r"\sqrt{\frac{9}{4}}", Fraction(3, 2)),
        (r"\sqrt[3]{-8}", Fraction(-2)),
        (r"8^{2/3}", Fraction(4)),
        (r"0.1\overline{6}", Fraction(1, 6)),
        (r"|2-5|", Fraction(3)),
        (r"\lfloor -\frac12\rfloor", Fraction(-1)),
        (r"--+3", Fraction(3)),
    ],
)
def test_exact_values(text, value):
    assert exactly(text) == value


@pytest.mark.parametrize("text", [r"\sqrt2", r"\pi", "x", "2^{10^9}", "99999!", r"\sqrt{-1}", "1/0", r"2^{\frac12}"])
def test_what_is_not_rational_or_too_long_has_no_exact_value(text):
    assert exactly(text) is None


@pytest.mark.parametrize(
    "text", [r"1/2\pi", r"2\frac{3}{2}", "2^25", "5!!", "f(2)", "even or odd", "2 3", "", "^", r"\sin"]
)
def test_what_could_be_read_in_two_ways_is_no_expression(text):
    assert parse(clean(text)) is None


@given(RATIONALS, RATIONALS.filter(bool), st.integers(-3, 3))
def test_exact_arithmetic_is_that_of_fractions(left, right, power):
    ours = f"(({left})-({right}))/({right})+({right})^{{{power}}}"
    assert exactly(ours) == (left - right) / right + right**power


@given(RATIONALS, st.integers(2, 9), st.integers(60, 400))
def test_values_apart_beyond_double_precision_differ(value, base, power):
    for start in (f"({value})", f"({value})+\\sqrt{{2}}", f"({value})\\cdot\\pi"):
        here, there = f"{start}+\\frac{{1}}{{{base}^{{{power}}}}}", f"{start}+\\frac{{1}}{{{base}^{{{power + 1}}}}}"
        assert same(here, f"{base}^{{-{power}}}+{start}") is True
        assert same(here, there) is False
        assert same(here, start) is False


@given(st.integers(2, 400))
def test_roots_are_told_apart_from_their_digits(number):
    root = approximate(f"\\sqrt{{{number}}}")
    assert root is not None and abs(root**2 - number) < 1e-9
    digits = f"{root.real:.15f}"
    is_square = round(root.real) ** 2 == number
    assert same(f"\\sqrt{{{number}}}", digits) is is_square


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        (r"\sqrt{x^2}", "|x|", True),
        (r"\sqrt{x^2}", "x", None),
        (r"\sqrt{xy}", r"\sqrt{x}\sqrt{y}", None),
        ("(x+y)^2", "x^2+2xy+y^2", True),
        ("(x+y)^2", "x^2+xy+y^2", False),
        ("x", "y", False),
        (r"\log 2+\log 5", "1", True),
        (r"\log e", "1", True),
        (r"\sin\pi", "0", True),
        ("9^{9^{9^9}}", "5", False),
        ("9^{9^{9^9}}", "9^{9^{9^9}+1}", None),
    ],
)
def test_identities(gold, answer, verdict):
    assert same(gold, answer) is verdict


def test_only_expressions_without_variables_are_closed():
    assert closed(clean(r"\frac{e^{i\pi}}{2}")) and not closed("2x") and not closed("(1,2)")


def test_a_decimal_is_rounded_or_cut_off():
    third = Fraction(2, 3)
    assert is_rounded_from(Fraction("0.666667"), 6, third) and is_rounded_from(Fraction("0.666666"), 6, third)
    assert not is_rounded_from(Fraction("0.666668"), 6, third)
    assert not is_rounded_from(Fraction("-0.666667"), 6, third)


def test_the_tolerance_is_absolute_and_relative():
    assert within_tolerance(Fraction("17.3"), Fraction("17.3000001"))
    assert not within_tolerance(Fraction("1234567.5"), Fraction("1234567.8"))
    assert not within_tolerance(Fraction("0.0000001"), Fraction(0))


def test_plain_numbers_know_how_they_are_written():
    number = parse_plain(clean(r"12{,}345.50\%"))
    assert number is not None
    assert (number.value, number.exact, number.percent, number.places) == (Fraction("12345.5"), False, True, 2)
