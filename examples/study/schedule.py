"""Runs a plan, several runs at a time: each in a thread that waits for its training process."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from examples.study.plan import StudyRun, sft_source

Check = Callable[[], None]


class Stopped(Exception):
    """Raised inside a run's thread once the study ends early."""


def run_all(
    runs: Iterable[StudyRun],
    work: Callable[[StudyRun, Check], None],
    jobs: int,
    started: Callable[[StudyRun], None],
    ended: Callable[[StudyRun, BaseException | None], None],
) -> None:
    """Does the work of every run; returns when all have ended.

    Args:
        runs: In the order in which they shall start; one that learns from another starts when that one has ended.
        work: Carries out a run; has to call its second argument often, which raises ``Stopped`` when it is to end.
        jobs: How many may be under way at once.
        started: Told of each run before its work, in the calling thread.
        ended: Told of each run after it and what it raised, in the calling thread. What ``ended`` raises, or an
            interrupt of the calling thread, ends the others.
    """
    stopping = threading.Event()

    def check() -> None:
        if stopping.is_set():
            raise Stopped

    waiting, running = list(runs), dict[Future, StudyRun]()
    with ThreadPoolExecutor(jobs) as threads:
        try:
            while waiting or running:
                for run in _ready(waiting, list(running.values()))[: jobs - len(running)]:
                    waiting.remove(run)
                    started(run)
                    running[threads.submit(work, run, check)] = run
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    ended(running.pop(future), future.exception())
        finally:
            stopping.set()


def _ready(waiting: Sequence[StudyRun], running: Sequence[StudyRun]) -> list[StudyRun]:
    unfinished = {*waiting, *running}
    return [run for run in waiting if run.arm.kind != "sft" or sft_source(run) not in unfinished]
