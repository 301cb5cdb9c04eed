"""``tapo check``: what is found of everything TAPO needs."""

import argparse

DESCRIPTION = """\
Says line by line what is found of everything that training with TAPO needs,
and what to do where something is missing. Run it once after installing: where
verl does not find the plug-in, Hydra accepts +recipe=tapo as an unknown key,
and verl trains without TAPO and without a warning.

reads:    the installed packages, and verl's registries and configuration
writes:   nothing; the exit code is 1 if anything is wrong
example:  tapo check
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("-q", "--quiet", action="store_true", help="print only what is wrong")


def run(args: argparse.Namespace) -> int:
    """Prints the lines; 1 if anything is wrong."""
    # Imported here: the checks themselves import verl piece by piece.
    from recipe_tapo.engine import doctor

    return doctor.run(args.quiet)
