import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe_tapo.algorithm.answer_first import states_answer_first


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"Wait, this result is \(324\), which is not \(353\). Let's recheck.", "353"),
        (r"Wait, this doesn't match the expected answer, which is \(\boxed{4}\). Let me recheck.", "4"),
        (").\n\nWait, this is not right. The area should be 2, as we calculated earlier.", "2"),
        ("Wait, this seems wrong because we should have gotten 1. Let's recheck.", "1"),
        ("Wait, the result should be $1.45, not $1.75. Let's recheck.", "1.45"),
        ("]\n\nWait, let's recheck. The correct product should be:\n\\[\n\\boxed{3456}\n\\]", "3456"),
        (r"Wait, this is off. It is \(\dfrac{1}{25}\).", r"\frac{1}{25}"),
        (r"Wait, this is off. It is \( \left( 3, \frac \pi 2 \right) \).", r"(3,\frac\pi2)"),
        ("Wait, let me double-check that. This principle should give us exactly 131, not 81.", "131"),
        ("Wait, the answer is 12 dollars.", r"12\text{ dollars}"),
        ("Wait, the bottom value is D = 7.", "7"),  # an equation that says the answer is no reason for it
        ("等等，正确答案是 7。", "7"),
    ],
)
def test_an_answer_without_a_reason_comes_first(text, answer):
    assert states_answer_first(text, answer, seen="")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"Wait, this is wrong: 17 + 3 is 20, so the sum is 20.", "20"),
        ("Wait, the divisors are 6, 8, 9, 12 and 18. There are 5.", "5"),
        ("Wait, 8 divided by 2 is 4.", "4"),
        ("Wait, dividing both sides by 10 the length is 7.", "7"),
        (r"Wait, this simplifies to \(\frac{480}{15} = 32\).", "32"),
        ("Wait, 5 is odd, so the answer is 7.", "7"),
        ("Wait, this is wrong because the side is twice as long. The area is 7.", "7"),
        ("Wait, this should be 4 * 5 and not 4 + 5.", "4"),  # a part of a calculation
        ("Wait, this is 12.5 and not 13.", "12"),
        ("Wait, this is 120 and not 13.", "12"),
        ("Wait, this list is incomplete. We need 12 and 18 as well.", "12"),
        ("Wait, this is a mistake. The correct one is B.", "B"),
        ("Wait, this is a mistake.", "a"),
        ("等等，因为少了一个，所以答案是 7。", "7"),
        ("Wait, this is 7.", ""),
        ("Wait, this is 7.", r"\text{}$."),
        ("", "7"),
        ("Wait, " + "this is worth another look. " * 10 + "The answer is 7.", "7"),  # late: 286 characters behind
    ],
)
def test_a_reason_or_something_else_does_not(text, answer):
    assert not states_answer_first(text, answer, seen="")


def test_what_was_said_before_gives_nothing_away():
    text = "Wait, this is not what I had. The answer is 7."
    assert states_answer_first(text, "7", seen="Add 3 and 4, 7 times.")
    assert not states_answer_first(text, "7", seen="x = 7, hence the answer is 8.")
    assert not states_answer_first(text, "7", seen="Bob says that the sum is $7$.")


@given(st.text(), st.text(), st.text())
def test_any_texts_do(text, answer, seen):
    assert states_answer_first(text, answer, seen) in (True, False)


@given(answer=st.integers(2, 10**6))
def test_any_number_is_found_and_excused(answer):
    text = f"Wait, it should be {answer}."
    assert states_answer_first(text, str(answer), seen="")
    assert not states_answer_first(text, str(answer), seen=f"the sum is {answer}")
    assert not states_answer_first(f"Wait, since it is even it should be {answer}.", str(answer), seen="")


@pytest.mark.parametrize("piece", ["is ", "=", "\\", " ", "7", "is not the ", "a", "{", "答案是"])
def test_a_long_text_takes_linear_time(piece):
    seen = piece * (1_000_000 // len(piece))
    started = time.perf_counter()
    states_answer_first("Wait, it is 77.", "77", seen)
    assert time.perf_counter() - started < 1.0  # 0.1 s on a free core
