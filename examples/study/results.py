"""A finished run in one line of numbers, and all of them in ``results.jsonl``."""

import json
import math
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any

from examples.arithmetic.question_files import ACCURACY
from examples.runs.metrics import StepMetrics, read_metrics, training_steps
from examples.study.arms import find_arms
from examples.study.plan import RECORD, StudyRun
from examples.study.settings import Settings
from recipe_tapo.errors import InputError
from recipe_tapo.records.write import atomic_paths, write_jsonl

RESULTS = "results.jsonl"
LAST_STEPS = 5

Record = dict[str, Any]


def training_record(metrics: Path, rollouts_per_step: int) -> Record:
    """What a run's log says about its training, over all its steps.

    ``seconds_per_step`` leaves out the first step, which waits for what is loaded on first use, and the time spent
    saving; verl times validation apart. Shares are totals over totals: an attempt counts alike in every step.
    ``sampler_gap`` is the largest difference between vLLM's and the trainer's probability of a sampled token.

    Args:
        metrics: What verl's file logger wrote.
        rollouts_per_step: Rows that every arm trains on; constructed rows come on top.
    """
    records = read_metrics(metrics)
    steps = training_steps(records)
    if not steps:
        return {}
    timed = steps[1:] or steps
    return {
        "steps_done": len(steps),
        "seconds_per_step": _mean([s["timing_s/step"] - s.get("timing_s/save_checkpoint", 0.0) for s in timed]),
        "rows_per_step": rollouts_per_step + _total(steps, "tapo/rows") / len(steps),
        "training_entropy": _mean(_values(steps[-LAST_STEPS:], "actor/entropy")),
        "training_accuracy": _mean(_values(steps[-LAST_STEPS:], "critic/score/mean")),
        "eligible": _share(steps, "tapo/eligible_groups", "tapo/groups"),
        "attempts_per_step": _mean(_values(steps, "tapo/attempts")),
        "parsed": _share(steps, "tapo/parsed", "tapo/attempts"),
        "right": _share(steps, "tapo/right", "tapo/parsed"),
        "zero_advantage_groups": _mean(_values(steps, "tapo/zero_advantage_groups_fraction")),
        "ots_weight": _mean(_values(steps, "tapo/ots_weight/mean")),
        "prefix_fraction": _mean(_values(steps, "tapo/prefix_fraction/mean")),
        "sampler_gap": max(_values(steps, "training/rollout_probs_diff_max"), default=None),
        "curve": {
            "held_out": {str(r["step"]): r[ACCURACY] for r in records if ACCURACY in r},
            "training": {str(s["step"]): s["critic/score/mean"] for s in steps},
            "generated_tokens": _generated_tokens(steps, rollouts_per_step),
        },
    }


def write_record(folder: Path, record: Record) -> None:
    """Marks a run as done: its record appears whole or not at all."""
    with atomic_paths(folder / RECORD) as [path]:
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def read_records(output_dir: Path) -> list[Record]:
    """All finished runs of a study."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(output_dir.glob(f"runs/*/{RECORD}"))]


def take_over(output_dir: Path, results: Path, settings: Settings) -> int:
    """Counts the runs of another study's ``results.jsonl`` in, where this one has none; returns how many.

    They come without logs, constructions and model: they are in the table and the learning curves, not in the
    training dynamics.

    Raises:
        InputError: The file cannot be read, or holds runs of another regime or other steps.
    """
    try:
        records = [json.loads(line) for line in results.read_bytes().splitlines()]
        runs = [StudyRun(find_arms([r["arm"]])[0], r["seed"], r["rl_seed"]) for r in records]
    except (OSError, ValueError, LookupError, TypeError, InputError) as error:
        raise InputError(f"--known_results {results}: no results of a study ({error!r})") from error
    # Those of records from before settings were noted.
    defaults = Settings(settings.regime, settings.steps, settings.test_freq).of_training()
    for record in records:
        wanted = (settings.regime, settings.steps if record["rl_seed"] is not None else 0)
        if (record.get("regime"), record.get("steps")) != wanted:
            raise InputError(
                f"--known_results {results}: holds runs of regime {record.get('regime')} with {record.get('steps')} "
                f"steps, not {settings.regime} with {wanted[1]}; they cannot be compared"
            )
        known = record.get("settings", defaults)
        for name, value in settings.of_training().items():
            if record["rl_seed"] is not None and known[name] != value:
                raise InputError(
                    f"--known_results {results}: holds runs with {name}={known[name]}, not {value}; they cannot be "
                    "compared"
                )
    new = [(run, record) for run, record in zip(runs, records, strict=True) if not run.is_done(output_dir)]
    for run, record in new:
        run.folder(output_dir).mkdir(parents=True, exist_ok=True)
        write_record(run.folder(output_dir), record)
    return len(new)


def write_results(output_dir: Path, records: Iterable[Record]) -> None:
    """Writes one line per finished run."""
    with atomic_paths(output_dir / RESULTS) as [path]:
        write_jsonl(path, records)


def _generated_tokens(steps: list[StepMetrics], rollouts_per_step: int) -> list[int]:
    """Tokens generated up to the end of each step, those of synthesis included."""
    each = [s["response_length/mean"] * rollouts_per_step + s.get("tapo/synthesis_tokens", 0.0) for s in steps]
    return [round(total) for total in accumulate(each)]


def _values(steps: list[StepMetrics], name: str) -> list[float]:
    return [step[name] for step in steps if name in step and not math.isnan(step[name])]


def _total(steps: list[StepMetrics], name: str) -> float:
    return sum(_values(steps, name))


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _share(steps: list[StepMetrics], part: str, whole: str) -> float | None:
    total = _total(steps, whole)
    return _total(steps, part) / total if total else None
