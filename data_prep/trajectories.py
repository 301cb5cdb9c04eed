"""At most one micro-reflective trajectory per query, written by the model itself (paper §3.2), kept in a store."""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from data_prep.queries import Query, digest, response_seed
from data_prep.responses import grade, read_groups
from recipe_tapo.algorithm.prompts import fill_template, question_text
from recipe_tapo.algorithm.selection import group_rng, select_pairs
from recipe_tapo.algorithm.tokens import ChatTokenizer, decode
from recipe_tapo.algorithm.trajectory import Trajectory, build_trajectory
from recipe_tapo.reasons import RejectReason
from recipe_tapo.records.store import Row, read_results, read_settings
from recipe_tapo.sampling.fill import Task, fill_store
from recipe_tapo.sampling.requests import Request, Response, Sampler, Sampling

# Why a query has no trajectory, besides what ``RejectReason`` names.
NO_RESPONSE = "no_complete_response"
NO_CORRECT = "no_right_response"
NO_ERROR = "no_wrong_response"
WRONG_ANSWER = "wrong_answer"
INELIGIBLE = (NO_RESPONSE, NO_CORRECT, NO_ERROR)

_TIDY = re.compile(r"<analysis>.+?</analysis>\s*<reconstruction>.+?</reconstruction>", re.DOTALL)


def sample_constructions(
    path: Path,
    queries: Sequence[Query],
    responses: Path,
    *,
    template: str,
    tokenizer: ChatTokenizer,
    seed: int,
    sampling: Sampling,
    chunk: int,
    model: dict[str, Any],
    sampler: Callable[[], Sampler],
) -> None:
    """Constructs, parses and grades what the store does not hold yet.

    Args:
        path: The store: one result per query, also of those that allow no construction.
        queries: The questions.
        responses: The store of their responses.
        template: The synthesis prompt.
        tokenizer: The model's.
        seed: Of the run.
        sampling: How constructions are drawn.
        chunk: Queries worked on together.
        model: What identifies the model.
        sampler: Makes the engine; called only when there is something to sample.

    Raises:
        InputError: The store was made otherwise, or the engine or the grader does not work.
    """

    def tasks() -> Iterator[Task[tuple[Query, Row]]]:
        for query, (_, group) in zip(queries, read_groups(responses), strict=True):
            result, request = _choose_material(query, group, seed), None
            if not result["reason"]:
                messages = synthesis_messages(template, query, result)
                request = Request(messages, response_seed(seed, query, "synthesis"))
            yield Task((query.key,), request, (query, result))

    fill_store(
        path,
        ("query",),
        {
            "kind": "constructions",
            **model,
            **asdict(sampling),
            "seed": seed,
            "queries": digest(queries),
            "template": _name(template),
            "responses": _name(json.dumps(read_settings(responses))),
        },
        tasks(),
        partial(_judge, tokenizer),
        total=len(queries),
        chunk=chunk,
        make_sampler=sampler,
        sampling=sampling,
        desc="constructing",
    )


def read_constructions(path: Path, queries: Sequence[Query], tokenizer: ChatTokenizer) -> Iterator[tuple[Query, Row]]:
    """Yields each query with its result.

    A result has ``reason`` (None for a verified-right trajectory), ``error`` and ``correct`` (the responses chosen,
    None where there is none), their prompt's ``question_tokens``, ``correct_tokens``, the ``trajectory`` and the
    engine's raw ``text`` with ``prompt_tokens`` and ``tokens``. That of a verified-right trajectory also has what it
    preserves of the wrong response: ``prefix_length`` in tokens, ``prefix_fraction`` of the wrong response's
    ``error_tokens``, and ``prefix_text``.

    Raises:
        InputError: The store is missing or incomplete.
    """
    for query, result in zip(queries, read_results(path), strict=True):
        if result["reason"] is None:
            _measure_prefix(result, tokenizer)
        yield query, result


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


def _choose_material(query: Query, group: list[Row], seed: int) -> Row:
    # What was cut off at the token limit is wrong without a wrong step, and ends nowhere.
    complete = [response for response in group if response["failure"] is None and response["finish_reason"] == "stop"]
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


def _judge(tokenizer: ChatTokenizer, answers: Sequence[tuple[tuple[Query, Row], Response]]) -> list[Row]:
    """Puts output, trajectory and reason into each result; the reason stays None where the trajectory is right."""
    parsed: list[tuple[Query, Row]] = []
    for (query, result), output in answers:
        if result["reason"]:
            continue
        result.update(asdict(output))
        outcome = _failure(output) or _build(result, tokenizer)
        if isinstance(outcome, RejectReason):
            result["reason"] = outcome.value
        else:
            result["trajectory"] = outcome.text.strip()
            parsed.append((query, result))
    rights = grade([result["trajectory"] for _, result in parsed], [query.gold for query, _ in parsed])
    for (_, result), right in zip(parsed, rights, strict=True):
        result["reason"] = None if right else WRONG_ANSWER
    return [result for (_, result), _ in answers]


def _build(result: Row, tokenizer: ChatTokenizer) -> Trajectory | RejectReason:
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


def _measure_prefix(result: Row, tokenizer: ChatTokenizer) -> None:
    trajectory = _build(result, tokenizer)
    if isinstance(trajectory, RejectReason):  # the store was made with another tokenizer
        result["reason"] = trajectory.value
        return
    result["error_tokens"] = len(_error_ids(result, tokenizer))
    result["prefix_length"] = trajectory.prefix_length
    result["prefix_fraction"] = trajectory.prefix_fraction
    result["prefix_text"] = decode(tokenizer, trajectory.response_ids[: trajectory.prefix_length])


def _failure(output: Response) -> RejectReason | None:
    if output.failure is None:
        return None
    too_long = output.failure == RejectReason.DOES_NOT_FIT.value
    return RejectReason.DOES_NOT_FIT if too_long else RejectReason.REQUEST_FAILED


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
