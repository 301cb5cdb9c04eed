"""Several runs at a time: how many, in which order, and how they end."""

import threading

import pytest

from examples.study.arms import ARMS
from examples.study.plan import StudyRun
from examples.study.schedule import Stopped, run_all

GRPO, TAPO, SFT = (StudyRun(ARMS[name], 0, 0) for name in ("grpo", "tapo", "sft"))
OTHERS = [StudyRun(ARMS["grpo"], seed, 0) for seed in range(1, 5)]


def nothing(*_):
    """Listens to nothing."""


def test_as_many_runs_as_wanted_are_under_way_at_once():
    both = threading.Barrier(2, timeout=20)  # breaks unless two runs meet
    running, most, lock = set(), [], threading.Lock()

    def work(run, check):
        with lock:
            running.add(run)
            most.append(len(running))
        both.wait()
        with lock:
            running.remove(run)

    errors = []
    run_all(OTHERS, work, 2, nothing, lambda run, error: errors.append(error))
    assert errors == [None] * 4
    assert max(most) == 2


def test_one_at_a_time_keeps_the_order():
    order = []
    run_all(OTHERS, lambda run, check: order.append(run), 1, nothing, nothing)
    assert order == OTHERS


def test_sft_waits_for_the_run_that_it_learns_from_even_if_that_fails():
    others_done = threading.Event()
    events = []

    def work(run, check):
        if run == TAPO:
            assert others_done.wait(20)
            raise ValueError("no luck")
        if run == OTHERS[0]:
            others_done.set()

    def ended(run, error):
        events.append((run, type(error)))

    run_all([TAPO, SFT, GRPO, OTHERS[0]], work, 2, nothing, ended)
    assert events.index((TAPO, ValueError)) < events.index((SFT, type(None)))
    assert {run for run, _ in events} == {TAPO, SFT, GRPO, OTHERS[0]}


def test_an_interrupt_ends_the_others_and_starts_no_more():
    ready, ends, begun = threading.Event(), [], []

    def work(run, check):
        if run == OTHERS[0]:
            ready.wait(20)
            raise KeyboardInterrupt
        ready.set()
        try:
            while True:
                check()
        except Stopped:
            ends.append(run)
            raise

    def ended(run, error):
        raise error

    with pytest.raises(KeyboardInterrupt):
        run_all(OTHERS, work, 2, begun.append, ended)
    assert begun == OTHERS[:2]
    assert ends == [OTHERS[1]]
