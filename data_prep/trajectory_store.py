"""Sampling constructions into a store, one result per query, and reading them back."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from data_prep.queries import Query, digest, response_seed
from data_prep.responses import grade, read_groups
from data_prep.trajectories import WRONG_ANSWER, build, choose_material, measure_prefix, synthesis_messages
from recipe_tapo.algorithm.chats import asked_text, question_text
from recipe_tapo.algorithm.guards import echoes_template, leaks, load_leak_patterns, template_phrases, unasked
from recipe_tapo.algorithm.tokens import ChatTokenizer
from recipe_tapo.reasons import RejectReason
from recipe_tapo.records.digest import short_digest
from recipe_tapo.records.store import Row, read_results, read_settings
from recipe_tapo.sampling.fill import Task, fill_store
from recipe_tapo.sampling.requests import Request, Response, Sampler, Sampling


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
    retry_failed: bool = False,
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
        retry_failed: Whether requests that failed in an earlier run are sent again.

    Raises:
        InputError: The store was made otherwise, or the engine or the grader does not work.
    """

    def tasks() -> Iterator[Task[tuple[Query, Row]]]:
        for query, (_, group) in zip(queries, read_groups(responses), strict=True):
            result, request = choose_material(query, group, seed), None
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
            "template": short_digest(template),
            "responses": short_digest(json.dumps(read_settings(responses))),
        },
        tasks(),
        partial(_judge, tokenizer, template),
        total=len(queries),
        chunk=chunk,
        make_sampler=sampler,
        sampling=sampling,
        retry_failed=retry_failed,
        desc="constructing",
    )


def read_constructions(path: Path, queries: Sequence[Query], tokenizer: ChatTokenizer) -> Iterator[tuple[Query, Row]]:
    """Yields each query with its result.

    A result has ``reason`` (None for a verified-right trajectory), ``error`` and ``correct`` (the responses chosen,
    None where there is none), their prompt's ``question_tokens``, ``correct_tokens``, the ``trajectory`` and the
    engine's raw ``text`` with ``prompt_tokens`` and ``tokens``. That of a verified-right trajectory also has what it
    preserves of the wrong response: ``prefix_length`` in tokens, ``prefix_fraction`` of the wrong response's
    ``error_tokens``, and ``prefix_text``; and ``new_tokens``, how many follow.

    Raises:
        InputError: The store is missing or incomplete.
    """
    for query, result in zip(queries, read_results(path), strict=True):
        if result["reason"] is None:
            measure_prefix(result, tokenizer)
        yield query, result


def _count_what_a_server_did_not(query: Query, result: Row, tokenizer: ChatTokenizer) -> None:
    result["question_tokens"] = result["question_tokens"] or _tokens(_said(query.messages), tokenizer)
    result["correct_tokens"] = result["correct_tokens"] or _tokens(result["correct"] or "", tokenizer)


def _said(messages: Sequence[Mapping[str, str]]) -> str:
    return "\n".join(message["content"] for message in messages)


def _tokens(text: str, tokenizer: ChatTokenizer) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False))


def _asked(query: Query) -> str:
    return asked_text(question_text(query.messages, query.extra_info), query.messages)


def _judge(tokenizer: ChatTokenizer, template: str, answers: Sequence[tuple[tuple[Query, Row], Response]]) -> list[Row]:
    """Puts output, trajectory and reason into each result; the reason stays None where the trajectory is right."""
    parsed: list[tuple[Query, Row]] = []
    phrases, patterns = template_phrases(template), load_leak_patterns()
    for (query, result), output in answers:
        _count_what_a_server_did_not(query, result, tokenizer)
        if result["reason"]:
            continue
        result.update(asdict(output))
        if output.failure is None:
            chat = _said(synthesis_messages(template, query, result))
            result["prompt_tokens"] = output.prompt_tokens or _tokens(chat, tokenizer)
            result["tokens"] = output.tokens or _tokens(output.text, tokenizer)
        outcome = _failure(output) or build(result, tokenizer)
        if isinstance(outcome, RejectReason):
            result["reason"] = outcome.value
            continue
        # As in training: what the wrong response says itself is no echo and no leak.
        new = outcome.new_text(tokenizer)
        if echoes_template(new, phrases):
            result["reason"] = RejectReason.TEMPLATE_ECHO.value
        elif leaks(outcome.text, unasked(patterns, _asked(query)), start=len(outcome.text) - len(new)):
            result["reason"] = RejectReason.LEAK.value
        else:
            result["trajectory"] = outcome.text.strip()
            parsed.append((query, result))
    rights = grade([result["trajectory"] for _, result in parsed], [query.gold for query, _ in parsed])
    for (_, result), right in zip(parsed, rights, strict=True):
        result["reason"] = None if right else WRONG_ANSWER
    return [result for (_, result), _ in answers]


def _failure(output: Response) -> RejectReason | None:
    if output.failure is None:
        return None
    too_long = output.failure == RejectReason.DOES_NOT_FIT.value
    return RejectReason.DOES_NOT_FIT if too_long else RejectReason.REQUEST_FAILED
