"""``tapo plot``: curves of training runs."""

import argparse
from pathlib import Path

from recipe_tapo.cli.flag_types import user_path
from recipe_tapo.errors import InputError

DESCRIPTION = """\
Draws the paper's six panels of training dynamics, the share of constructions
that were right, and the share of construction time that was hidden behind
generation. Runs whose names differ only in a trailing seed (tapo-seed1, tapo-
seed2) become one mean curve with a band of one standard deviation. A metric
that no run has leaves a labelled gap.

reads:    what verl's file logger wrote (trainer.logger=[console,file])
writes:   the figure as OUTPUT.png and OUTPUT.svg
example:  tapo plot outputs/tapo outputs/grpo --output figure
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument(
        "runs", nargs="+", type=user_path, metavar="RUN", help="a metrics file, or a folder that holds one"
    )
    parser.add_argument(
        "--output",
        type=user_path,
        default=Path("training_dynamics"),
        metavar="PATH",
        help="the figure, without suffix (default: %(default)s)",
    )
    parser.add_argument(
        "--smoothing",
        type=int,
        metavar="N",
        help="steps in the running mean, 1 for none (default: one step in twenty of the longest run)",
    )


def run(args: argparse.Namespace) -> None:
    """Draws the runs."""
    if args.smoothing is not None and args.smoothing < 1:
        raise InputError(f"--smoothing {args.smoothing}: must be 1 (none) or more")
    # Imported here: pandas takes seconds, and matplotlib belongs to the extra "plot".
    from recipe_tapo.records.training_log import read_runs
    from recipe_tapo.report.plots import draw

    for path in draw(read_runs(args.runs), args.output, args.smoothing):
        print(path)
