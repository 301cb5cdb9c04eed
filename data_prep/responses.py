"""n graded responses per query, kept in a journal for reuse."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from data_prep.queries import Query, digest, response_seed
from recipe_tapo.errors import InputError
from recipe_tapo.grading.batch import score_all
from recipe_tapo.sampling.journal import fill_journal, read_journal, read_settings
from recipe_tapo.sampling.requests import Request, Response, Sampler, Sampling, sample_all


def sample_responses(
    path: Path,
    queries: Sequence[Query],
    *,
    n: int,
    seed: int,
    sampling: Sampling,
    chunk: int,
    model: dict[str, Any],
    sampler: Callable[[], Sampler],
) -> None:
    """Samples and grades what the journal does not hold yet.

    Args:
        path: The journal.
        queries: The questions.
        n: Responses per query.
        seed: Of the run.
        sampling: How they are drawn.
        chunk: Responses drawn together.
        model: What identifies the model.
        sampler: Makes the engine; called only when there is something to sample.

    Raises:
        InputError: The journal was made otherwise, or the engine or the grader does not work.
    """

    def work(batch: list[tuple[Query, int]]) -> list[dict]:
        requests = [Request(query.messages, response_seed(seed, query, number)) for query, number in batch]
        responses = sample_all(sampler(), requests, sampling)
        rights = grade(responses, [query.gold for query, _ in batch])
        return [
            {"query": query.key, "sample": number, "right": right, **asdict(response)}
            for (query, number), right, response in zip(batch, rights, responses, strict=True)
        ]

    fill_journal(
        path,
        {"kind": "responses", **model, **asdict(sampling), "n": n, "seed": seed, "queries": digest(queries)},
        ((query, number) for query in queries for number in range(n)),
        total=len(queries) * n,
        chunk=chunk,
        work=work,
        desc="sampling",
    )


def read_groups(path: Path) -> Iterator[tuple[str, list[dict]]]:
    """Yields each query's key and its responses, in the order of the queries.

    Raises:
        InputError: The journal is missing, incomplete or of another kind.
    """
    settings = read_settings(path)
    if settings.get("kind") != "responses":
        raise InputError(f"{path}: holds {settings.get('kind')}, not responses")
    results = read_journal(path)
    while group := list(islice(results, settings["n"])):
        yield group[0]["query"], group


def grade(responses: Sequence[Response], golds: Sequence[str]) -> list[bool]:
    """Tells the right responses by the project's grader; failures are never right.

    Raises:
        InputError: The grader does not work here.
    """
    # The text of a failure is empty, and so wrong.
    texts = ((response.text, gold) for response, gold in zip(responses, golds, strict=True))
    return [score["acc"] == 1.0 for score in score_all(texts)]
