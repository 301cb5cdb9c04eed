"""Bad input ends a command with one clear line on stderr and exit code 2, never with a traceback."""

import sys
from collections.abc import Callable

from recipe_tapo.errors import InputError

BAD_INPUT_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130


def run_command(command: Callable[[], None]) -> None:
    """Runs a command's main function and exits the process with its code.

    Args:
        command: The function to run; an ``InputError`` or ``OSError`` it raises is the user's to mend.
    """
    # A terminal without Unicode should show a question mark for "…" or a Chinese problem instead of failing.
    sys.stdout.reconfigure(errors="replace")
    try:
        command()
    except (InputError, OSError) as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        sys.exit(BAD_INPUT_EXIT_CODE)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED_EXIT_CODE)
