"""Which texts turn, judged by their words."""

import pytest

from recipe_tapo.algorithm.doubt import doubts_somewhere, expresses_doubt, find_doubt


@pytest.mark.parametrize(
    "text",
    [
        "Wait, 3 × 4 is 12.",
        "Hmm, that is off.",
        "Let me re-check the last line.",
        "This doesn't look right.",
        "That isn’t right.",
        "This doesn't seem to be correct.",
        "等等，这里不对。",
    ],
)
def test_plain_words_of_doubt_count_everywhere(text):
    assert expresses_doubt(text)
    assert doubts_somewhere(500 * "x = 1. " + text)


@pytest.mark.parametrize(
    "text",
    [
        "However, x must be even.",
        "It should be 7.",
        " is not the correct answer.",
        " list is incomplete.",
        " does not agree with x > 0.",
        " doesn't match the sum.",
        " is 5. Let's re-evaluate it.",
        "The error of the estimate is 2.",
        "Let me think again.",
        " cannot be, for x > 0.",
        " can't be: x > 0.",
        " looks wrong.",
        " doesn't make sense.",
        " contradicts a + b = 2.",
        " seems to be a misunderstanding.",
        " has a discrepancy.",
        " seems like we are double-counting the points.",
    ],
)
def test_words_that_doubt_only_where_a_doubt_is_due_do_not_count_in_a_whole_rollout(text):
    assert expresses_doubt(text)
    assert not doubts_somewhere(text)


def test_a_doubt_far_behind_the_prefix_is_about_something_else():
    assert not expresses_doubt(400 * "x" + " Wait, no.")


@pytest.mark.parametrize(
    "text",
    ["The waiter waits for the slippers.", "Let me calculate the area first.", "The triangle is not right-angled."],
)
def test_what_only_sounds_like_one_is_none(text):
    assert not doubts_somewhere(text)


@pytest.mark.parametrize(
    "text",
    [
        "On second thought, x = 4.",
        "Let me go back to line 2.",
        "I should check that.",
        "Redo it.",
    ]
    + ["Hang on, x = 4.", "However, that should be 4.", "让我再算一次。"],
)
def test_a_doubt_is_found_where_it_is_expressed(text):
    prefix = "However, x = 3 is wrong. "  # the wrong rollout's own words do not count
    found = find_doubt(prefix + text, len(prefix))
    assert expresses_doubt(text) and found is not None and found.start() >= len(prefix)


def test_far_behind_the_prefix_only_plain_words_are_found():
    far = 500 * "x = 1. "
    assert find_doubt(far + "However, x = 2.", 0) is None
    assert find_doubt(far + "Wait, x = 2.", 0).start() == len(far)
