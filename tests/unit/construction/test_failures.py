"""A failure never drowns: the first of its kind is told with its traceback."""

import asyncio
import logging
from dataclasses import replace

import pytest

from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.constructor import _finite_grade
from recipe_tapo.construction.failures import FailureLog
from recipe_tapo.construction.policy import Grade, Policy
from recipe_tapo.construction.requests import Requests
from recipe_tapo.reasons import Rejected, RejectReason


def raises_value_error():
    raise ValueError("no such answer\nand more")


def raises_key_error():
    raise KeyError("answer")


def note(log, what, function):
    try:
        function()
    except Exception as error:
        log.note(what, error)


def test_the_first_of_a_kind_has_a_traceback_and_later_ones_a_line(caplog):
    log = FailureLog()
    with caplog.at_level(logging.WARNING):
        for what, function in (
            ("reward_failed", raises_value_error),
            ("reward_failed", raises_value_error),
            ("reward_failed", raises_key_error),
            ("request_failed", raises_value_error),
        ):
            note(log, what, function)
    assert [record.exc_info is not None for record in caplog.records] == [True, False, True, True]
    assert "raises_value_error" in caplog.text
    assert caplog.records[1].getMessage() == "TAPO: reward_failed: ValueError: no such answer"
    assert caplog.records[2].getMessage().startswith("TAPO: reward_failed: KeyError: 'answer'")


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_costs_its_own_attempt(score, caplog):
    class Engine:
        async def grade(self, error, trajectory):
            return Grade(score, False)

    requests = requests_with()
    with pytest.raises(Rejected) as rejection:
        asyncio.run(requests.within_time(_finite_grade(Engine(), None, None), RejectReason.REWARD_FAILED))
    assert rejection.value.reason is RejectReason.REWARD_FAILED
    assert f"the reward is {score}" in caplog.text


def requests_with(**synthesis):
    class Tokenizer:
        eos_token_id = 0

    policy = Policy(Tokenizer(), max_model_len=100, max_response_length=50, stop_ids=frozenset())
    tapo = TapoConfig.from_mapping({"synthesis": synthesis})
    return Requests(tapo, policy, engine=None, failures=FailureLog())


def test_a_time_out_of_the_graders_own_is_its_failure_and_ours_is_told(caplog):
    async def raises():
        raise TimeoutError("the sandbox")

    requests = requests_with(timeout_s=0.01)
    for work, reason, told in (
        (raises(), RejectReason.REWARD_FAILED, "reward_failed: TimeoutError: the sandbox"),
        (asyncio.sleep(5), RejectReason.TIMED_OUT, "timed_out: TimeoutError: no answer within 0.01 s"),
    ):
        caplog.clear()
        with caplog.at_level(logging.WARNING), pytest.raises(Rejected) as rejection:
            asyncio.run(requests.within_time(work, RejectReason.REWARD_FAILED))
        assert rejection.value.reason is reason
        assert told in caplog.records[0].getMessage()


def test_a_programming_error_in_a_request_is_counted_and_told_with_its_traceback(caplog):
    async def broken():
        return None.no_such_attribute

    requests = requests_with()
    with caplog.at_level(logging.WARNING), pytest.raises(Rejected) as rejection:
        asyncio.run(requests.within_time(broken(), RejectReason.REWARD_FAILED))
    assert rejection.value.reason is RejectReason.REWARD_FAILED
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "no_such_attribute" in caplog.text and "in broken" in caplog.text


# Budget: 100 of context less a prompt of 20, 80 tokens; verl's SGLang server leaves one of these free.
@pytest.mark.parametrize(
    ("tokens", "end", "truncated"),
    [(80, False, True), (79, False, True), (80, True, False), (79, True, False), (78, False, False)],
)
def test_an_answer_that_fills_the_context_without_an_end_is_cut(tokens, end, truncated):
    class Engine:
        async def generate(self, prompt_ids, max_tokens):
            assert max_tokens == 80
            return [1] * (tokens - 1) + [0 if end else 1]

    requests = requests_with(max_tokens=200)
    requests.engine, requests.policy = Engine(), replace(requests.policy, stop_ids=frozenset({0}))
    assert asyncio.run(requests.generate([1] * 20)) == ([1] * (tokens - 1) + [0 if end else 1], truncated)
