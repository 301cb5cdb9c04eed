"""One line per arm with the time left: live on a terminal, else a plain line whenever a run starts or ends."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from examples.study.arms import Arm, Kind
from examples.study.plan import StudyRun

_START_S: dict[Kind, float] = {"start": 20.0, "engine": 130.0, "sft": 20.0}
_STEP_S: dict[Kind, float] = {"start": 0.0, "engine": 6.0, "sft": 0.1}


class Estimator:
    """Guesses how long runs take: from runs of the same kind once there is one.

    Args:
        steps: Training steps of a run.
        jobs: Runs at a time, which share the machine.
    """

    def __init__(self, steps: int, jobs: int = 1):
        self.steps, self.jobs = steps, jobs
        self._seen: dict[Kind, list[float]] = {}

    def saw(self, kind: Kind, seconds: float) -> None:
        """Takes note of a finished run."""
        self._seen.setdefault(kind, []).append(seconds)

    def seconds(self, kind: Kind) -> float:
        """Expected duration of a run."""
        seen = self._seen.get(kind)
        return sum(seen) / len(seen) if seen else self.jobs * (_START_S[kind] + self.steps * _STEP_S[kind])

    def left(self, runs: Sequence[StudyRun]) -> float:
        """Expected duration of several runs."""
        return sum(self.seconds(run.arm.kind) for run in runs) / self.jobs


def minutes(seconds: float) -> str:
    """A duration for people: ``45 s``, ``12 min``, ``3 h 05``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    whole = round(seconds / 60)
    return f"{whole} min" if whole < 60 else f"{whole // 60} h {whole % 60:02d}"


class Board:
    """Shows what is done, what runs and what is left.

    Args:
        plan: All runs.
        done: Those that need no more work.
        estimator: For the time left.
        console: Where to.
    """

    def __init__(self, plan: Sequence[StudyRun], done: Sequence[StudyRun], estimator: Estimator, console: Console):
        self.todo = [run for run in plan if run not in done]
        self.estimator, self.console = estimator, console
        self._started: dict[StudyRun, float] = {}
        columns = [
            TextColumn("{task.description:28s}"),
            BarColumn(20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        ]
        self._progress = Progress(*columns, console=console)
        self._tasks = {}
        for arm in dict.fromkeys(run.arm for run in plan):
            total = sum(run.arm == arm for run in plan)
            finished = sum(run.arm == arm for run in done)
            self._tasks[arm] = self._progress.add_task(arm.title, total=total, completed=finished, note="")
        self._live = console.is_terminal

    def __enter__(self) -> "Board":
        self._refresh_all()
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._progress.stop()

    def start(self, run: StudyRun) -> None:
        """A run begins."""
        self._started[run] = time.monotonic()
        self._say(run, f"starts; {minutes(self.estimator.left(self.todo))} left for the whole study")
        self.update(run, 0, "starting")

    def update(self, run: StudyRun, step: int, line: str) -> None:
        """A run goes on."""
        self._note(run.arm, self._left(run.arm), f"seed {_seeds(run)}: {line}")

    def finish(self, run: StudyRun, line: str) -> None:
        """A run has its record, or has failed for now."""
        seconds = time.monotonic() - self._started[run]
        self.todo.remove(run)
        self._progress.advance(self._tasks[run.arm])
        self._refresh_all()
        self._say(run, f"{line} in {minutes(seconds)}")

    def _left(self, arm: Arm) -> float:
        runs = [run for run in self.todo if run.arm == arm]
        gone = sum(time.monotonic() - self._started[run] for run in runs if run in self._started)
        return max(0.0, self.estimator.left(runs) - gone / self.estimator.jobs)

    def _refresh_all(self) -> None:
        for arm in self._tasks:
            left = self._left(arm)
            self._note(arm, left, "" if left else "done")

    def _note(self, arm: Arm, left: float, line: str) -> None:
        note = f"{minutes(left)} left  {line}" if left else line
        self._progress.update(self._tasks[arm], note=note)

    def _say(self, run: StudyRun, line: str) -> None:
        if not self._live:
            self.console.print(f"{run.arm.name}, seed {_seeds(run)}: {line}", highlight=False, markup=False)


def _seeds(run: StudyRun) -> str:
    return f"{run.seed}" if run.rl_seed is None else f"{run.seed}/{run.rl_seed}"
