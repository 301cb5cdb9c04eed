"""What TAPO costs beside verl's GRPO, as ratios.

In process, alternating: estimator, token weights and loss on rows × tokens against verl's GRPO estimator and vanilla
loss. With --steps also whole training steps on the CPU engine, in alternating processes (four starts of the
engine for each number of waves in which rollouts are served).
"""

import argparse
import json
from datetime import datetime, timezone
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from examples.benchmark import kernels, steps
from examples.runs.places import ROOT
from examples.runs.process import TrainingFailed
from examples.runs.provenance import commit, machine
from recipe_tapo.cli.flag_types import output_file, user_path
from recipe_tapo.cli.run import run_command
from recipe_tapo.engine.names import COLOCATE_ASYNC, TRAINER_MODE
from recipe_tapo.errors import InputError
from recipe_tapo.records.write import atomic_paths

MIN_ESTIMATOR_RATIO = 10.0
MAX_EXTRA_TENSORS = 2.0
MAX_STEP_OVER_ROWS = 1.05
MIN_HIDDEN = 0.8
MAX_FIRST_STEP_S = 180.0
WAVES = (1, 2, 4, 8, 16)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.benchmark", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output",
        type=output_file,
        default=ROOT / "outputs" / "benchmark.json",
        help="json to write (default: %(default)s)",
    )
    process = parser.add_argument_group("in process")
    process.add_argument("--rows", type=int, default=4096, help="rows of the batch (default: 4096)")
    process.add_argument("--tokens", type=int, default=4096, help="tokens per row (default: 4096)")
    process.add_argument("--repeats", type=int, default=7, help="timed pairs of calls (default: 7)")
    process.add_argument("--threads", type=int, help="torch threads (default: torch's own choice)")
    engine = parser.add_argument_group("on the engine")
    engine.add_argument(
        "--steps", type=int, default=0, help="training steps per run, 20 say (default: none, no engine)"
    )
    engine.add_argument(
        "--waves",
        nargs="+",
        action="extend",
        type=int,
        choices=WAVES,
        metavar="N",
        help=f"waves in which vLLM serves a step's {steps.ROLLOUTS} rollouts: in one, groups finish together, in "
        f"more apart; any of {', '.join(map(str, WAVES))} (default: 1 4 16)",
    )
    engine.add_argument(
        "--mode",
        choices=(TRAINER_MODE, COLOCATE_ASYNC),
        default=TRAINER_MODE,
        help="trainer of both arms (default: %(default)s, the synchronous one)",
    )
    engine.add_argument(
        "--work_dir", type=user_path, default=ROOT / "outputs" / "benchmark", help="for the runs (default: %(default)s)"
    )
    return parser


Goal = tuple[str, bool | None]
Line = tuple[str, str, str, bool | None]
NO_GOAL: Goal = ("", None)


def verdicts(results: dict[str, Any]) -> list[Line]:
    """What was measured, its value, the goal, and whether it is met ("" and None where there is no goal)."""
    in_process = results["in_process"]
    lines = [line for name in kernels.NAMES if name in in_process for line in _in_process(name, in_process[name])]
    if "on_the_engine" in results:
        lines += [
            line
            for waves, part in results["on_the_engine"]["waves"].items()
            for line in _on_the_engine(int(waves), part)
        ]
    return lines


def _in_process(name: str, part: dict[str, Any]) -> list[Line]:
    ours, verls = part["ours_s"], part["verl_s"]
    is_goal = name == "estimator"
    if verls is None:
        lines: list[Line] = [(f"{name}: seconds", f"{ours:.3f}", *NO_GOAL)]
    else:
        ratio = part["verl_over_ours"]
        value = f"{verls:.3f} / {ours:.3f} = {ratio:.2f}"
        goal: Goal = (f"at least {MIN_ESTIMATOR_RATIO:g}", ratio >= MIN_ESTIMATOR_RATIO) if is_goal else NO_GOAL
        lines = [(f"{name}: verl's seconds over ours", value, *goal)]
    extra = part["extra_tensors"]
    if extra is not None:
        value = f"{extra:.2f}" + ("" if verls is None else f" (verl {part['verl_extra_tensors']:.2f})")
        goal = (f"under {MAX_EXTRA_TENSORS:g}", extra < MAX_EXTRA_TENSORS) if is_goal else NO_GOAL
        lines.append((f"{name}: peak extra memory, row-by-token tensors", value, *goal))
    return lines


def _on_the_engine(waves: int, part: dict[str, Any]) -> list[Line]:
    name = "one wave" if waves == 1 else f"{waves} waves"
    seconds, ratio, rows, hidden = part["seconds_per_step"], part["step_ratio"], part["row_ratio"], part["hidden"]
    value = f"{seconds['tapo']:.2f} / {seconds['grpo']:.2f} = {ratio:.3f}"
    goal: Goal = (f"at most {MAX_STEP_OVER_ROWS:g} × {rows:.3f}, rows'", ratio <= MAX_STEP_OVER_ROWS * rows)
    lines: list[Line] = [(f"{name}: seconds a step, TAPO over GRPO", value, *goal)]
    if hidden is not None:
        # In one wave there is nothing to hide behind.
        wanted, met = ("at least 80%", hidden >= MIN_HIDDEN) if waves > 1 else NO_GOAL
        lines.append((f"{name}: construction hidden", f"{hidden:.0%}", wanted, met))
    starts = [second for runs in part["seconds_to_first_step"].values() for second in runs]
    goal = (f"under {MAX_FIRST_STEP_S:g}", max(starts) < MAX_FIRST_STEP_S)
    value = ", ".join(f"{second:.0f}" for second in starts)
    return [*lines, (f"{name}: seconds to the first step", value, *goal)]


def benchmark(arguments: argparse.Namespace, console: Console) -> None:
    """Measures, prints and writes."""
    for name in ("rows", "tokens", "repeats"):
        if getattr(arguments, name) < 1:
            raise InputError(f"--{name} {getattr(arguments, name)}: must be at least 1")
    if arguments.steps and arguments.steps < 3:
        raise InputError(f"--steps {arguments.steps}: the first step is left out; give at least 3")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    results: dict[str, Any] = {
        "machine": machine(),
        "commit": commit(),
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "in_process": kernels.measure(arguments.rows, arguments.tokens, arguments.repeats),
    }
    if arguments.steps:
        try:
            results["on_the_engine"] = steps.measure(
                arguments.steps, arguments.waves or [1, 4, 16], arguments.work_dir.resolve(), arguments.mode
            )
        except TrainingFailed as error:
            raise InputError(str(error)) from error
    table = Table(title=f"{results['machine']}, {results['date']}")
    for heading in ("what", "measured", "goal", ""):
        table.add_column(heading)
    for what, value, goal, met in verdicts(results):
        table.add_row(what, value, goal, "" if met is None else "met" if met else "MISSED")
    console.print(table)
    with atomic_paths(arguments.output.resolve()) as [path]:
        path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {arguments.output}", highlight=False)


def main(argv: list[str] | None = None) -> None:
    """Runs the benchmark; exit code 2 for bad input."""
    arguments = build_parser().parse_args(argv)
    run_command(lambda: benchmark(arguments, Console()))


if __name__ == "__main__":
    main()
