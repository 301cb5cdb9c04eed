"""Whole training steps of TAPO and GRPO on the CPU engine, in alternating processes: the demo's model and task."""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from examples.arithmetic.problems import make_problems
from examples.arithmetic.question_files import write_split
from examples.runs.command import training_command
from examples.runs.metrics import METRICS, read_metrics
from examples.runs.places import CHECKPOINT
from examples.runs.process import TrainingFailed, run_training
from recipe_tapo.engine.names import TRAINER_MODE

QUESTIONS, PER_QUESTION = 16, 8
ROLLOUTS = QUESTIONS * PER_QUESTION
ORDER = ("grpo", "tapo", "tapo", "grpo")
OVERRIDES = (
    f"data.train_batch_size={QUESTIONS}",
    f"actor_rollout_ref.actor.ppo_mini_batch_size={QUESTIONS}",
    f"actor_rollout_ref.rollout.n={PER_QUESTION}",
    "actor_rollout_ref.actor.optim.lr=0.0",  # so that both arms keep generating and constructing alike
    "tapo.synthesis.max_tokens=96",
    "trainer.val_before_train=false",
    "trainer.save_freq=-1",
)
SEEDED = (
    "actor_rollout_ref.rollout.seed",
    "actor_rollout_ref.actor.data_loader_seed",
    "data.seed",
    "tapo.seed",
)


@dataclass(frozen=True)
class Timing:
    """One run.

    Attributes:
        first_step_s: From the command to the beginning of the first training step.
        step_s: Seconds of each later step.
        rows: Rows trained on in each of them.
        hidden: Share of construction time hidden behind generation, in each of them that constructed.
    """

    first_step_s: float
    step_s: list[float]
    rows: list[float]
    hidden: list[float]


def slots_of(waves: int) -> int:
    """How many sequences vLLM serves at a time: all and more, or so many that the rollouts come in ``waves``.

    In one wave groups finish together, in several one after the other.
    """
    return 2 * ROLLOUTS if waves == 1 else ROLLOUTS // waves


def benchmark_command(
    arm: str, seed: int, steps: int, slots: int, questions: Path, folder: Path, mode: str = TRAINER_MODE
) -> list[str]:
    """The command that trains one arm of ``configs/arm`` from the bundled checkpoint, under one of verl's trainers."""
    return [
        *training_command(CHECKPOINT, questions, folder, steps, test_freq=-1),
        f"+arm={arm}",
        *OVERRIDES,
        *(f"{key}={seed}" for key in SEEDED),
        f"actor_rollout_ref.rollout.max_num_seqs={slots}",
        f"trainer.v1.trainer_mode={mode}",
    ]


def time_run(arm: str, seed: int, steps: int, slots: int, questions: Path, folder: Path, mode: str) -> Timing:
    """Trains one arm and reads its times off the log.

    Raises:
        TrainingFailed: The training process ended with an error.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = benchmark_command(arm, seed, steps, slots, questions, folder, mode)
    began, first_logged = time.time(), None

    def watch() -> None:
        nonlocal first_logged
        metrics = folder / METRICS
        if first_logged is None and read_metrics(metrics):
            first_logged = metrics.stat().st_mtime

    run_training(command, folder, watch)
    records = read_metrics(folder / METRICS)
    if first_logged is None:
        raise TrainingFailed(f"training left no metrics in {folder / METRICS}; see train.log beside it")
    return Timing(
        first_step_s=first_logged - records[0]["timing_s/step"] - began,
        step_s=[record["timing_s/step"] for record in records[1:]],
        rows=[ROLLOUTS + record.get("tapo/rows", 0.0) for record in records[1:]],
        hidden=[
            r["tapo/construction_hidden_fraction"] for r in records[1:] if "tapo/construction_hidden_fraction" in r
        ],
    )


def compare(timings: dict[str, list[Timing]]) -> dict[str, Any]:
    """Ratios of TAPO to GRPO over all runs of both.

    Returns:
        Medians over steps of both arms, the ratio of their seconds, that of their rows, and the one over the other:
        at 1 a constructed row costs what a rollout costs. Means, too: in an asynchronous mode long and short steps
        alternate.
    """

    def all_of(arm: str, name: str) -> list[float]:
        return [value for timing in timings[arm] for value in getattr(timing, name)]

    seconds = {arm: median(all_of(arm, "step_s")) for arm in timings}
    means = {arm: mean(all_of(arm, "step_s")) for arm in timings}
    rows = {arm: mean(all_of(arm, "rows")) for arm in timings}
    hidden = all_of("tapo", "hidden")
    step_ratio, row_ratio = seconds["tapo"] / seconds["grpo"], rows["tapo"] / rows["grpo"]
    return {
        "seconds_per_step": seconds,
        "mean_seconds_per_step": means,
        "rows_per_step": rows,
        "step_ratio": step_ratio,
        "mean_step_ratio": means["tapo"] / means["grpo"],
        "row_ratio": row_ratio,
        "step_ratio_over_row_ratio": step_ratio / row_ratio,
        "hidden": mean(hidden) if hidden else None,
        "seconds_to_first_step": {arm: [timing.first_step_s for timing in runs] for arm, runs in timings.items()},
    }


def measure(steps: int, waves: Iterable[int], folder: Path, mode: str = TRAINER_MODE) -> dict[str, Any]:
    """Runs both arms in turn for each number of waves, under one of verl's trainers.

    Raises:
        TrainingFailed: A training process ended with an error.
    """
    questions = folder / "questions"
    for split, size in (("train", 2048), ("val", 256)):
        write_split(questions, split, make_problems(size, split, seed=0))
    results = {}
    for number in waves:
        timings: dict[str, list[Timing]] = {}
        for position, arm in enumerate(ORDER):
            print(f"{number} waves: {arm}, run {position + 1} of {len(ORDER)}", flush=True)
            run = folder / f"waves{number}-{position}-{arm}"
            timing = time_run(arm, position // 2, steps, slots_of(number), questions, run, mode)
            timings.setdefault(arm, []).append(timing)
        results[str(number)] = compare(timings)
    return {"mode": mode, "steps_per_run": steps - 1, "rollouts_per_step": ROLLOUTS, "waves": results}
