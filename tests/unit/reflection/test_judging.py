"""Verdicts, the boundary subset, DSR and ERR, bootstrap and agreement, on hand-made numbers."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging_cases import verdict_json, write_evaluation

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import load_evaluation
from recipe_tapo.reflection.agreement import agreement, cohens_kappa
from recipe_tapo.reflection.boundary import boundary_subset
from recipe_tapo.reflection.pairs import Bootstrap, pair_rates
from recipe_tapo.reflection.prompt import DEFAULT_PROMPT, fill_judge_prompt, load_judge_prompt
from recipe_tapo.reflection.rates import (
    JudgedResponse,
    difference,
    direct_solution,
    effective_reflection,
    rate,
    resample,
    tally_dsr,
    tally_err,
)
from recipe_tapo.reflection.verdict import QUESTIONS, Case, JudgeVerdict, Malformed, Outcome, parse_verdict


def outcome(*answers):
    return parse_verdict(verdict_json(*answers))


DIRECT = outcome()
EFFECTIVE = outcome("yes", "yes", "yes", "yes")
FALSE_ALARM = outcome("yes")
MALFORMED = Outcome(malformed=Malformed.NO_JSON)


# --- verdicts ---


@pytest.mark.parametrize(
    "text",
    [
        verdict_json("yes", "yes", "unsure", "no"),
        f"\n ```json\n{verdict_json('yes', 'yes', 'unsure', 'no')}\n```\n",
        f"<think>Is {{it}} right?</think>\n{verdict_json('yes', 'yes', 'unsure', 'no')}",
        f"Is it right?\n</think>\n{verdict_json('yes', 'yes', 'unsure', 'no')}",  # the chat template began to think
    ],
)
def test_a_verdict_is_read_with_thinking_before_it_and_a_fence_around_it(text):
    verdict = parse_verdict(text).verdict
    assert [getattr(verdict, question) for question in QUESTIONS] == ["yes", "yes", "unsure", "no"]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", Malformed.NO_JSON),
        ("I think the answer is yes.", Malformed.NO_JSON),
        (f"Here it is: {verdict_json()}", Malformed.NO_JSON),
        (verdict_json()[:-1], Malformed.NO_JSON),
        ("[" * 100_000, Malformed.NO_JSON),
        ("null", Malformed.WRONG_FIELDS),
        ("{}", Malformed.WRONG_FIELDS),
        (verdict_json("maybe"), Malformed.WRONG_FIELDS),
        (verdict_json("Yes"), Malformed.WRONG_FIELDS),
        (verdict_json(True), Malformed.WRONG_FIELDS),
        (verdict_json(confidence=0.9), Malformed.WRONG_FIELDS),
        (verdict_json("no", "yes"), Malformed.CONTRADICTORY),
        (verdict_json("no", "no", "no", "yes"), Malformed.CONTRADICTORY),
        (verdict_json("yes", "no", "yes", "no"), Malformed.CONTRADICTORY),
    ],
)
def test_anything_else_is_malformed_for_a_named_reason_and_keeps_the_words(text, reason):
    result = parse_verdict(text)
    assert (result.verdict, result.malformed, result.output) == (None, reason, text)
    assert {result.answer(question) for question in QUESTIONS} == {"malformed"}


@given(st.text() | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(json.dumps))
def test_no_text_makes_the_parser_raise(text):
    result = parse_verdict(text)
    assert (result.verdict is None) == (result.malformed is not None)


def test_the_prompt_names_every_field_and_leaves_braces_of_its_inputs_alone():
    template = load_judge_prompt(DEFAULT_PROMPT)
    assert all(f'"{name}"' in template for name in JudgeVerdict.model_fields)
    text = fill_judge_prompt(template, Case("Q {response}", "{gold}", "\\boxed{4} {question}"))
    for part in ("Q {response}", "\n{gold}\n", "\\boxed{4} {question}"):
        assert part in text


def test_a_prompt_without_a_placeholder_is_refused_by_name(tmp_path):
    path = tmp_path / "prompt.txt"
    path.write_text("Judge {question}: {response}")
    with pytest.raises(InputError, match=r"lacks \{gold\}"):
        load_judge_prompt(path)
    with pytest.raises(InputError, match="cannot read"):
        load_judge_prompt(tmp_path / "none.txt")


# --- single responses ---


@pytest.mark.parametrize(
    "result, right, direct, effective",
    [
        (DIRECT, True, True, None),
        (EFFECTIVE, True, False, True),
        # The judge sees a right answer, the grader does not.
        (EFFECTIVE, False, False, False),
        (FALSE_ALARM, True, False, False),
        (outcome("yes", "unsure", "unsure", "unsure"), True, False, None),
        # One "no" decides, and so does a wrong answer.
        (outcome("yes", "unsure", "unsure", "no"), True, False, False),
        (outcome("yes", "unsure", "unsure", "unsure"), False, False, False),
        (outcome("unsure", "unsure", "unsure", "unsure"), True, None, None),
        (MALFORMED, True, None, None),
        (None, True, None, None),
    ],
)
def test_what_one_response_counts_as(result, right, direct, effective):
    response = JudgedResponse(0, right, result)
    assert direct_solution(response) is direct
    assert effective_reflection(response) is effective


# --- rates ---


def test_dsr_and_err_of_a_hand_made_table():
    responses = [
        # problem 0: right 3 (2 direct, 1 reflecting), wrong 1 (reflecting in vain)
        *[JudgedResponse(0, True, r) for r in (DIRECT, DIRECT, EFFECTIVE)],
        JudgedResponse(0, False, outcome("yes", "yes", "yes", "no")),
        # problem 1: right 2 (1 reflecting, 1 malformed), wrong 2 (1 direct, 1 request failed)
        *[JudgedResponse(1, True, r) for r in (FALSE_ALARM, MALFORMED)],
        *[JudgedResponse(1, False, r) for r in (DIRECT, None)],
        # problem 2: right 1, of which it is unsure whether it reflects
        JudgedResponse(2, True, outcome("unsure", "unsure", "unsure", "unsure")),
    ]
    dsr, err = tally_dsr(responses, 3), tally_err(responses, 3)
    # Right and decided: 3 of problem 0, 1 of problem 1. Direct: 2. Undecided: malformed, unsure.
    assert (dsr.successes_P.tolist(), dsr.responses_P.tolist(), dsr.undecided) == ([2, 0, 0], [3, 1, 0], 2)
    # Reflecting: 2 of problem 0, 1 of problem 1. Effective: 1. Undecided: malformed, failed, unsure.
    assert (err.successes_P.tolist(), err.responses_P.tolist(), err.undecided) == ([1, 0, 0], [2, 1, 0], 3)

    draws = resample(3, 1000, seed=0)
    result = rate(dsr, draws, 0.95, "none")
    assert result.value == 2 / 4
    assert (result.successes, result.responses, result.problems, result.undecided) == (2, 4, 2, 2)
    # A resample without problem 0 has share 0, one without problem 1 has 2/3: the interval cannot be wider.
    assert 0 <= result.low <= 0.5 <= result.high <= 2 / 3
    # The share of resamples that draw problem 2 three times is (1/3)^3 = 1/27: 37 of 1000 on average.
    missing = int((draws[:, 2] == 3).sum())
    assert 15 < missing < 65
    assert result.note == f"{missing} of 1000 resamples had no such response and are left out"


def test_resamples_draw_as_many_problems_as_there_are_and_depend_on_the_seed_alone():
    draws = resample(5, 200, seed=3)
    assert draws.shape == (200, 5) and set(draws.sum(axis=1)) == {5}
    np.testing.assert_array_equal(draws, resample(5, 200, seed=3))
    assert (draws != resample(5, 200, seed=4)).any()


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    # 40 problems, 8 responses each; a problem's own rate is 0.2 or 0.8, so the expected rate is 0.5.
    rng, covered = np.random.default_rng(0), 0
    draws = resample(40, 1000, seed=1)
    for _ in range(200):
        successes = rng.binomial(8, rng.choice([0.2, 0.8], size=40))
        responses = [
            JudgedResponse(problem, True, DIRECT if number < count else FALSE_ALARM)
            for problem, count in enumerate(successes)
            for number in range(8)
        ]
        result = rate(tally_dsr(responses, 40), draws, 0.9, "none")
        covered += result.low <= 0.5 <= result.high
    # 0.9 ± three standard errors of 200 trials (0.021), and a little for the percentile method's optimism
    assert 0.82 <= covered / 200 <= 0.97


def test_degenerate_cases_have_no_number_and_say_why():
    draws = resample(2, 100, seed=0)
    nothing = rate(tally_dsr([JudgedResponse(0, False, DIRECT)], 2), draws, 0.95, "no right response")
    assert (nothing.value, nothing.low, nothing.note) == (None, None, "no right response")
    single = rate(tally_dsr([JudgedResponse(0, True, DIRECT)], 2), draws, 0.95, "none")
    assert (single.value, single.low) == (1.0, None)
    assert "one problem" in single.note
    missing = difference(tally_dsr([], 2), tally_dsr([JudgedResponse(0, True, DIRECT)], 2), draws, 0.95)
    assert missing["value"] is None and missing["note"]


def test_the_difference_is_paired_by_problem():
    # Second model: 0.5 more on each of two very different problems.
    first = tally_dsr(
        [JudgedResponse(p, True, r) for p in (0, 1) for r in ([FALSE_ALARM] * 2, [DIRECT, FALSE_ALARM])[p]], 2
    )
    second = tally_dsr(
        [JudgedResponse(p, True, r) for p in (0, 1) for r in ([DIRECT, FALSE_ALARM], [DIRECT] * 2)[p]], 2
    )
    result = difference(first, second, resample(2, 500, seed=0), 0.95)
    # 3/4 - 1/4 = 1/2 whichever problems are drawn, so the interval has no width.
    assert (result["value"], result["low"], result["high"]) == (0.5, 0.5, 0.5)


# --- boundary subset and pairs ---

R, W = ("right", True), ("wrong", False)


def test_the_boundary_subset_is_what_neither_model_always_or_never_solves(tmp_path):
    first = write_evaluation(
        tmp_path / "a", {("b", 0): [R, W], ("b", 1): [R, R], ("b", 2): [R, W], ("b", 3): [W, W], ("b", 4): [W, R]}
    )
    second = write_evaluation(
        tmp_path / "b", {("b", 0): [W, R], ("b", 1): [R, W], ("b", 2): [W, W], ("b", 4): [R, R, W], ("b", 9): [R, W]}
    )
    evaluations = load_evaluation(first), load_evaluation(second)
    assert boundary_subset(*evaluations) == [("b", 0), ("b", 4)]


def test_different_questions_under_one_number_are_refused(tmp_path):
    evaluations = [
        load_evaluation(write_evaluation(tmp_path / name, {("b", 0): [R, W]}, question=lambda *_, name=name: name))
        for name in "ab"
    ]
    with pytest.raises(InputError, match="problem 0 of b is not the same question"):
        boundary_subset(*evaluations)
    other = load_evaluation(write_evaluation(tmp_path / "c", {("c", 0): [R, W]}))
    with pytest.raises(InputError, match="no problem in common"):
        boundary_subset(evaluations[0], other)


def test_a_pair_has_numbers_per_benchmark_and_over_all(tmp_path):
    responses = {
        ("x", 0): [("direct", True), ("mended", True), ("direct", False)],
        ("y", 0): [("direct", True), ("vain", False)],
        ("z", 0): [("direct", True), ("direct", True)],
    }
    evaluations = [load_evaluation(write_evaluation(tmp_path / name, responses)) for name in "ab"]
    verdicts = {"direct": DIRECT, "mended": EFFECTIVE, "vain": FALSE_ALARM}
    outcomes = {Case(f"{name} question 0", "4", text): verdicts[text] for name in "xyz" for text in verdicts}
    result = pair_rates(*evaluations, outcomes, Bootstrap(resamples=100))
    assert list(result) == ["x", "y", "z", "all"]
    assert [part["boundary_problems"] for part in result.values()] == [1, 1, 0, 2]
    # x: two right responses, one direct; one reflecting, effective. y: one right, direct; one reflecting, in vain.
    for model in (0, 1):
        assert [result[name]["dsr"][model]["value"] for name in ("x", "y", "all")] == [1 / 2, 1, 2 / 3]
        assert [result[name]["err"][model]["value"] for name in ("x", "y", "all")] == [1, 0, 1 / 2]
    assert "strictly between 0 and 1" in result["z"]["note"]
    assert result["all"]["dsr_difference"]["value"] == 0


# --- agreement ---


def test_kappa_by_hand():
    # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: p_o = 35/50; p_e = 25*30/2500 + 25*20/2500 = 0.5
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    assert cohens_kappa(pairs) == pytest.approx((0.7 - 0.5) / 0.5)
    assert cohens_kappa([("yes", "no"), ("no", "yes")]) == -1
    assert cohens_kappa([("no", "no")] * 9) is None
    assert cohens_kappa([]) is None


def test_agreement_counts_every_pair_and_compares_decided_ones():
    truths = [EFFECTIVE, EFFECTIVE, FALSE_ALARM, DIRECT, DIRECT]
    judged = [EFFECTIVE, outcome("yes", "yes", "unsure", "unsure"), EFFECTIVE, DIRECT, MALFORMED]
    result = agreement(*[[JudgedResponse(0, True, r) for r in given] for given in (truths, judged)])

    attempted = result["reflection_attempted"]
    assert attempted["confusion"] == {"no -> malformed": 1, "no -> no": 1, "yes -> yes": 3}
    assert (attempted["compared"], attempted["agree"], attempted["kappa"]) == (4, 1.0, 1.0)
    # The three that truly reflect: yes/yes, yes/yes, no/yes. p_o = 2/3 = p_e, since the judge says yes always.
    located = result["error_located"]
    assert located["confusion"] == {"no -> yes": 1, "yes -> yes": 2}
    assert (located["compared"], located["agree"]) == (3, pytest.approx(2 / 3))
    assert located["kappa"] == pytest.approx(0)
    effective = result["effective_reflection"]
    assert effective["confusion"] == {"no -> yes": 1, "yes -> unsure": 1, "yes -> yes": 1}
    assert effective["compared"] == 2
