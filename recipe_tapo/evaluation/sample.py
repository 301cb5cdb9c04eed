"""Sampling and grading the responses of an evaluation, into a journal that survives interruption."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from recipe_tapo.evaluation.records import Problem, ResponseRecord
from recipe_tapo.evaluation.score import score_records
from recipe_tapo.sampling.journal import fill_journal
from recipe_tapo.sampling.requests import Request, Response, Sampler, Sampling, derive_seed, sample_all

Item = tuple[Problem, int, int]


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
) -> None:
    """Samples and grades what the journal does not hold yet, problem by problem, run by run.

    A response's seed depends on the seed of the evaluation and on the response's own place alone, so that more runs or
    samples add responses and change none.

    Args:
        path: The journal, of ``ResponseRecord`` lines.
        problems: Of all benchmarks.
        runs: Independent runs.
        samples: Responses per problem and run.
        seed: Of the evaluation.
        sampling: How responses are drawn.
        chunk: Responses drawn together.
        settings: What else they depend on.
        make_sampler: Starts the engine; called only when there is something to sample.

    Raises:
        InputError: The journal was made otherwise, or the engine or the grader does not work.
    """
    sampler = cache(make_sampler)

    def work(batch: list[Item]) -> list[dict]:
        requests = [
            Request(problem.messages, derive_seed(seed, problem.benchmark, problem.problem_idx, run, sample))
            for problem, run, sample in batch
        ]
        responses = sample_all(sampler(), requests, sampling)
        records = [_to_record(item, response) for item, response in zip(batch, responses, strict=True)]
        return list(map(asdict, score_records(records, problems)))

    fill_journal(
        path,
        {**settings, **asdict(sampling), "runs": runs, "samples": samples, "seed": seed},
        ((problem, run, sample) for problem in problems for run in range(runs) for sample in range(samples)),
        total=len(problems) * runs * samples,
        chunk=chunk,
        work=work,
        desc="evaluating",
    )


def _to_record(item: Item, response: Response) -> ResponseRecord:
    problem, run, sample = item
    failed = response.failure is not None
    return ResponseRecord(
        benchmark=problem.benchmark,
        problem_idx=problem.problem_idx,
        run=run,
        sample=sample,
        response=response.text,
        truncated=None if failed else response.truncated,
        # A server may not count; a response of an engine that does has at least the token that ended it.
        tokens=None if failed else response.tokens or None,
        failure=response.failure,
    )
