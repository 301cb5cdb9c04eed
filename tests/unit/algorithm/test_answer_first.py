import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_texts import read_labelled

from recipe_tapo.algorithm.answer_first import states_answer_first
from recipe_tapo.grading.extract import extract_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"Wait, this result is \(324\), which is not \(353\). Let's recheck.", "353"),
        (r"Wait, this doesn't match the expected answer, which is \(\boxed{4}\). Let me recheck.", "4"),
        (r"Wait, this is not right. The area of \(BDE\) should be 2, as we calculated earlier.", "2"),
        ("Wait, this seems wrong because we should have gotten 1. Let's recheck.", "1"),
        ("Wait, the result should be $1.45, not $1.75. Let's recheck.", "1.45"),
        ("Wait, let's recheck. The correct product should be:\n\\[\n\\boxed{3456}\n\\]", "3456"),
        ("Wait, let me double-check that. This principle should give us exactly 131, not 81.", "131"),
        ("Wait, the correct percentage is 27%, not 8%.", r"27\%"),
        (r"Wait, \(x = 324\) is not right. The answer should be \(353\).", "353"),
        (r"Wait, this is off. It is \(\dfrac{1}{2}\).", r"\frac12"),
        (r"Wait, this is off. It is \( \left( 3, \frac \pi 2 \right) \).", r"(3,\frac\pi2)"),
        ("Wait, this is off. It's **1,000**.", "1000"),
        ("Wait, the answer is 12 dollars.", r"12\text{ dollars}"),
        ("Wait, this should be 45 minutes.", "45"),
        ("Wait, the winner is Evelyn.", r"\text{Evelyn}"),
        ("Wait, I need to see if that is right. The answer should be -7.", "-7"),
        ("等等，正确答案是 7。", "7"),
        ("Wait, " + "look here. " * 27 + "The answer is 120.", "120"),  # "is" stands at 6 + 27·11 + 11 = 314
    ],
)
def test_an_answer_without_a_reason_comes_first(text, answer):
    assert states_answer_first(text, answer, question="")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"Wait, this is wrong: 17 + 3 is 20, so the sum is 20.", "20"),
        (r"Wait, this simplifies to \(\frac{480}{15} = 32\).", "32"),
        ("Wait, the divisors are 6, 8, 9, 12 and 18. There are 5.", "5"),
        ("Wait, 8 divided by 2 is 4.", "4"),
        ("Wait, the sum of 17 and 3 is 20.", "20"),
        ("Wait, 5! = 120.", "120"),
        (r"Wait, \(f(2) = 5\).", "5"),
        ("Wait, x = 4.", "4"),
        (r"Wait, \(\binom{5}{2} = 10\), not 20.", "10"),
        ("Wait, 30% of 90 is 27.", "27"),
        ("Wait, both roots count, hence the answer is 7.", "7"),
        ("Wait, by Pythagoras the hypotenuse is 7.", "7"),
        ("Wait, I forgot the empty set. The count is 7.", "7"),
        ("Wait, 9:5=8 8*5=9 ok\nFinal Answer: \\boxed{8}", "8"),  # the study's language
        ("Wait, that is too large by one.\nFinal Answer: \\boxed{8}", "8"),
        ("Wait, this needs cases.\nFor \\(n = 4\\): none. The largest one is 9, though.", "4"),
        ("Wait, this is wrong because the side is twice as long. The area is 7.", "7"),
        ("Wait, the equation is 2(x + 3).", "2"),
        ("Wait, this should be 4 * 5 and not 4 + 5.", "4"),
        ("Wait, the price is 5% of that.", "5"),
        ("Wait, her age is 3 times his.", "3"),
        ("Wait, let's list them: 2, 3, 5.", "2"),
        ("Wait, let me redo this step by step:\n\n1. Start anew.", "1"),
        ("Wait, this is 12.5 and not 13.", "12"),
        ("Wait, this is 120 and not 13.", "12"),
        ("Wait, this list is incomplete. We need 12 and 18 as well.", "12"),
        ("Wait, this is a mistake. The correct one is B.", "B"),
        ("Wait, this is a mistake.", "a"),
        ("Wait, this gives us 2 cases to consider.", "2"),
        ("Wait, this gives 2 equations in two unknowns.", "2"),
        ("Wait, this gives 2 different cases.", "2"),
        ("Wait, this is 1 of the roots.", "1"),
        ("Wait, this is 0 when $x=1$, not for all x.", "0"),
        ("Wait, this is 3 only for one of them.", "3"),
        ("等等，因为少了一个，所以答案是 7。", "7"),
        ("等等，8 加 4 等于 12。", "12"),
        ("Wait, this is 7.", ""),
        ("Wait, this is 7.", r"\text{}$."),
        ("Wait, it is " + "1" * 101, "1" * 101),
        ("", "7"),
        ("Wait, " + "look here. " * 28 + "The answer is 7.", "7"),  # "is" stands at 6 + 28·11 + 11 = 325
    ],
)
def test_a_reason_or_something_else_does_not(text, answer):
    assert not states_answer_first(text, answer, question="")


def test_what_was_said_before_gives_nothing_away():
    text = "Wait, this is not what I had. The answer is 7."
    assert states_answer_first(text, "7", "What is 17 + 70?", kept="We add 17 three times.\n")
    assert not states_answer_first(text, "7", "A circle has a radius of 7 cm.")
    assert not states_answer_first(text, "7", "", kept="x = 7\nThe answer is 8.\n")
    assert not states_answer_first("Wait, this is not 45 hours.", "45", "", kept="Sarah has 45 hours left.\n")


def test_a_sentence_that_the_prefix_began_is_not_the_correction():
    assert not states_answer_first("is 4.\nSo x = 4.", "4", "", kept="Dividing 8 by 2 ")
    assert states_answer_first(").\n\nWait, this should be 4.", "4", "", kept="The answer is \\(\\boxed{3}\\")
    assert states_answer_first("Wait, it is 4.", "4", "", kept="The answer is 3. ")
    assert states_answer_first("等等，答案是 4。", "4", "", kept="答案是 3。")


def test_natural_texts_pass():
    rows = read_labelled("leak_labels.jsonl")
    texts = [row["text"] for row in rows if not row["leak"] and row["source"] in ("written", "rollout")]
    assert len(texts) == 64
    assert [text for text in texts if states_answer_first(text, extract_answer(text), "")] == []


def test_against_labels_of_what_a_real_model_wrote_behind_a_begun_doubt():
    """The labels are of one who had seen what is found, and the patterns were written on these texts."""
    rows = [
        row for row in read_labelled("leak_labels_continuation.jsonl") if row["sample"] in ("first", "fresh", "turn")
    ]
    found = [states_answer_first(row["text"], extract_answer(row["text"]), "") for row in rows]
    labels = [row.get("answer_first", False) for row in rows]
    assert (len(rows), sum(labels), sum(found)) == (217, 19, 13)
    assert all(label for label, hit in zip(labels, found, strict=True) if hit)


def test_against_what_passed_the_guard():
    """Sampled with it; what is found without their questions and beginnings, 2 and 4, stands in these."""
    rows = [row for row in read_labelled("leak_labels_continuation.jsonl") if row["sample"] == "again"]
    assert (len(rows), sum(row.get("answer_first", False) for row in rows)) == (60, 1)
    answers = [extract_answer(row["text"]) for row in rows]
    found = [
        (row, answer) for row, answer in zip(rows, answers, strict=True) if states_answer_first(row["text"], answer, "")
    ]
    assert [(answer, row.get("answer_first", False)) for row, answer in found] == [("4", False), ("2", True)]
    assert not any(states_answer_first(row["text"], answer, "", kept=f"It is {answer}. ") for row, answer in found)


def test_against_labels_of_a_later_sample_that_had_passed_the_guard_too():
    """A reader finds 11 in 186. Without questions, beginnings and y⁺'s answers the guard finds one of them."""
    rows = [row for row in read_labelled("leak_labels_continuation.jsonl") if row["sample"] == "own attempts"]
    hits = [states_answer_first(row["text"], extract_answer(row["text"]), "") for row in rows]
    labels = [row.get("answer_first", False) for row in rows]
    assert (len(rows), sum(labels), sum(hits)) == (186, 11, 1)
    assert all(label for label, hit in zip(labels, hits, strict=True) if hit)


@given(st.text(), st.text(), st.text(), st.text())
def test_any_texts_do(text, answer, question, kept):
    assert states_answer_first(text, answer, question, kept) in (True, False)


@given(answer=st.integers(2, 10**6))
def test_any_number_is_found_and_excused(answer):
    text = f"Wait, it should be {answer}."
    assert states_answer_first(text, str(answer), "")
    assert not states_answer_first(text, str(answer), "", kept=f"the sum is {answer}\n")
    assert not states_answer_first(text, str(answer), f"Why {answer}?")
    assert not states_answer_first(f"Wait, since it is even it should be {answer}.", str(answer), "")


@pytest.mark.parametrize("piece", ["is ", "=", "\\", " ", "7", "is not the ", "a", "{", "答案是", "\\text{", "1,", "$"])
def test_a_long_text_takes_linear_time(piece):
    long = piece * (1_000_000 // len(piece))
    started = time.perf_counter()
    states_answer_first("Wait, it is 77.", "77", long, kept=long)
    states_answer_first(long, "77", "", kept=long)
    states_answer_first("Wait, it is 77.", long, "")
    assert time.perf_counter() - started < 3.0  # three long texts; 0.5 s on a free core
