"""Failures of a request, a grader or our own code: the first of each kind is told with its traceback.

A step survives them, so that a run of days does not end for one request. A programming error must not drown in that.
"""

import logging
import traceback

logger = logging.getLogger(__name__)


class FailureLog:
    """Tells failures to the log. Two are of one kind if they have the same name, type and place in the code."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str, str]] = set()

    def note(self, what: str, error: BaseException) -> None:
        """Logs one failure: the first of its kind with its traceback, later ones in one line each.

        Args:
            what: What failed.
            error: What was raised.
        """
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        kind = (what, type(error).__name__, place)
        first_line, *_ = [line for line in str(error).splitlines() if line.strip()] or [""]
        told = f"TAPO: {what}: {type(error).__name__}: {first_line.strip()}"
        if kind in self._told:
            logger.warning("%s", told)
            return
        self._told.add(kind)
        logger.error("%s (further ones of this kind take a line each)", told, exc_info=error)
