"""``python -m recipe_tapo.report``: one HTML file about evaluated models and constructed trajectories."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from recipe_tapo.cli.run import run_command
from recipe_tapo.evaluation.folder import load_evaluation
from recipe_tapo.report import write_report
from recipe_tapo.report.budget import DEFAULT_MEGABYTES


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m recipe_tapo.report",
        description="Writes one self-contained HTML file: tables, Pass@k curves, problems, lengths, responses of "
        "evaluated models, and constructed trajectories of a training run.",
    )
    inputs = parser.add_argument_group("input")
    inputs.add_argument(
        "evaluations",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="folders that python -m recipe_tapo.cli.evaluate wrote; differences are to the first",
    )
    inputs.add_argument("--constructions", type=Path, metavar="DIR", help="tapo.dump_dir of a training run")
    inputs.add_argument("--reflection", type=Path, metavar="DIR", help="--output of python -m recipe_tapo.cli.reflect")
    output = parser.add_argument_group("output")
    output.add_argument("--output", type=Path, required=True, metavar="FILE", help="the HTML file")
    output.add_argument(
        "--max_megabytes",
        type=_positive,
        default=DEFAULT_MEGABYTES,
        metavar="MB",
        help="room for texts; with more, each problem and each step keeps its share (default: %(default)s)",
    )
    args = parser.parse_args(argv)
    if not args.evaluations and args.constructions is None:
        parser.error("nothing to report: give evaluation folders, --constructions, or both")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = parse_args(argv)
    write_report(
        args.output,
        [load_evaluation(folder) for folder in args.evaluations],
        args.constructions,
        args.reflection,
        max_megabytes=args.max_megabytes,
    )
    print(f"wrote {args.output} ({args.output.stat().st_size / 1e6:.1f} MB)")


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


if __name__ == "__main__":
    run_command(main)
