"""Grading of many responses, as many at once as there are cores."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from recipe_tapo.errors import InputError
from recipe_tapo.grading import DEFAULT_TIME_LIMIT_S
from recipe_tapo.grading.pool import GraderUnavailable, shared_pool
from recipe_tapo.grading.score import Score, score_response

# Bounds what is read ahead of the grading.
_CHUNK = 1024


def score_all(
    pairs: Iterable[tuple[str, str | float]], threads: int | None = None, time_limit: float = DEFAULT_TIME_LIMIT_S
) -> Iterator[Score]:
    """Yields what ``score_response`` says of each (response, gold), in order.

    Args:
        pairs: Responses with their golds.
        threads: Comparisons under way at once; None for the number of cores that this process may use.
        time_limit: Seconds for one comparison.

    Raises:
        InputError: The grader does not work here.
    """
    pairs = iter(pairs)
    # The work is done in the grader's own processes; threads keep all of them busy.
    threads = threads or _cores()
    shared_pool().allow(threads)
    pool = ThreadPoolExecutor(threads)
    try:
        while chunk := list(islice(pairs, _CHUNK)):
            yield from pool.map(lambda pair: score_response(pair[0], pair[1], time_limit), chunk)
    except GraderUnavailable as error:
        raise InputError(f"cannot grade: {error}") from error
    finally:
        # After Ctrl-C nobody wants to wait for what is still in the queue.
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    # Linux alone knows; a job's share of a large machine may be small.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
