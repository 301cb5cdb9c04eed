"""n graded responses per query, kept in a store for reuse."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice, product
from pathlib import Path
from typing import Any

from data_prep.queries import Query, digest, response_seed
from recipe_tapo.errors import InputError
from recipe_tapo.grading.batch import score_all
from recipe_tapo.records.store import Row, read_results, read_settings
from recipe_tapo.sampling.fill import Task, fill_store
from recipe_tapo.sampling.requests import Request, Response, Sampler, Sampling


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
    retry_failed: bool = False,
) -> None:
    """Samples and grades what the store does not hold yet.

    Args:
        path: The store.
        queries: The questions.
        n: Responses per query.
        seed: Of the run.
        sampling: How they are drawn.
        chunk: Responses drawn together.
        model: What identifies the model.
        sampler: Makes the engine; called only when there is something to sample.
        retry_failed: Whether requests that failed in an earlier run are sent again.

    Raises:
        InputError: The store was made otherwise, or the engine or the grader does not work.
    """

    def tasks() -> Iterator[Task[tuple[Query, int]]]:
        for query, number in product(queries, range(n)):
            request = Request(query.messages, response_seed(seed, query, number))
            yield Task((query.key, number), request, (query, number))

    def to_results(answers: Sequence[tuple[tuple[Query, int], Response]]) -> list[Row]:
        rights = grade([response.text for _, response in answers], [query.gold for (query, _), _ in answers])
        return [
            {"query": query.key, "sample": number, "right": right, **asdict(response)}
            for ((query, number), response), right in zip(answers, rights, strict=True)
        ]

    fill_store(
        path,
        ("query", "sample"),
        {"kind": "responses", **model, **asdict(sampling), "n": n, "seed": seed, "queries": digest(queries)},
        tasks(),
        to_results,
        total=len(queries) * n,
        chunk=chunk,
        make_sampler=sampler,
        sampling=sampling,
        retry_failed=retry_failed,
        desc="sampling",
    )


def read_groups(path: Path) -> Iterator[tuple[str, list[dict]]]:
    """Yields each query's key and its responses, in the order of the queries.

    Raises:
        InputError: The store is missing, incomplete or of another kind.
    """
    settings = read_settings(path)
    if settings.get("kind") != "responses":
        raise InputError(f"{path}: holds {settings.get('kind')}, not responses")
    results = read_results(path)
    while group := list(islice(results, settings["n"])):
        # Answers of a server lie as they came until all are there.
        places = [(result["query"], result["sample"]) for result in group]
        if places != [(group[0]["query"], number) for number in range(settings["n"])]:
            raise InputError(f"{path}: has results missing; finish the command that writes it")
        yield group[0]["query"], group


def grade(texts: Sequence[str], golds: Sequence[str]) -> list[bool]:
    """Tells the right responses by the project's grader; the empty text of a failure is never right.

    Raises:
        InputError: The grader does not work here.
    """
    return [score["acc"] == 1.0 for score in score_all(zip(texts, golds, strict=True))]
