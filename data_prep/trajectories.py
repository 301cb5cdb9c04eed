"""From responses to a query to at most one micro-reflective trajectory, written by the model itself (paper §3.2)."""

import re
import sys

from data_prep.queries import Query
from recipe_tapo.algorithm.chats import question_text
from recipe_tapo.algorithm.prompts import fill_template
from recipe_tapo.algorithm.selection import group_rng, select_pairs
from recipe_tapo.algorithm.tokens import ChatTokenizer, decode
from recipe_tapo.algorithm.trajectory import Trajectory, build_trajectory
from recipe_tapo.reasons import RejectReason
from recipe_tapo.records.store import Row

# Why a query has no trajectory, besides what ``RejectReason`` names.
NO_RESPONSE = "no_complete_response"
NO_CORRECT = "no_right_response"
NO_ERROR = "no_wrong_response"
REPEATED = "repeated_prompt"
WRONG_ANSWER = "wrong_answer"
INELIGIBLE = (REPEATED, NO_RESPONSE, NO_CORRECT, NO_ERROR)

_TIDY = re.compile(r"<analysis>.+?</analysis>\s*<reconstruction>.+?</reconstruction>", re.DOTALL)


def choose_material(query: Query, group: list[Row], seed: int) -> Row:
    """Begins a query's result: a wrong and a right response to construct from, or the reason why there are none."""
    # What was cut off at the token limit, or is blank, is wrong without a wrong step.
    complete = [
        response
        for response in group
        if response["failure"] is None and response["finish_reason"] == "stop" and response["text"].strip()
    ]
    rng = group_rng(seed, 0, query.key)
    rights = [response["right"] for response in complete]
    pairs = select_pairs(rights, n_pos=1, n_neg=1, m_max=1, rng=rng)
    right = [response for response in complete if response["right"]]
    if pairs:
        error, correct, reason = complete[pairs[0].error], complete[pairs[0].correct], None
    else:
        error, correct = None, rng.choice(right) if right else None
        reason = NO_ERROR if right else NO_CORRECT if complete else NO_RESPONSE
    return {
        "query": query.key,
        "reason": reason,
        "error": error and error["text"],
        "correct": correct and correct["text"],
        "question_tokens": max(response["prompt_tokens"] for response in group),
        "correct_tokens": correct["tokens"] if correct else 0,
        "trajectory": None,
    }


def synthesis_messages(template: str, query: Query, result: dict) -> list[dict[str, str]]:
    """The chat that asks for a query's construction."""
    prompt = fill_template(
        template,
        question=question_text(query.messages, query.extra_info),
        error_rollout=result["error"].strip(),
        correct_rollout=result["correct"].strip(),
    )
    return [{"role": "user", "content": prompt}]


def is_tidy(output: str) -> bool:
    """Whether an output is the two tagged parts and nothing else, fit to teach the format."""
    return _TIDY.fullmatch(output.strip()) is not None


def build(result: Row, tokenizer: ChatTokenizer) -> Trajectory | RejectReason:
    """The trajectory that reinforcement learning would make of a result's output, of any length."""
    return build_trajectory(
        result["text"],
        truncated=result["finish_reason"] == "length",
        error_ids=_error_ids(result, tokenizer),
        tokenizer=tokenizer,
        eos_token_id=tokenizer.eos_token_id,
        max_response_length=sys.maxsize,
    )


def _error_ids(result: Row, tokenizer: ChatTokenizer) -> list[int]:
    """The wrong response's tokens: those of its text, for an engine gives no others."""
    return tokenizer.encode(result["error"].strip(), add_special_tokens=False)


def measure_prefix(result: Row, tokenizer: ChatTokenizer) -> None:
    """Puts into a verified-right result what its trajectory preserves of the wrong response, counted in tokens."""
    trajectory = build(result, tokenizer)
    if isinstance(trajectory, RejectReason):  # the store was made with another tokenizer
        result["reason"] = trajectory.value
        return
    result["error_tokens"] = len(_error_ids(result, tokenizer))
    result["prefix_length"] = trajectory.prefix_length
    result["prefix_fraction"] = trajectory.prefix_fraction
    result["new_tokens"] = trajectory.new_tokens
    result["prefix_text"] = decode(tokenizer, trajectory.response_ids[: trajectory.prefix_length])
