"""A run whose attempts all fail ends by itself; one that constructs nothing says so."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipe_tapo.construction.failed_steps import TEACHING, NothingIsConstructed, StepCounts, StepWatch, judge_steps

FAILED = StepCounts(eligible=3, attempts=12, usable=0, rejected={"request_failed": 10, "timed_out": 2})
UNREADABLE = StepCounts(eligible=3, attempts=12, usable=0, rejected={"missing_tag": 11, "timed_out": 1})
GOOD = StepCounts(eligible=3, attempts=12, usable=1, rejected={"request_failed": 11})
NOTHING_ELIGIBLE = StepCounts(eligible=0, attempts=0, usable=0)
# The constructor itself failed before it could count an attempt.
BROKEN = StepCounts(eligible=0, attempts=0, usable=0, rejected={"internal_error": 2})


def test_steps_that_all_fail_end_the_run_with_reasons_and_counts():
    assert judge_steps([GOOD, FAILED, FAILED], 3) is None
    verdict = judge_steps([GOOD, FAILED, FAILED, FAILED], 3)
    assert verdict.ends
    assert "tapo.max_failed_steps=3: every attempt of the last 3 steps that had any failed" in verdict.message
    assert "(request_failed 30, timed_out 6)" in verdict.message
    assert "tapo.max_failed_steps=null" in verdict.message
    assert "\n" not in verdict.message


@pytest.mark.parametrize("between", [GOOD, UNREADABLE])
def test_one_attempt_that_the_machinery_did_not_lose_starts_the_count_anew(between):
    assert not any_ends([FAILED, FAILED, between, FAILED, FAILED], 3)
    assert judge_steps([FAILED, FAILED, between, FAILED, FAILED, FAILED], 3).ends


def any_ends(steps, most):
    verdicts = (judge_steps(steps[: end + 1], most) for end in range(len(steps)))
    return any(verdict is not None and verdict.ends for verdict in verdicts)


def test_steps_without_attempts_are_passed_over():
    assert judge_steps([FAILED, NOTHING_ELIGIBLE, FAILED], 2).ends


def test_a_constructor_that_fails_before_it_counts_attempts_ends_the_run_too():
    assert judge_steps([BROKEN, BROKEN], 2).ends


def test_nothing_eligible_is_a_warning_with_what_to_try_once_for_every_so_many_steps():
    told = [judge_steps([GOOD] + [NOTHING_ELIGIBLE] * count, 2) for count in range(1, 6)]
    assert [verdict is not None for verdict in told] == [False, True, False, True, False]
    assert not told[1].ends
    assert "no group of the last 2 steps was eligible" in told[1].message
    assert "no group of the last 4 steps was eligible" in told[3].message
    assert "`tapo preview`" in told[1].message


def test_nothing_usable_is_a_warning_with_the_counts():
    assert judge_steps([UNREADABLE], 2) is None
    verdict = judge_steps([GOOD, UNREADABLE, NOTHING_ELIGIBLE, UNREADABLE], 2)
    assert not verdict.ends
    assert "none of 24 attempts of the last 2 steps that had any gave a row" in verdict.message
    assert "(missing_tag 22, timed_out 2)" in verdict.message
    assert "`tapo preview`" in verdict.message


def test_many_constructions_of_which_none_is_right_point_at_the_reward_function():
    wrong = StepCounts(eligible=3, attempts=12, usable=10, right=0)
    assert judge_steps([wrong], 2) is None
    verdict = judge_steps([wrong, NOTHING_ELIGIBLE, wrong], 2)
    assert not verdict.ends
    assert "none of 20 constructed rows of the last 2 steps that had any was right" in verdict.message
    assert r"ask for Final Answer: \boxed{...})" in verdict.message
    assert judge_steps([wrong, wrong, NOTHING_ELIGIBLE], 2) is None  # said already
    assert judge_steps([wrong, StepCounts(eligible=3, attempts=12, usable=10, right=1)], 2) is None
    few = StepCounts(eligible=1, attempts=1, usable=1, right=0)  # two of two are soon wrong by chance
    assert judge_steps([few, few], 2) is None


def test_opsd_is_told_what_holds_for_opsd():
    assert "right sibling" in judge_steps([NOTHING_ELIGIBLE] * 2, 2, TEACHING).message
    ended = judge_steps([FAILED] * 2, 2, TEACHING)
    assert ended.ends and "every scoring" in ended.message and "null" not in ended.message
    assert "none of 24 scorings" in judge_steps([UNREADABLE] * 2, 2, TEACHING).message


STEPS = st.lists(st.sampled_from([FAILED, UNREADABLE, GOOD, NOTHING_ELIGIBLE, BROKEN]), max_size=12)


@given(STEPS)
def test_null_neither_ends_nor_warns(steps):
    assert judge_steps(steps, None) is None


@given(STEPS, st.integers(1, 4))
def test_a_run_ends_exactly_when_so_many_steps_with_attempts_failed_in_a_row(steps, most):
    tried = [step for step in steps if step is not NOTHING_ELIGIBLE]
    failing = len(tried) >= most and all(step in (FAILED, BROKEN) for step in tried[-most:])
    verdict = judge_steps(steps, most)
    ends = verdict is not None and verdict.ends
    # While nothing is eligible, no attempt can fail: the run ended before, at its last attempt.
    assert ends == (failing and steps[-1] is not NOTHING_ELIGIBLE)


def test_the_watch_warns_at_once_and_ends_the_run_before_the_next_step(caplog):
    watch = StepWatch(2)
    with caplog.at_level(logging.WARNING):
        for step in (NOTHING_ELIGIBLE, NOTHING_ELIGIBLE, FAILED):
            watch.add(step)
            watch.check()
    assert [record.getMessage()[:31] for record in caplog.records] == ["TAPO: no group of the last 2 st"]
    watch.add(FAILED)
    with pytest.raises(NothingIsConstructed, match=r"tapo\.max_failed_steps=2"):
        watch.check()
