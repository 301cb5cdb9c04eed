import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe_tapo.algorithm.selection import group_rng, is_correct, is_eligible, select_pairs

THRESHOLDS = {"n_pos": 2, "n_neg": 4, "m_max": 4}


@pytest.mark.parametrize(
    ("right", "eligible"),
    [(0, False), (1, False), (2, True), (3, True), (4, True), (5, False), (8, False)],
)
def test_of_eight_rollouts_two_to_four_right_ones_are_eligible_under_the_papers_thresholds(right, eligible):
    correct_G = [True] * right + [False] * (8 - right)
    assert is_eligible(correct_G, n_pos=2, n_neg=4) is eligible


def test_four_of_six_wrong_rollouts_are_taken_each_once_and_paired_with_a_right_one():
    correct_G = [True, False, False, True, False, False, False, False]
    pairs = select_pairs(correct_G, **THRESHOLDS, rng=group_rng(0, 1, "q"))
    assert len(pairs) == 4
    assert len({pair.error for pair in pairs}) == 4
    assert all(not correct_G[pair.error] and correct_G[pair.correct] for pair in pairs)


def test_an_ineligible_group_gives_no_pairs():
    assert select_pairs([True] * 5 + [False] * 3, **THRESHOLDS, rng=group_rng(0, 1, "q")) == []
    assert select_pairs([], **THRESHOLDS, rng=group_rng(0, 1, "q")) == []


def test_the_choice_depends_on_seed_step_and_question_alone():
    correct_G = [True, True] + [False] * 6

    def choose(*key):
        return select_pairs(correct_G, **THRESHOLDS, rng=group_rng(*key))

    assert choose(0, 1, "q") == choose(0, 1, "q")
    others = [choose(1, 1, "q"), choose(0, 2, "q"), choose(0, 1, "other")]
    assert all(other != choose(0, 1, "q") for other in others)


def test_wrong_rollouts_and_right_ones_are_drawn_uniformly():
    correct_G = [True, True] + [False] * 6
    errors, corrects = Counter(), Counter()
    for step in range(3000):
        for pair in select_pairs(correct_G, **THRESHOLDS, rng=group_rng(0, step, "q")):
            errors[pair.error] += 1
            corrects[pair.correct] += 1
    # 3000 groups x 4 of 6 wrong rollouts: 2000 each, sd = sqrt(3000 * 2/3 * 1/3) = 26; 12000 draws of 2: 6000, sd 55.
    assert all(abs(errors[i] - 2000) < 5 * 26 for i in range(2, 8))
    assert abs(corrects[0] - 6000) < 5 * 55


@pytest.mark.parametrize(
    ("score", "info", "expected"),
    [
        (1.0, None, True),
        (0.0, {}, False),
        (-1.0, None, False),
        (0.5, None, True),
        (0.9, {"acc": 0.0}, False),  # a shaped score does not make a wrong answer right
        (-0.2, {"acc": True}, True),
        (-1.0, {"acc": -1.0}, False),  # verl copies a plain score of -1 into acc
        (math.nan, None, False),
        (1.0, {"acc": None}, True),
        (1.0, {"acc": "broken"}, False),
    ],
)
def test_right_or_wrong_follows_acc_where_given_else_the_sign_of_the_score(score, info, expected):
    assert is_correct(score, info) is expected


@given(st.lists(st.booleans(), max_size=20), st.integers(1, 4), st.integers(1, 4), st.integers(1, 6), st.integers())
def test_selection_never_exceeds_its_limits(correct_G, n_pos, n_neg, m_max, seed):
    pairs = select_pairs(correct_G, n_pos=n_pos, n_neg=n_neg, m_max=m_max, rng=group_rng(seed, 0, ""))
    wrong = len(correct_G) - sum(correct_G)
    assert len(pairs) == (min(m_max, wrong) if is_eligible(correct_G, n_pos, n_neg) else 0)
