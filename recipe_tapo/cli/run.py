"""Whatever a user can mend ends a command with one line on stderr and exit code 2, never with a traceback."""

import argparse
import io
import sys
from collections.abc import Callable
from typing import NoReturn

from recipe_tapo.errors import InputError

BAD_INPUT_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130

# What not every installation has, and the extra that brings it.
EXTRAS = {"datasets": "data", "matplotlib": "plot", "openai": "evaluate", "pandas": "plot", "vllm": "gpu"}


class Parser(argparse.ArgumentParser):
    """A parser whose help keeps the lines of its description, and whose errors take one line."""

    def __init__(self, *, allow_abbrev: bool = False, **options) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=allow_abbrev, **options)

    def error(self, message: str) -> NoReturn:
        """Ends the process with exit code 2."""
        self.exit(BAD_INPUT_EXIT_CODE, f"error: {' '.join(message.split())}; see '{self.prog} --help'\n")


def run_command(command: Callable[[], int | None]) -> None:
    """Runs a command and exits the process with its code, unless that is 0.

    Args:
        command: The function to run; an ``InputError`` or ``OSError`` it raises is the user's to mend, and so is a
            package that is missing because its extra was not installed.
    """
    # A terminal without Unicode should show a question mark for "…" or a Chinese problem instead of failing.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        code = command()
    except InputError as error:
        _fail(str(error))
    except OSError as error:
        _fail(str(error) if error.filename is None else f"{error.filename}: {error.strerror}")
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(error.name or "")
        if extra is None:
            raise
        remedy = f"pip install 'recipe-tapo[{extra}]'"
        if error.name == "vllm":
            remedy += ", or 'recipe-tapo[cpu]' without a GPU"
        _fail(f"{error.name} is not installed, and this command needs it: {remedy}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED_EXIT_CODE)
    if code:
        sys.exit(code)


def _fail(message: str) -> NoReturn:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(BAD_INPUT_EXIT_CODE)
