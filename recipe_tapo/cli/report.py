"""``tapo report``, and ``--report`` of the commands that can write the same page."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from recipe_tapo.cli.flag_types import above_zero, output_file, user_path
from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import Evaluation, load_evaluation
from recipe_tapo.report.budget import DEFAULT_MEGABYTES

DESCRIPTION = """\
Writes one HTML file that needs no network. It shows the Pass@k tables and
curves of evaluated models, their differences, every problem, as many responses
as there is room for, and the trajectories that a training run constructed.

reads:    folders that 'tapo evaluate' wrote (differences are to the first),
          the constructions that a training run wrote (tapo.dump_dir), and the
          folder that 'tapo reflect' wrote
writes:   the HTML file
example:  tapo report evaluations/grpo evaluations/tapo --output report.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    inputs = parser.add_argument_group("input")
    inputs.add_argument(
        "evaluations", nargs="*", type=user_path, metavar="DIR", help="evaluated models, first the baseline"
    )
    _add_further_inputs(inputs)
    output = parser.add_argument_group("output")
    output.add_argument("--output", type=output_file, required=True, metavar="FILE", help="the HTML file")
    output.add_argument(
        "--max_megabytes",
        type=above_zero,
        default=DEFAULT_MEGABYTES,
        metavar="MB",
        help="room for texts of responses and constructions, questions and a judge's evidence aside; with more, each "
        "problem and each step keeps its share (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> None:
    """Writes the page."""
    if not args.evaluations and args.constructions is None:
        raise InputError("nothing to report: give evaluation folders, --constructions, or both")
    # Imported here: it needs torch to read a construction dump, which takes seconds.
    from recipe_tapo.report.write import write_report

    evaluations = [load_evaluation(folder) for folder in args.evaluations]
    write_report(args.output, evaluations, args.constructions, args.reflection, max_megabytes=args.max_megabytes)
    print(f"wrote {args.output} ({args.output.stat().st_size / 1e6:.1f} MB)")


def add_report(group: argparse._ArgumentGroup, default: str) -> None:
    """Adds ``--report``, and what else the page can show, to another command.

    Args:
        group: Where to.
        default: Where the page goes when no file is named, for the help.
    """
    group.add_argument(
        "--report",
        type=user_path,
        nargs="?",
        const=Path(),
        metavar="FILE",
        help=f"also write the page of 'tapo report' (default: {default})",
    )
    _add_further_inputs(group)


def check_report(args: argparse.Namespace) -> None:
    """Looks at the page's flags before there is any work.

    Raises:
        InputError: ``--report`` is a folder, as where the evaluations stand behind it, or what the page shall show is
            named and no page is asked for.
    """
    if args.report not in (None, Path()) and args.report.is_dir():
        raise InputError(f"--report {args.report}: is a folder; name a file, or give --report as the last flag")
    for flag in ("constructions", "reflection"):
        if args.report is None and getattr(args, flag) is not None:
            raise InputError(f"--{flag} is shown on the page of --report, which is not asked for; add --report")


def write_report_if_asked(args: argparse.Namespace, evaluations: Sequence[Evaluation], default: Path) -> None:
    """Writes the page to the file that ``--report`` names, or else to the default.

    Raises:
        InputError: The construction dump or the judge's results cannot be read.
    """
    if args.report is None:
        return
    from recipe_tapo.report.write import write_report

    path = default if args.report == Path() else args.report
    write_report(path, list(evaluations), args.constructions, args.reflection)
    print(f"report: {path}")


def _add_further_inputs(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--constructions",
        type=user_path,
        metavar="DIR",
        help="tapo.dump_dir of a training run, or the attempts of a preview",
    )
    group.add_argument("--reflection", type=user_path, metavar="DIR", help="--output of 'tapo reflect' to show")
