"""Flags and groups of them that several commands share."""

import argparse
from pathlib import Path

from data_prep.overlap import DEFAULT_OVERLAP_THRESHOLD, METHOD
from data_prep.schema import DEFAULT_PROMPT_SUFFIX
from data_prep.sources import DEFAULT_SAVE_DIR
from recipe_tapo.cli.flag_types import share, user_path
from recipe_tapo.cli.run import Parser
from recipe_tapo.cli.sampling_flags import add_model
from recipe_tapo.errors import InputError


def new_parser(module: str, description: str) -> argparse.ArgumentParser:
    """Returns a parser whose help shows the command as it is typed."""
    return Parser(prog=f"python -m data_prep.{module}", description=description, formatter_class=argparse.HelpFormatter)


def add_save_dir(group: argparse._ArgumentGroup) -> None:
    """Adds ``--local_save_dir``."""
    group.add_argument(
        "--local_save_dir",
        type=user_path,
        default=DEFAULT_SAVE_DIR,
        metavar="DIR",
        help="folder for the written files (default: %(default)s)",
    )


def add_prompt_suffix(group: argparse._ArgumentGroup) -> None:
    """Adds ``--prompt_suffix``."""
    group.add_argument(
        "--prompt_suffix",
        default=DEFAULT_PROMPT_SUFFIX,
        metavar="TEXT",
        help="instruction put after each question, '' for none; train and evaluate with the same one "
        "(default: %(default)s)",
    )


def add_gold_check(group: argparse._ArgumentGroup) -> None:
    """Adds ``--check_gold`` and ``--no-check_gold``."""
    group.add_argument(
        "--check_gold",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="have the grader compare each gold answer with itself and list those it does not accept; they are kept, "
        "but no response to them can earn a reward (default: check)",
    )


def add_overlap_threshold(group: argparse._ArgumentGroup) -> None:
    """Adds ``--overlap_threshold``."""
    group.add_argument(
        "--overlap_threshold",
        type=share,
        default=DEFAULT_OVERLAP_THRESHOLD,
        metavar="SHARE",
        help="overlap from which a problem counts as contaminated, above 0 and at most 1 (default: %(default)s); "
        + METHOD,
    )


def add_sampled_model(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the model that is sampled, by default in the paper's mode."""
    add_model(parser)
    # Qwen3's non-thinking mode; chat templates without the variable pass over it.
    parser.set_defaults(chat_template_kwargs={"enable_thinking": False})


def retry_hint(failed: int) -> str:
    """The end of a message that nothing is left, where requests failed."""
    return f"; {failed} requests failed, --retry_failed sends them again" if failed else ""


def save_dir(path: Path, flag: str = "--local_save_dir") -> Path:
    """Expands an output folder and refuses it early, before any work is done.

    Args:
        path: As given.
        flag: What gave it, for the message.

    Raises:
        InputError: The path is something other than a folder.
    """
    path = path.expanduser()
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is not a folder; choose another {flag}")
    return path
