import hashlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_texts import read_labelled

from recipe_tapo.algorithm.guards import (
    LeakPatternError,
    echoes_template,
    leaks,
    load_leak_patterns,
    template_phrases,
    unasked,
)
from recipe_tapo.algorithm.prompts import PLACEHOLDERS, fill_template, load_template, read_lines

LABELS = read_labelled("leak_labels.jsonl")
CONTINUATIONS = read_labelled("leak_labels_continuation.jsonl")  # what a real model wrote behind a doubt begun for it
REWRITINGS = read_labelled("leak_labels_rewriting.jsonl")  # what passed the guards of its day, of 202 rewritings
PATTERNS = load_leak_patterns()
PHRASES = template_phrases(load_template())

# ---- echo


@pytest.mark.parametrize(
    "text",
    [
        "the rebuilt reasoning\nFinal Answer: \\boxed{25}",
        "**The  rebuilt\nreasoning:** x = 2\nFinal Answer: \\boxed{2}",
        "x = 2\nFinal Answer: \\boxed{answer}",
        "x = 2\nFinal Answer: $\\boxed{ Answer }$",
        "Where the first wrong step is and what kind of mistake it is: step 2.\nFinal Answer: \\boxed{2}",
        "## Attempt with a wrong answer\nx = 2\nFinal Answer: \\boxed{2}",
    ],
)
def test_words_of_the_template_are_an_echo(text):
    assert echoes_template(text, PHRASES)


@pytest.mark.parametrize(
    "text",
    [
        "x = 3. Wait, let me double-check that. x = 2\nFinal Answer: \\boxed{2}",  # quoted in the template, to be said
        "The boxed answer is \\boxed{2}",
        "You are given a problem with two unknowns.\nFinal Answer: \\boxed{2}",
        "I rebuilt the reasoning.\nFinal Answer: \\boxed{2}",
        "",
    ],
)
def test_other_words_are_none(text):
    assert not echoes_template(text, PHRASES)


def test_what_question_and_rollouts_say_is_no_phrase():
    question = "How many positive divisors does 72 have?"
    template = load_template()
    filled = fill_template(template, question=question, correct_rollout="There are twelve of them.", error_rollout="-")
    assert question in filled
    assert not echoes_template(f"{question} There are twelve of them.", PHRASES)
    assert all("{" not in phrase or phrase.startswith("\\") for phrase in PHRASES)


def test_phrases_of_a_users_template():
    template = (
        "Task: {question}\n"  # holds a placeholder
        "# The hints\n"  # two words
        "1. Solve it.  Then explain every single step you take!\n"
        "That step is:\n"  # leads something in, and short
        '"Wait, I made an error."\n'  # a quotation
        'Write "Wait. That is wrong. Let me see." and go on.\n'
        "重建的推理\n"  # five characters: three words
        "\\boxed{42} \\boxed{x} \\boxed{your answer} \\boxed{答案} \\boxed{...}"  # the first two could be answers
    )
    assert template_phrases(template) == [
        "solve it then explain every single step you take",
        "then explain every single step you take",
        "write wait that is wrong let me see and go on",
        "重建的推理",
        "\\boxed{youranswer}",
        "\\boxed{答案}",
        "\\boxed{...}",
    ]
    phrases = template_phrases(template)
    assert echoes_template("这是重建的推理。", phrases)
    assert not echoes_template("That is wrong. Let me see. \\boxed{42}", phrases)


def test_the_words_of_a_worked_example_are_free():
    """The paper's Fig. 2 shows one; a solution that turns in its words echoes nothing."""
    template = (
        "Rebuild the attempt up to its first mistake.\n"
        "2x + 5 = 13, so 2x = 18\n"
        "Wait, let me double check that.\n"
        "So x = 4, and the answer is 4.\n"
        "{question} {error_rollout} {correct_rollout}"
    )
    assert template_phrases(template) == ["rebuild the attempt up to its first mistake"]


def test_a_phrase_does_not_begin_or_end_inside_a_word():
    assert echoes_template("in the plan", ["the plan"])
    assert not echoes_template("in the plane", ["the plan"])


@pytest.mark.parametrize("mode", PLACEHOLDERS)
def test_no_ordinary_text_echoes_a_shipped_template(mode):
    phrases = template_phrases(load_template(mode=mode))
    assert phrases
    assert not any(echoes_template(label["text"], phrases) for label in LABELS if not label["leak"])


@given(st.text())
def test_no_text_raises(text):
    echoes_template(text, template_phrases(text))
    leaks(text, PATTERNS)


# ---- leaks


def _in_tuning_half(text: str) -> bool:
    """The patterns were chosen on this half; the other one measures them."""
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 1


def _precision_and_recall(labels: list[dict]) -> tuple[float, float]:
    found = [label["leak"] for label in labels if leaks(label["text"], PATTERNS)]
    return sum(found) / len(found), sum(found) / sum(label["leak"] for label in labels)


@pytest.mark.parametrize("tuning", [True, False])
def test_leaks_are_found_in_real_attempts(tuning):
    """Measured: precision 1.00 and recall 0.93 (40 of 43) on the tuning half, 1.00 and 0.96 (26 of 27) on the other."""
    labels = [x for x in LABELS if x["source"] != "written" and _in_tuning_half(x["text"]) == tuning]
    assert len(labels) >= 40
    precision, recall = _precision_and_recall(labels)
    assert precision >= 0.97
    assert recall >= 0.90


@pytest.mark.parametrize(("sample", "recall"), [("first", 0.9), ("fresh", 0.7), ("turn", 0.4), ("own attempts", 0.5)])
def test_leaks_are_found_in_real_continuations(sample, recall):
    """Measured: 17 of 18, 5 of 7, 2 of 5, 5 of 9. All but the first had passed the patterns of their day.

    The patterns were extended on all four, so this says what they know, not what they would find elsewhere. What they
    miss of the last two ("as we calculated earlier") is right to say in a response that did.
    """
    labels = [label for label in CONTINUATIONS if label["sample"] == sample]
    found = _precision_and_recall(labels)
    assert found[0] == 1.0 and found[1] >= recall


def test_leaks_are_found_in_real_rewritings():
    """Measured: 23 of 40, the patterns having been extended on these texts; of those of their day none was left."""
    assert sum(label["leak"] for label in REWRITINGS) == 40 and len(REWRITINGS) == 63
    found = [label["leak"] for label in REWRITINGS if leaks(label["text"], PATTERNS, label["kept"])]
    assert all(found) and len(found) >= 23


def test_the_sample_is_large_and_of_every_source():
    assert len(LABELS) >= 100
    assert len({label["text"] for label in LABELS}) == len(LABELS)
    for source, at_least in {"stored": 49, "recovered": 33, "rollout": 30, "written": 30}.items():
        assert sum(label["source"] == source for label in LABELS) >= at_least


def test_natural_self_correction_is_no_leak():
    natural = [label["text"] for label in LABELS if label["source"] == "written" and not label["leak"]]
    assert len(natural) >= 20
    assert [text for text in natural if leaks(text, PATTERNS)] == []


@pytest.mark.parametrize(
    "text",
    [
        "Wait, I see what you did wrong.",
        "Wait, this is the same question again.",  # of the chat in which the sibling is an earlier answer
        "Wait, this question was already answered: 4.",
        "As I said in my previous answer, x = 4.",
        "Wait, I see your last step is not right.",
        "Wait, that is a mistake in your answer, which began well.",
        "The last line of your answer is: 5",
        "Wait, you've already said in words that this step is wrong.",
        "Your calculation was almost correct.",
        "Wait, it seems there was a misunderstanding in the previous response.",
        "Wait, could you review the step carefully?",
        "Wait, I see the answer is already provided. My apologies for the confusion.",
        "Wait, I see you stopped there. I need to continue.",
        "Wait, you're correct! I see the mistake now.",
        "Wait, the output you're showing is the cost of one pencil.",
        "Wait, this is the result, not the last step in your answer.",
        "Wait, I forgot the final answer in the style in which you began.",
        "Let me mend it. The last line of the answer is: 5",
        "In her attempt she divided by 3.",  # of rewritings
        "Original Reasoning:\nThe vertex is (3, 2).",
        "The wrong step seems to be the second one.",
        "Despite the mistake, the answer is 4.",
        "Let's rearrange the logical steps.",
    ],
)
def test_words_to_whoever_asked_are_a_leak(text):
    assert leaks(text, PATTERNS)


@pytest.mark.parametrize(
    "text",
    [
        "Wait, this contradicts my previous answer, which was 4.",
        "Our first solution is x = 3. It is the same problem for y.",
        "Enter your answer as a fraction.",
        "Your answer should be of the form a + bi, simplifying all fractions in your answer.",
        "Whatever you did to the left side must be done to the right.",
        "The candies you gave to Tom are 4 of 9.",
        "If you made 4 of 5 free throws, then you have a rate of 80%.",
        "The number you wrote on the board is 7. Your first result was a 3.",
        "Your work hours are 8 a day, so your answer is 40.",
        "Can you see that 3 divides 12?",
        "If you start at 3 and are going right, you see that you are 4 away.",
        "Then x is the number you started with, and the cards you didn't draw are 48.",
        "Once you have completed the square, you are right back at the start.",
        "One solution is already given, x = 2. Now I see you need 3 more.",
        "My apologies, I made a mistake: 6 * 4 = 24.",
        "The last line of the poem is the answer.",
        "Once you have written it as a product, each factor may be zero.",
        "This is easy when you've written the equation. After you have made the substitution, it is linear.",
        "If you made a mistake, the check fails.",
        "The left solution is x=-2 and the right solution is x=5.",
    ],
)
def test_a_problem_may_speak_to_its_reader(text):
    assert not leaks(text, PATTERNS)


@pytest.mark.parametrize(
    "text",
    [
        "等等，我们应该尝试另一种方法：设 x=3。",
        "等等，我们该尝试另一种方法。",
        "等等，这是错误的推理。由 x+2=5 得 x=3。",
        "等等，这一步应该推理得更仔细。",
        "等等，这个错误的解答需要修正。",
    ],
)
def test_chinese_self_doubt_is_no_leak(text):
    assert not leaks(text, PATTERNS)


@pytest.mark.parametrize("text", ["该尝试在第二步出错。", "等等，该解答忽略了 0。", "错误的尝试漏了一步。"])
def test_talk_of_the_attempt_in_chinese_is_a_leak(text):
    assert leaks(text, PATTERNS)


@pytest.mark.parametrize(
    ("asked", "excused"),
    [
        ("Solve 2x=8. Put your final answer within \\boxed{}.", True),
        ("Follow the instructions. 2x=8?", True),
        ("2x=8?", False),
    ],
)
def test_instructions_that_the_prompt_gives_may_be_spoken_of(asked, excused):
    patterns = unasked(PATTERNS, asked)
    assert leaks("The instructions say to put the final answer in \\boxed{}.", patterns) is not excused
    assert leaks("The attempt is wrong.", patterns)


@pytest.mark.parametrize(
    ("asked", "excused"),
    [
        ("What is 2+2? (A) 3 (B) 4", True),
        ("What is 2+2?\nA. 3\nB. 4", True),
        ("Which of the options is even?", True),
        ("What is 2+2?", False),
        ("A is 2 and B is 3. What is A+B?", False),
    ],
)
def test_answers_to_choose_from_may_be_spoken_of(asked, excused):
    patterns = unasked(PATTERNS, asked)
    for text in ("This is one of the options provided.", "This is none of the choices given."):
        assert leaks(text, patterns) is not excused


def test_what_the_question_says_may_be_said_again():
    assert not leaks("The attempt scores 3.", unasked(PATTERNS, "What does the attempt score?"))


def test_taking_up_what_was_not_said_is_a_leak_only_at_the_beginning():
    assert leaks("To correct this, we multiply: 6 * 4 = 24.", PATTERNS)
    assert not leaks("6 * 4 = 20. To correct this, we multiply: 6 * 4 = 24.", PATTERNS)


def test_what_is_kept_is_the_rollouts_own_and_what_follows_may_complete_a_leak():
    """A rewriting that shares but its first word with y⁻ opens with all of these words."""
    assert leaks("To correct this, we multiply: 6 * 4 = 24.", PATTERNS, start=len("To"))
    assert leaks("The attempt is wrong. The attempt is wrong.", PATTERNS, start=len("The attempt is wrong."))
    assert not leaks("The attempt is wrong. So x = 4.", PATTERNS, start=len("The attempt"))


def test_a_users_file_replaces_the_patterns(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("# my own\n\n\\bthe oracle\\b\n", encoding="utf-8")
    patterns = load_leak_patterns(path)
    assert [pattern.pattern for pattern in patterns] == ["\\bthe oracle\\b"]
    assert leaks("As The Oracle says", patterns)
    assert not leaks("the attempt", patterns)


def test_a_byte_order_mark_belongs_to_no_file_of_a_users(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("\ufeff# mine\nWait, this\n", encoding="utf-8")
    assert [pattern.pattern for pattern in load_leak_patterns(path)] == read_lines(path, "beginnings") == ["Wait, this"]
    path.write_text("\ufeff{question} {correct_rollout}", encoding="utf-8")
    assert load_template(path, "self_teacher") == "{question} {correct_rollout}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("fine\n(unclosed\n", "line 2: no regular expression"),
        ("a*\n", "line 1: matches the empty text"),
        ("# nothing\n", "holds no pattern"),
        (None, "cannot read the leak patterns"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, content, message):
    path = tmp_path / "mine.txt"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(LeakPatternError, match=re.escape(str(path))) as error:
        load_leak_patterns(path)
    assert message in str(error.value)


UNITS = [
    "a",
    " ",
    "\n",
    "推",
    "1",
    "the ",
    "the attempt",
    "re",
    "reconstruct ",
    "first ",
    "solution ",
    "\\boxed{",
    "a\n",
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("unit", UNITS)
def test_guards_are_linear_in_the_text(unit):
    """200 kB take about 0.2 s of the processor; in quadratic time they would take minutes."""
    text = unit * (200_000 // len(unit))
    start = time.process_time()
    leaks(text, PATTERNS)
    echoes_template(text, PHRASES)
    assert time.process_time() - start < 5
