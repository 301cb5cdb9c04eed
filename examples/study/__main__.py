"""``make study``: does TAPO learn more than GRPO? Trains every arm from the same models and compares them.

All arms of a seed start from one cold-started model and see the same questions, as many rollouts, as many
optimizer steps and the same held-out evaluation, on verl's real engine (Ray, FSDP2, vLLM), on the CPU.

Stop it whenever you like (Ctrl-C): the same command goes on. Finished runs are kept, one cut short starts anew.
"""

import argparse
import dataclasses
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from examples.cpu_demo.regime import REGIMES
from examples.runs.places import ROOT
from examples.runs.process import TrainingFailed
from examples.study.arms import ARMS, find_arms
from examples.study.plan import PRESETS, STEPS, StudyRun, make_plan
from examples.study.progress import Board, Estimator, minutes
from examples.study.results import read_records, take_over
from examples.study.runner import Runner
from examples.study.schedule import Check, run_all
from examples.study.settings import Settings, keep_settings
from examples.study.start import Start
from examples.study.summary import write_summary
from recipe_tapo.cli.flag_types import positive, user_path
from recipe_tapo.cli.run import run_command
from recipe_tapo.errors import InputError
from recipe_tapo.records.lock import lock

WIDTH_OF_LOGS = 140


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.study",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--output_dir", type=user_path, default=ROOT / "study", help="everything goes here (default: study)"
    )
    what = parser.add_argument_group("what is compared")
    what.add_argument(
        "--study", choices=sorted(PRESETS), default="full", help="defaults of the next three flags (default: full)"
    )
    what.add_argument("--arms", nargs="+", action="extend", metavar="ARM", help="see --list for their names")
    what.add_argument("--seeds", nargs="+", action="extend", type=int, metavar="N", help="seeds of cold-started models")
    what.add_argument(
        "--rl_seeds", nargs="+", action="extend", type=int, metavar="N", help="seeds of training, each on every model"
    )
    what.add_argument(
        "--known_results",
        type=user_path,
        metavar="FILE",
        help="a results.jsonl whose runs count as done: they are compared with, not trained again. "
        "examples/study/results/results.jsonl has the published ones",
    )
    sizes = parser.add_argument_group("settings that all runs in a folder share")
    sizes.add_argument("--regime", choices=sorted(REGIMES), default="study", help="the task (default: study)")
    sizes.add_argument("--steps", type=positive, default=STEPS, help=f"training steps (default: {STEPS})")
    sizes.add_argument("--test_freq", type=positive, default=5, help="steps between points of the curves (default: 5)")
    sizes.add_argument("--batch", type=int, default=16, help="questions per step (default: 16)")
    sizes.add_argument("--rollouts", type=int, default=8, help="responses per question (default: 8)")
    sizes.add_argument("--learning_rate", type=float, default=1e-4, help="of training (default: 1e-4)")
    sizes.add_argument("--sft_batch", type=int, default=32, help="constructions per step of the SFT arm (default: 32)")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--jobs",
        type=positive,
        default=1,
        metavar="N",
        help="runs at a time; more than one are not timed in the table. Each takes two cores, 6 GB (default: 1)",
    )
    do = parser.add_argument_group("instead of training")
    do.add_argument("--list", action="store_true", help="name the arms and stop")
    do.add_argument("--plan", action="store_true", help="say what would run and how long it takes, and stop")
    do.add_argument("--report", action="store_true", help="write table and figures from what has finished, and stop")
    return parser


@contextmanager
def alone(output_dir: Path) -> Iterator[None]:
    """Keeps a second study out of the folder."""
    output_dir.mkdir(parents=True, exist_ok=True)
    with open(output_dir / ".lock", "w") as file:
        try:
            lock(file, output_dir)
        except InputError:
            raise InputError(f"{output_dir}: another study is running there; wait for it or use --output_dir") from None
        yield


def make_estimator(output_dir: Path, settings: Settings, jobs: int) -> Estimator:
    """An estimator that knows the folder's finished runs; one of several at a time counts for its share."""
    estimator = Estimator(settings.steps, jobs)
    for record in read_records(output_dir):
        if "training_s" in record:
            estimator.saw(ARMS[record["arm"]].kind, record["training_s"] * jobs / record.get("jobs", 1))
    return estimator


def carry_out(plan: list[StudyRun], runner: Runner, console: Console) -> bool:
    """Runs what is not done; False if a run failed."""
    estimator = make_estimator(runner.output_dir, runner.settings, runner.jobs)
    done = [run for run in plan if run.is_done(runner.output_dir)]
    for run in plan:
        if run not in done:
            runner.start.model(run.seed, run.arm.start)
            runner.start.questions(run.seed)
    failures = []
    with Board(plan, done, estimator, console) as board:

        def work(run: StudyRun, check: Check) -> None:
            def watch(step: int, line: str) -> None:
                check()
                board.update(run, step, line)

            runner.carry_out(run, watch)

        def ended(run: StudyRun, error: BaseException | None) -> None:
            board.finish(run, "failed" if error else "done")
            if isinstance(error, (TrainingFailed, InputError)):
                failures.append(f"{run.arm.name}, seed {run.seed}: {error}")
            elif error:
                raise error

        run_all(list(board.todo), work, runner.jobs, board.start, ended)
    for failure in failures:
        console.print(failure, markup=False, highlight=False, style="red")
    return not failures


def study(arguments: argparse.Namespace, console: Console) -> bool:
    """Everything the command line asks for; False if a run failed."""
    preset = PRESETS[arguments.study]
    if arguments.list:
        for arm in ARMS.values():
            console.print(f"{arm.name:24s} {arm.title}", markup=False, highlight=False)
        return True
    settings = Settings(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(Settings)})
    output_dir = arguments.output_dir.resolve()
    arms = find_arms(arguments.arms or list(preset.arms_of(arguments.regime)))
    seeds, rl_seeds = arguments.seeds or list(preset.seeds), arguments.rl_seeds or list(preset.rl_seeds)
    if arguments.known_results:
        with alone(output_dir):
            keep_settings(output_dir, settings)
            taken = take_over(output_dir, arguments.known_results, settings)
            console.print(f"{taken} finished runs taken over from {arguments.known_results}", highlight=False)
    # A report needs no plan, and what is missing for one is no reason to refuse it.
    plan = [] if arguments.report else make_plan(arms, seeds, rl_seeds, output_dir)
    if arguments.plan:
        for run in plan:
            state = "done" if run.is_done(output_dir) else "to do"
            console.print(f"{state:6s} {run.folder(output_dir).name}", markup=False, highlight=False)
        todo = [run for run in plan if not run.is_done(output_dir)]
        left = make_estimator(output_dir, settings, arguments.jobs).left(todo)
        console.print(
            f"{len(plan)} runs, about {minutes(left)} to go on a machine like the finished runs' (else two cores)"
        )
        return True
    with alone(output_dir):
        keep_settings(output_dir, settings)
        complete = True
        if not arguments.report:
            runner = Runner(output_dir, settings, Start(settings.regime, output_dir / "start"), arguments.jobs)
            try:
                complete = carry_out(plan, runner, console)
            except KeyboardInterrupt:
                console.print("Stopped; the same command goes on.")
                write_summary(output_dir, settings, console)
                raise
        write_summary(output_dir, settings, console)
    return complete


def main(argv: list[str] | None = None) -> None:
    """Runs the study; exit code 1 if a run failed, 2 for bad input, 130 when stopped."""
    arguments = build_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a killed study ends its engine too

    def command() -> None:
        console = Console()
        if not study(arguments, console if console.is_terminal else Console(width=WIDTH_OF_LOGS)):
            sys.exit(1)

    run_command(command)


if __name__ == "__main__":
    main()
