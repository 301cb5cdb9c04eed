"""The flags of the commands that can write the HTML report."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from recipe_tapo.evaluation.folder import Evaluation


def add_report(group: argparse._ArgumentGroup, default: str) -> None:
    """Adds ``--report``, and what else it can show.

    Args:
        group: Where to.
        default: Where the report goes when no file is named, for the help.
    """
    group.add_argument(
        "--report",
        type=Path,
        nargs="?",
        const=Path(),
        metavar="FILE",
        help=f"write a self-contained HTML page with curves, tables and responses (default: {default})",
    )
    group.add_argument(
        "--constructions", type=Path, metavar="DIR", help="construction dump of a training run to show in the report"
    )
    group.add_argument(
        "--reflection", type=Path, metavar="DIR", help="--output of recipe_tapo.cli.reflect to show in the report"
    )


def write_report_if_asked(args: argparse.Namespace, evaluations: Sequence[Evaluation], default: Path) -> None:
    """Writes the report to the file named, or else to the default.

    Raises:
        InputError: The construction dump or the judge's results cannot be read.
    """
    if args.report is None:
        return
    # Imported here: nothing else needs it.
    from recipe_tapo.report import write_report

    path = default if args.report == Path() else args.report.expanduser()
    write_report(path, list(evaluations), args.constructions, args.reflection)
    print(f"report: {path}")
