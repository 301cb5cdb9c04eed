"""Asking a model about many things, into a store of results that survives every interruption.

Work goes in chunks of a fixed size, cut at the same places in every run. An engine whose rounding depends on what a
response is drawn together with gets a chunk again as a whole when any of it is missing, so that the results are those
of a run without interruption; one that answers each request by itself is asked for what is missing alone.
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from tqdm import tqdm

from recipe_tapo.errors import InputError
from recipe_tapo.records.store import Key, ResultStore, Row, read_results
from recipe_tapo.sampling.requests import Request, Response, Sampler, Sampling

Subject = TypeVar("Subject")
# So many requests that fail without exception are no accident of single requests.
_HOPELESS = 32


@dataclass(frozen=True)
class Task(Generic[Subject]):
    """One result to get.

    Attributes:
        key: Of the result.
        request: What to ask; None where the result needs no answer.
        subject: What it is about.
    """

    key: Key
    request: Request | None
    subject: Subject


ToResults = Callable[[Sequence[tuple[Subject, Response]]], list[Row]]


def fill_store(
    path: Path,
    key: Sequence[str],
    settings: Mapping[str, Any],
    tasks: Iterable[Task[Subject]],
    to_results: ToResults[Subject],
    *,
    total: int,
    chunk: int,
    make_sampler: Callable[[], Sampler],
    sampling: Sampling,
    desc: str,
    retry_failed: bool = False,
) -> None:
    """Gets every result that the store does not have yet; at the end it has one line per task, in their order.

    Args:
        path: The store.
        key: The fields of a result that make up its key.
        settings: All that the results depend on besides ``chunk`` and ``total``.
        tasks: In an order that is the same in every run.
        to_results: Subjects with their responses (an empty one where nothing was asked) to as many results.
        total: Number of tasks.
        chunk: How many are worked on together.
        make_sampler: Starts the engine; called only when there is something to ask.
        sampling: How responses are drawn.
        desc: What to show beside the progress bar.
        retry_failed: Whether a result with a ``failure`` is asked for again, and one for which there was nothing to ask
            is made again.

    Raises:
        InputError: The store was made with other settings, or another process is filling it; the engine does not work,
            or of many requests not one succeeded, nor does one again that did before: storing that would make it
            final.
    """
    tasks, sampler = iter(tasks), cache(make_sampler)
    keys: list[Key] = []
    started, known = time.monotonic(), 0
    with (
        ResultStore(path, key, {**settings, "chunk": chunk, "total": total}) as store,
        tqdm(total=total, desc=desc, disable=None) as progress,
    ):
        while batch := list(islice(tasks, chunk)):
            keys += [task.key for task in batch]
            missing = [task for task in batch if _is_missing(task, store, retry_failed)]
            if not missing:
                progress.initial = known = len(keys)
            else:
                _work_on(batch, missing, store, to_results, sampler, sampling)
                store.sync()
            progress.update(len(batch))
            if progress.disable and known < len(keys):
                # In a log file, a line for each chunk.
                seconds = time.monotonic() - started
                meter = tqdm.format_meter(len(keys), total, seconds, prefix=desc, initial=known, ascii=True, ncols=80)
                print(meter, file=sys.stderr, flush=True)
        store.put_in_order(keys)


def count_failed(path: Path) -> int:
    """The number of requests that failed, of a complete store whose results keep their ``failure``.

    Raises:
        InputError: There is no such store, or results are missing.
    """
    return sum(result.get("failure") is not None for result in read_results(path))


def _is_missing(task: Task[Subject], store: ResultStore, retry_failed: bool) -> bool:
    # What needs no request costs nothing, and may be another result by now.
    again = retry_failed and (task.request is None or not _is_answered(task, store))
    return again or task.key not in store


def _work_on(
    batch: Sequence[Task[Subject]],
    missing: Sequence[Task[Subject]],
    store: ResultStore,
    to_results: ToResults[Subject],
    sampler: Callable[[], Sampler],
    sampling: Sampling,
) -> None:
    """Gets the missing results of a chunk; failures wait for its end, for it is then that they become final."""
    one_by_one = all(task.request is None for task in missing) or sampler().one_by_one
    waiting = dict(enumerate(missing if one_by_one else batch))
    asked = [(number, task.request) for number, task in waiting.items() if task.request is not None]
    responses: dict[int, Response] = {}

    def keep(numbers: Iterable[int]) -> None:
        answers = [(waiting.pop(number), responses.get(number, Response())) for number in numbers]
        store.add(
            to_results(
                [
                    (task.subject, response)
                    for task, response in answers
                    # A chunk is asked whole: what had an answer before may have none this time.
                    if response.failure is None or not _is_answered(task, store)
                ]
            )
        )

    if asked:
        for answers in sampler().sample([request for _, request in asked], sampling):
            arrived = {asked[place][0]: response for place, response in answers}
            responses |= arrived
            if one_by_one:
                keep(number for number, response in arrived.items() if response.failure is None)
    failures = [response.failure for response in responses.values() if response.failure is not None]
    hopeless = len(failures) >= _HOPELESS and len(failures) == len(asked)
    if hopeless and not _answers_again(batch, store, sampler(), sampling):
        raise InputError(f"all {len(failures)} requests of a chunk failed; the last one: {failures[-1]}")
    keep(list(waiting))


def _is_answered(task: Task[Subject], store: ResultStore) -> bool:
    """Whether an earlier run got an answer to the task's request."""
    # What had nothing to ask, since what it is made from had failed, has no such field.
    return (store.get(task.key) or {}).get("failure", "never asked") is None


def _answers_again(batch: Sequence[Task[Subject]], store: ResultStore, sampler: Sampler, sampling: Sampling) -> bool:
    """Whether a request of the chunk that an earlier run got an answer to gets one again; no where there is none."""
    for task in batch:
        if task.request is not None and _is_answered(task, store):
            answers = chain.from_iterable(sampler.sample([task.request], sampling))
            return any(response.failure is None for _, response in answers)
    return False
