"""The estimators and metrics of an evaluation, on tables whose results are derived by hand."""

import time
from itertools import combinations
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.grid import make_grid
from recipe_tapo.evaluation.metrics import measure, unbiased_ks
from recipe_tapo.evaluation.passk import (
    Estimate,
    estimate,
    majority_right,
    paired_difference,
    paper_pass_at_k,
    standard_error,
    unbiased_pass_at_k,
)
from recipe_tapo.evaluation.records import ResponseRecord
from recipe_tapo.grading.pool import shared_pool

# Two problems, two runs, three samples.
RIGHT_PRS = np.array([[[0, 1, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 1]]], bool)


# --- the paper's Pass@k -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "scores"),
    [
        (1, [[0, 0], [1, 0]]),
        (2, [[1, 0], [1, 0]]),
        (3, [[1, 0], [1, 1]]),
    ],
)
def test_a_run_passes_when_any_of_its_first_k_samples_is_right(k, scores):
    assert paper_pass_at_k(RIGHT_PRS, k).tolist() == scores
    assert estimate(paper_pass_at_k(RIGHT_PRS, k)).value == sum(map(sum, scores)) / 4


@pytest.mark.parametrize("k", [0, 4])
def test_k_must_fit_into_a_run(k):
    with pytest.raises(ValueError, match="k must be from 1 to 3"):
        paper_pass_at_k(RIGHT_PRS, k)


# Pass@1 and Pass@5 as the paper's tables print them, and how many of 30 x 16 problems and runs passed.
PRINTED = [
    ("62.50", 300, "80.21", 385),  # 300/480 = 0.625, 385/480 = 0.80208
    ("46.88", 225, "67.92", 326),  # 0.46875, 0.67917
    ("31.46", 151, "50.00", 240),  # 0.31458, 0.5
    ("23.75", 114, "37.08", 178),  # 0.2375, 0.37083
    ("52.92", 254, "74.58", 358),  # 0.52917, 0.74583
    ("14.37", 69, "26.46", 127),  # 0.14375, 0.26458
    ("28.75", 138, "48.12", 231),  # 0.2875, 0.48125
]


@pytest.mark.parametrize(("first", "passed_1", "fifth", "passed_5"), PRINTED)
def test_the_papers_printed_numbers_come_out_on_its_own_grid(first, passed_1, fifth, passed_5):
    """30 problems, 16 runs, 5 samples: the first sample decides k=1, and the last one adds what k=5 has more."""
    right = np.zeros((480, 5), bool)
    right[:passed_1, 0] = True
    right[passed_1:passed_5, 4] = True
    # Whatever the order of problems and runs.
    right = np.random.default_rng(0).permutation(right).reshape(30, 16, 5)
    values = [estimate(paper_pass_at_k(right, k)).value for k in (1, 4, 5)]
    assert values == pytest.approx([passed_1 / 480, passed_1 / 480, passed_5 / 480], abs=1e-12)
    assert (f"{100 * values[0]:.2f}", f"{100 * values[2]:.2f}") == (first, fifth)


# --- standard errors --------------------------------------------------------------------------------------------------


def test_standard_errors_over_problems_and_over_runs():
    # Pass@2 is [[1, 0], [1, 0]]: problems have the means 1/2 and 1/2, runs 1 and 0.
    # Over runs: deviations 1/2, so s = sqrt(2 * 1/4 / 1) = sqrt(1/2), divided by sqrt(2): 1/2.
    result = estimate(paper_pass_at_k(RIGHT_PRS, 2))
    assert (result.value, result.stderr_problems, result.stderr_runs) == pytest.approx((0.5, 0.0, 0.5))


def test_one_problem_of_thirty_is_three_points():
    # 15 of 30 problems always right: s^2 = 30 * 1/4 / 29, so the standard error is sqrt(30 / 116 / 30) = 0.0928.
    scores = np.repeat([[1.0], [0.0]], 15, axis=0)
    result = estimate(np.repeat(scores, 16, axis=1))
    assert result.stderr_problems == pytest.approx(sqrt(1 / 116))
    assert result.stderr_runs == 0.0


def test_a_single_value_has_no_standard_error():
    assert standard_error([0.5]) is None
    assert estimate(np.ones((1, 1))) == Estimate(1.0, None, None)


# --- the unbiased Pass@k ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "n", "k", "chance"),
    [
        (0, 4, 2, 0.0),
        (1, 4, 1, 1 / 4),
        (1, 4, 2, 1 / 2),  # 1 - C(3,2)/C(4,2) = 1 - 3/6
        (2, 4, 2, 5 / 6),  # 1 - C(2,2)/C(4,2) = 1 - 1/6
        (3, 4, 2, 1.0),  # two draws cannot both be the only wrong one
        (1, 4, 4, 1.0),
        (40, 80, 5, 1 - 658008 / 24040016),  # C(40,5), C(80,5)
    ],
)
def test_unbiased_pass_at_k(count, n, k, chance):
    assert unbiased_pass_at_k(count, n, k) == pytest.approx(chance, abs=1e-15)


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.data())
def test_unbiased_pass_at_k_is_the_mean_over_all_choices(right, data):
    k = data.draw(st.integers(1, len(right)))
    choices = [any(choice) for choice in combinations(right, k)]
    assert unbiased_pass_at_k(sum(right), len(right), k) == pytest.approx(sum(choices) / len(choices))


@pytest.mark.parametrize(("count", "n", "k"), [(5, 4, 1), (-1, 4, 1), (1, 4, 0), (1, 4, 5)])
def test_impossible_counts_are_refused(count, n, k):
    with pytest.raises(ValueError, match="expected 0 <= c <= n"):
        unbiased_pass_at_k(count, n, k)


def test_unbiased_ks_go_on_in_powers_of_two():
    assert unbiased_ks(5, 80) == [1, 2, 3, 4, 5, 8, 16, 32, 64]
    assert unbiased_ks(4, 16) == [1, 2, 3, 4, 8, 16]
    assert unbiased_ks(3, 3) == [1, 2, 3]


# --- majority ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("votes", "score"),
    [
        ("R R a b c", 1.0),  # 2 against 1, 1, 1
        ("R a a b b", 0.0),
        ("R R a a b", 1 / 2),  # drawn between two
        ("R a b - -", 1 / 3),  # drawn between three
        ("R - - - -", 1.0),  # no answer is no vote
        ("a a a", 0.0),
        ("- -", 0.0),
        ("R R R a a", 1.0),
        ("R R a A a", 0.0),  # "a" and "A" are the same answer, 3 votes
    ],
)
def test_the_most_frequent_answer(votes, score):
    answers = ["" if vote == "-" else vote for vote in votes.split()]
    right = [answer == "R" for answer in answers]
    assert majority_right(right, answers, lambda a, b: a.lower() == b.lower()) == pytest.approx(score)


def test_right_answers_are_one_answer_however_written():
    # 1/2 and 0.5 are both right: 2 votes against 1 and 1.
    assert majority_right([True, True, False, False], ["1/2", "0.5", "3", "4"], lambda a, b: False) == 1.0


def test_only_frequent_answers_are_compared_with_each_other():
    # "a" and "A" are the same and outvote the two right ones; 40 others come once and are not compared.
    asked = []

    def same(first, second):
        asked.append({first, second})
        return first.lower() == second.lower()

    answers = ["R", "R", *(str(number) for number in range(40)), "a", "a", "A", "A"]
    assert majority_right([answer == "R" for answer in answers], answers, same) == 0.0
    assert {"a", "A"} in asked and len(asked) <= 16 * 15 / 2


def test_nothing_is_compared_where_one_spelling_outvotes_the_right_answer():
    assert majority_right([True, False, False, False], ["1", "2", "2", "3"], None) == 0.0


# --- paired differences -----------------------------------------------------------------------------------------------


def test_paired_difference():
    # Differences 1/2, 0, -1/4: mean 1/12; deviations 5/12, -1/12, -4/12; s^2 = (25 + 1 + 16)/144/2 = 7/48.
    mean, error = paired_difference(np.array([1, 0.5, 0]), np.array([0.5, 0.5, 0.25]))
    assert mean == pytest.approx(1 / 12)
    assert error == pytest.approx(sqrt(7 / 48 / 3))


def test_a_constant_difference_is_certain_however_hard_the_problems():
    mean, error = paired_difference(np.array([0.9, 0.5, 0.2]), np.array([0.8, 0.4, 0.1]))
    assert (mean, error) == pytest.approx((0.1, 0.0))


# --- metrics of a grid ------------------------------------------------------------------------------------------------


def record(problem, run, sample, pred, right, **more):
    return ResponseRecord("b", problem, run, sample, f"\\boxed{{{pred}}}", right, pred, **more)


def test_every_measure_of_a_small_grid():
    records = [
        record(0, 0, 0, "7", True, truncated=False, tokens=10),
        record(0, 0, 1, "3", False, truncated=False, tokens=20),
        record(0, 1, 0, "3.0", False, truncated=False, tokens=30),
        record(0, 1, 1, "", False, truncated=True, tokens=64),
        record(1, 0, 0, "5", True, truncated=False, tokens=16),
        record(1, 0, 1, "5", True, truncated=False, tokens=10),
        record(1, 1, 0, "", False, failure="timed out"),
        record(1, 1, 1, "5", True, truncated=False, tokens=11),
    ]
    metrics = measure(make_grid("b", 2, records[::-1], "f"))
    expected = {
        "problems": 2,
        "runs": 2,
        "samples": 2,
        # Cells: [1, 0], [1, 0]; means of problems 1/2, 1/2, of runs 1, 0.
        "pass@1": 1 / 2,
        "pass@1/stderr_problems": 0,
        "pass@1/stderr_runs": 1 / 2,
        # [1, 0], [1, 1]; means of problems 1/2, 1: s = sqrt(1/8), by sqrt(2): 1/4.
        "pass@2": 3 / 4,
        "pass@2/stderr_problems": 1 / 4,
        "pass@2/stderr_runs": 1 / 4,
        # c = 1 and 3 of n = 4: means of 1/4, 3/4; of 1 - 3/6, 1 - 0; of 1, 1.
        "pass@1_unbiased": 1 / 2,
        "pass@1_unbiased/stderr_problems": 1 / 4,
        "pass@2_unbiased": 3 / 4,
        "pass@4_unbiased": 1,
        "mean@4": 1 / 2,
        "mean@4/stderr_problems": 1 / 4,
        # Run by run: 7 against 3 is 1/2, 3.0 alone 0, 5 and 5 is 1, 5 alone 1. Mean 5/8.
        "maj@2": 5 / 8,
        # Over all runs: 7 has one vote, "3" and "3.0" are one answer with two, so 0; 5 has three, so 1.
        "maj@4": 1 / 2,
        "failed_share": 1 / 8,
        "unparsed_share": 1 / 8,
        "truncated_share": 1 / 7,
        "response_length/mean": 23,  # (10 + 20 + 30 + 64 + 16 + 10 + 11) / 7
        "response_length/median": 16,
        "response_length/max": 64,
    }
    assert {name: metrics[f"b/{name}"] for name in expected} == pytest.approx(expected)
    assert metrics["b/maj@4/stderr_runs"] is None
    assert metrics["b/pass@1_unbiased/stderr_runs"] is None


def test_odd_answers_are_grouped_without_algebra(monkeypatch):
    def fail(*_):
        raise AssertionError("asked for algebra")

    monkeypatch.setattr(shared_pool(), "equal", fail)
    # Prose, functional equations and what math-verify has no end for; two of them are one answer, written differently.
    odd = [f"we cannot find {n} since f(x)=x^{{{n}}}+\\sin({n}x) and 9^{{9^{{9^{n}}}}}" for n in range(75)]
    answers = ["7", *odd, "x=\\frac{1}{\\sqrt{2}}", "x=\\frac{\\sqrt{2}}{2}", "\\dfrac12", "\\frac{1}{2}"]
    records = [record(0, place // 5, place % 5, answer, answer == "7") for place, answer in enumerate(answers)]
    start = time.process_time()
    metrics = measure(make_grid("b", 1, records, "f"))
    assert time.process_time() - start < 2
    # "\\frac{1}{2}" has two votes for its one spelling.
    assert metrics["b/maj@80"] == 0.0
    # Run by run: 7 is one of five different answers; no other run has a right one.
    assert metrics["b/maj@5"] == pytest.approx(1 / 5 / 16)


def test_what_is_not_known_is_none():
    metrics = measure(make_grid("b", 1, [record(0, 0, 0, "1", True)], "f"))
    names = ("truncated_share", "response_length/mean", "pass@1/stderr_problems", "pass@1/stderr_runs")
    assert [metrics[f"b/{name}"] for name in names] == [None] * 4
    assert metrics["b/maj@1"] == metrics["b/pass@1"] == 1.0


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([(0, 1, 1), (0, 1, 2), (1, 1, 1)], "f: b, problem 1, run 1, sample 2 is missing"),
        ([(0, 1, 1), (1, 1, 1), (0, 1, 1)], "f: b, problem 0, run 1, sample 1 is there twice"),
        ([(0, 1, 1), (2, 1, 1)], "f: b has no problem 2; problem_idx is the row in its file, 0 to 1"),
        ([(0, 1, 1)], "f: b, problem 1, run 1, sample 1 is missing"),
        ([], "f: no response to b"),
    ],
)
def test_incomplete_grids_are_refused(places, message):
    with pytest.raises(InputError) as error:
        make_grid("b", 2, [record(*place, "1", True) for place in places], "f")
    assert str(error.value).startswith(message)
