"""Sampling and grading the responses of an evaluation, into a store that survives interruption."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from recipe_tapo.evaluation.records import KEY, Place, Problem, ResponseRecord, read_records
from recipe_tapo.evaluation.score import score_records
from recipe_tapo.records.store import Row
from recipe_tapo.sampling.fill import Task, fill_store
from recipe_tapo.sampling.requests import Request, Response, Sampler, Sampling, derive_seed


def sample_problems(
    path: Path,
    problems: Sequence[Problem],
    *,
    runs: int,
    samples: int,
    seed: int,
    sampling: Sampling,
    chunk: int,
    settings: dict[str, Any],
    make_sampler: Callable[[], Sampler],
    retry_failed: bool = False,
) -> list[ResponseRecord]:
    """Samples and grades what the store does not hold yet, problem by problem, run by run; returns all of it.

    A response's seed depends on the seed of the evaluation and on the response's own place alone, so that more runs or
    samples add responses and change none.

    Args:
        path: The store, of ``ResponseRecord`` lines.
        problems: Of all benchmarks.
        runs: Independent runs.
        samples: Responses per problem and run.
        seed: Of the evaluation.
        sampling: How responses are drawn.
        chunk: Responses drawn together.
        settings: What else they depend on.
        make_sampler: Starts the engine; called only when there is something to sample.
        retry_failed: Whether requests that failed in an earlier run are sent again.

    Raises:
        InputError: The store was made otherwise, or the engine or the grader does not work.
    """

    def tasks() -> Iterator[Task[Place]]:
        for problem in problems:
            for run, sample in product(range(runs), range(samples)):
                place = (problem.benchmark, problem.problem_idx, run, sample)
                yield Task(place, Request(problem.messages, derive_seed(seed, *place)), place)

    def to_results(answers: Sequence[tuple[Place, Response]]) -> list[Row]:
        records = [_to_record(place, response) for place, response in answers]
        return [asdict(record) for record in score_records(records, problems)]

    fill_store(
        path,
        KEY,
        {**settings, **asdict(sampling), "runs": runs, "samples": samples, "seed": seed},
        tasks(),
        to_results,
        total=len(problems) * runs * samples,
        chunk=chunk,
        make_sampler=make_sampler,
        sampling=sampling,
        desc="evaluating",
        retry_failed=retry_failed,
    )
    return list(read_records(path, ResponseRecord))


def _to_record(place: Place, response: Response) -> ResponseRecord:
    failed = response.failure is not None
    return ResponseRecord(
        *place,
        response=response.text,
        truncated=None if failed else response.truncated,
        # A server may not count; a response of an engine that does has at least the token that ended it.
        tokens=None if failed else response.tokens or None,
        failure=response.failure,
    )
