"""``tapo``: reads the name of a subcommand and hands over to the module of that name in this package.

A subcommand's module has ``DESCRIPTION``, the text of its help; ``add_arguments(parser)``; and ``run(args)``, which
returns the exit code, None for 0. Only the module that is asked for is imported.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from recipe_tapo import __version__
from recipe_tapo.cli.run import Parser, run_command

SUMMARIES = {
    "check": "Find out whether everything that training with TAPO needs is installed, and how to mend what is not.",
    "preview": "See what trajectories a model would construct, before training on them.",
    "evaluate": "Sample answers of a model to benchmark problems, grade them, and report Pass@k.",
    "compare": "Show evaluated models side by side, with their differences and standard errors.",
    "reflect": "Ask a judge how often the answers of evaluated models find and correct an error of their own.",
    "report": "Write one HTML page about evaluated models and the trajectories that TAPO constructed.",
    "plot": "Draw the metrics of training runs, one curve for each run or group of seeds.",
    "grade": "Grade a file of responses with the grader that training uses.",
}


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parses a command line; ``run`` in the result is the function to call with it.

    Raises:
        SystemExit: Help was asked for (0), or the command line is wrong (2).
    """
    parser = Parser(
        prog="tapo",
        description="TAPO trains language models by reinforcement learning with verl. These\n"
        "commands check the installation, and measure and show what trained models do.",
        epilog="'tapo COMMAND --help' says what a command reads and writes, with an example.",
    )
    parser.add_argument("--version", action="version", version=f"tapo {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    parsers = {name: commands.add_parser(name, help=summary) for name, summary in SUMMARIES.items()}
    name = argv[0] if argv else ""
    if name not in parsers:
        return parser.parse_args(argv)
    module = import_module(f"recipe_tapo.cli.{name}")
    chosen = parsers[name]
    chosen.description = module.DESCRIPTION
    chosen.set_defaults(run=module.run)
    module.add_arguments(chosen)
    return chosen.parse_args(argv[1:])


def run(argv: Sequence[str]) -> int | None:
    """Runs a command line and returns its exit code, None for 0.

    Raises:
        InputError: The command cannot use what it was given.
    """
    args = parse(argv)
    return args.run(args)


def main() -> None:
    """Runs this process's command line and exits."""
    run_command(lambda: run(sys.argv[1:]))
