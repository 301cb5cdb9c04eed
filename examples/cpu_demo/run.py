"""``make demo``: watch TAPO train a small model on verl's real engine (Ray, FSDP2, vLLM), on the CPU.

Prepares the data, runs ``verl.trainer.main_ppo +recipe=[tapo,cpu,cpu_demo]`` with the bundled cold-started
checkpoint, shows a live progress line and, at the end, a table and constructed trajectories in colour: of both modes,
from the same wrong rollouts.
"""

import argparse
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from examples.cpu_demo import continuing, display, questions
from examples.runs.command import training_command
from examples.runs.metrics import METRICS, read_metrics
from examples.runs.places import CHECKPOINT, ROOT, check_replaceable
from examples.runs.process import TrainingFailed, run_training
from recipe_tapo.cli.flag_types import user_path


def train(work_dir: Path, model: Path, steps: int, overrides: list[str], console: Console) -> None:
    """Runs the training process and follows its metrics file. Raises TrainingFailed."""
    command = [*training_command(model, work_dir, work_dir, steps, test_freq=steps), *overrides]
    console.print(f"python {' '.join(command[1:4])} …  (log: {work_dir / 'train.log'})", markup=False, style="dim")
    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=console, transient=False) as progress:
        task = progress.add_task("starting Ray, FSDP2 and vLLM (two to four minutes on two cores)", total=steps)

        def follow() -> None:
            records = read_metrics(work_dir / METRICS)
            if records:
                step, line = display.progress_line(records, steps)
                progress.update(task, completed=step, description=line)

        run_training(command, work_dir, follow)


def main(argv: list[str] | None = None) -> int:
    """Runs the demo; 1 if training fails."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.cpu_demo.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run = parser.add_argument_group("run")
    run.add_argument("--steps", type=int, default=40, help="training steps (default: 40, about seven minutes)")
    run.add_argument(
        "--model", type=user_path, default=CHECKPOINT, help="model to start from (default: the bundled one)"
    )
    run.add_argument(
        "--work_dir", type=user_path, default=ROOT / "outputs" / "demo", help="where the run leaves its files"
    )
    parser.add_argument("overrides", nargs="*", help="further verl overrides, e.g. tapo.enable=false")
    arguments = parser.parse_args(argv)
    console = Console()

    work_dir = arguments.work_dir.resolve()
    check_replaceable(parser, work_dir, "--work_dir", "val.parquet")
    shutil.rmtree(work_dir, ignore_errors=True)
    questions.main(["--output_dir", str(work_dir)])
    try:
        train(work_dir, arguments.model.resolve(), arguments.steps, arguments.overrides, console)
    except TrainingFailed as failure:
        console.print(str(failure), style="red", markup=False, highlight=False)
        return 1
    records = read_metrics(work_dir / METRICS)
    if not records:
        console.print(f"Training left no metrics; see {work_dir / 'train.log'}", style="red", markup=False)
        return 1
    console.print(display.summary_table(records))
    rewritten = display.turning_records(work_dir / "dump")[: continuing.MOST]
    if rewritten:
        continued = continuing.continue_all(rewritten, arguments.model.resolve(), work_dir)
        for pair in display.side_by_side(rewritten, continued, count=2):
            console.print(pair)
        console.print(display.modes_line(continued), style="dim", highlight=False)
    console.print(f"[dim]Every construction is in {work_dir / 'dump'}, every metric in {work_dir / METRICS}.[/dim]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
