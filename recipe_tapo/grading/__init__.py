"""Grading of mathematical answers: quick verdicts in this process, math-verify in killable ones.

- ``boxes``, ``statements``, ``extract``: response -> final answer
- ``spelling``, ``normalise``: one spelling per answer
- ``values``: exact numbers, and as many digits of closed expressions as it takes
- ``kinds``, ``compare``, ``quick``: each kind of answer as it is to be compared, without algebra
- ``prepare``: what algebra gets to read
- ``worker``, ``pool``: the processes that run math-verify, and the time limit
- ``score``, ``batch``: whole responses, one or many
"""

import logging
import math
from dataclasses import dataclass
from functools import lru_cache

from recipe_tapo.grading.pool import TimeLimitExceeded, WorkerDied, shared_pool
from recipe_tapo.grading.quick import quick_verdict

DEFAULT_TIME_LIMIT_S = 5.0
# Longer answers are no answers to be checked by algebra; they still match their own spelling.
MAX_ANSWER_CHARS = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """Outcome of grading one answer.

    Attributes:
        right: Whether the answer equals the gold; never True together with one of the others.
        timed_out: The time limit ended the comparison.
        died: The comparison ended in an error, or the grading process did not survive it (out of memory).
    """

    right: bool
    timed_out: bool = False
    died: bool = False


def grade(gold: str, answer: str, time_limit: float = DEFAULT_TIME_LIMIT_S, quick: bool = True) -> Verdict:
    r"""Compares an answer with the gold. Never raises on any text and never runs longer than the limit by itself.

    Args:
        gold: The right answer, LaTeX or plain, without a box.
        answer: The answer to grade, without its box.
        time_limit: Seconds of wall clock for the comparison, from the moment a grading process is free for it.
        quick: False asks math-verify even where the texts settle it, to see whether it can read a gold at all.

    Returns:
        The verdict; an empty gold or answer is wrong.

    Raises:
        ValueError: ``time_limit`` is not positive.
        GraderUnavailable: math-verify does not work in this environment.
    """
    if not 0 < time_limit < math.inf:
        raise ValueError(f"time_limit must be a positive number of seconds, not {time_limit!r}")
    gold, answer = gold.strip(), answer.strip()
    if not gold or not answer or max(len(gold), len(answer)) > MAX_ANSWER_CHARS:
        return Verdict(right=bool(gold) and gold == answer)
    try:
        verdict = quick_verdict(gold, answer) if quick else None
    except (ArithmeticError, ValueError, RecursionError):
        # One absurd answer must not end a training step.
        _log.exception("no verdict, counted as wrong: %.80r against %.80r", answer, gold)
        return Verdict(right=False, died=True)
    if verdict is not None:
        return Verdict(right=verdict)
    try:
        return Verdict(right=_equal_by_algebra(gold, answer, quick, float(time_limit)))
    except TimeLimitExceeded:
        _log.warning("no verdict within %g s, counted as wrong: %.80r against %.80r", time_limit, answer, gold)
        return Verdict(right=False, timed_out=True)
    except WorkerDied:
        _log.warning("the grading process died, counted as wrong: %.80r against %.80r", answer, gold)
        return Verdict(right=False, died=True)


# Rollouts of one query repeat each other's answers. Exceptions are not cached: another try may have more luck.
@lru_cache(maxsize=8192)
def _equal_by_algebra(gold: str, answer: str, structure: bool, time_limit: float) -> bool:
    return shared_pool().equal((gold, answer, structure), time_limit)
