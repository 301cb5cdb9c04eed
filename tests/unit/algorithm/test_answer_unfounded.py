"""Which corrections end in an answer that comes from nowhere."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_texts import read_labelled

from examples.benchmark.attempts import OWN_ATTEMPTS
from recipe_tapo.algorithm import answer_unfounded
from recipe_tapo.grading.extract import extract_answer


def states_answer_unfounded(text, answer, question, kept=""):
    return answer_unfounded.states_answer_unfounded(text, extract_answer(text), answer, question, kept)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Wait, that is wrong. I take another way.\n\nTherefore, \\(x\\) is \\(\\boxed{4}\\).", "4"),
        ("Wait, 3 + 4 = 9. So the answer is\n\\[\n\\boxed{30}\n\\]", "\\$30"),
        ("Wait, this gives 10.5 square units.\nFinal Answer: 6", "6"),
        ("Wait, no. The value is \\(\\boxed{-\\frac{3}{5}}\\).", "-\\frac35"),
        ("Wait, 19 + 20 = 39. So 41 degrees.\nThus \\boxed{45^\\circ}", "45^\\circ"),
        ("Wait, no. The area is \\(\\boxed{2}\\) cm^2.", "2"),  # the unit's exponent is no calculation
        ("Wait, 3 + 4 = 9. So the answer is\n$$\n\\boxed{30}\n$$", "30"),
        ("Wait,\n\\[\n3 + 4 = 9\n\\]\nThe answer is\n\\[\n\\boxed{30}\n\\]", "30"),
        ("Wait, a is 10, b is 5, c is 7 and d is 3. So it is \\boxed{14}.", "14"),  # no neighbours' sum
        ("Wait, 1 and 3.\nFinal Answer: \\boxed{4}", "4"),  # sums of small numbers are everywhere
    ],
)
def test_an_answer_from_nowhere(text, answer):
    assert states_answer_unfounded(text, answer, "What is x?", "We have x = 3.\n")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Wait, 8/2 is 4.\nFinal Answer: \\boxed{4}", "4"),
        ("Wait, so x = 8/2 = \\boxed{4}", "4"),  # the last sentence calculates
        ("Wait, it is 2/9.\nFinal Answer: \\boxed{\\frac{2}{9}}", "\\frac{2}{9}"),
        ("```output\n18.0\n```\nShe scored \\(\\boxed{18}\\) points.", "18"),
        ("Wait, x is -2, so its size is what is asked for.\nFinal Answer: 2", "2"),
        ("所以和为-2。\nFinal Answer: \\boxed{-2}", "-2"),
        ("Wait, the 1,200 are right.\nFinal Answer: \\boxed{1200}", "1200"),
        ("Wait, no.\n\n\\[\n3 \\times 4 =\n\\boxed{12}\n\\]", "12"),  # a display is one statement
        ("Wait, no.\n\n$$\n3 \\times 4 =\n\\boxed{12}\n$$", "12"),
        ("Wait, no.\n\\begin{aligned}\n3 \\times 4 \\\\\n&\\text{so } \\boxed{12}\n\\end{aligned}", "12"),
        ("Wait, no. It is 3 m times 4 m, an area of \\(3 \\times 4\\) or \\(\\boxed{12}\\) m^2.", "12"),
        ("Wait, \\(p = \\frac{532}{729}\\), in lowest terms.\nThus the numerator.\nFinal Answer: \\boxed{532}", "532"),
        ("Wait, it is 4561. Its last three digits are what is asked for.\nFinal Answer: \\boxed{561}", "561"),
        ("Wait, 7 to the fourth is 2401. The units digit is \\boxed{1}.", "1"),
        ("Wait, \\(m = 27\\) and \\(n = 38\\).\nTherefore, \\(m+n\\) is:\nFinal Answer: \\boxed{65}", "65"),
        ("Wait, \\(x = \\frac{27}{38}\\), hence the sum.\nFinal Answer: \\boxed{65}", "65"),
        ("Wait, a is 10, b is 20 and c is 4.\nTogether: \\boxed{34}", "34"),
        ("Wait, that is wrong.\nFinal Answer: \\boxed{5}", "4"),  # not the right sibling's
        ("Wait, that is wrong.\nFinal Answer: \\boxed{(1, 2)}", "(1, 2)"),  # no number
        ("Wait, that is wrong.\nFinal Answer: \\boxed{x}", "x"),
        ("Wait, I give up.", "4"),
        ("", ""),
    ],
)
def test_a_founded_one(text, answer):
    assert not states_answer_unfounded(text, answer, "What is x?")


def test_question_and_beginning_found_what_has_two_digits():
    text = "Wait, that is wrong.\nFinal Answer: \\boxed{%s}"
    assert not states_answer_unfounded(text % 17, "17", "Is it 15 or 17?")
    assert not states_answer_unfounded(text % 17, "17", "", "x is 17.\n")
    assert states_answer_unfounded(text % 4, "4", "Is it 4 or 5?", "x is 4.\n")


def test_natural_solutions_pass_but_for_the_one_that_argues_without_a_number():
    attempts = [json.loads(line) for line in OWN_ATTEMPTS.read_text().splitlines()]
    rollouts = {attempt["correct_rollout"]: attempt["question"] for attempt in attempts}
    found = [
        text for text, question in rollouts.items() if states_answer_unfounded(text, extract_answer(text), question)
    ]
    assert len(rollouts) == 93
    assert len(found) == 1 and "same color" in found[0]


def test_against_what_a_real_model_wrote():
    """Right answers that a reader found unfounded; the guard was written on these texts."""
    rows = [row for row in read_labelled("leak_labels_continuation.jsonl") if row.get("unfounded")]
    found = [states_answer_unfounded(row["text"], extract_answer(row["text"]), "") for row in rows]
    assert (len(rows), sum(found)) == (16, 7)


@given(st.text(), st.text(), st.text(), st.text())
def test_any_texts_do(text, answer, question, kept):
    assert states_answer_unfounded(text, answer, question, kept) in (True, False)


@given(st.integers(10, 10**9), st.integers(10, 10**9))
def test_any_number_is_found_and_excused(number, other):
    text = f"Wait, that is wrong.\nFinal Answer: \\boxed{{{number}}}"
    assert states_answer_unfounded(text, str(number), "")
    ends_so = str(other).endswith(str(number))
    assert states_answer_unfounded(f"It is {other}. {text}", str(number), "") == (not ends_so)


@pytest.mark.parametrize("unit", ["1", "1/", "\\frac{1}", ". ", "4 ", "{", "\n", "4\n", "$$", "\\[", "^4"])
def test_long_texts_take_no_time(unit):
    text = unit * (200_000 // len(unit)) + "\nFinal Answer: \\boxed{4}"
    started = time.perf_counter()
    states_answer_unfounded(text, "4", "", text)
    assert time.perf_counter() - started < 1.0
