"""The grading process: one JSON line per question on stdin, one per answer on stdout, ends with its parent.

Two levels. The supervisor imports math-verify once and forks the grader, which answers the questions. Sympy may hang
in C code, where no Python signal handler and no thread gets a turn, so the limit is a kernel alarm with the default
action: it ends the grader, and the supervisor says so and forks the next one within milliseconds.
"""

import contextlib
import gc
import json
import logging
import mmap
import os
import resource
import select
import signal
from collections.abc import Iterable, Iterator, Mapping
from types import FrameType

from recipe_tapo.grading.compare import compare
from recipe_tapo.grading.prepare import algebra_pairs

# An answer like 9^{9^9} allocates without end; beyond this it gets a MemoryError instead of the machine's memory.
_MEMORY_LIMIT = 4 * 2**30
_ORPHAN_CHECK_MS = 10_000
_WARM_UP = (
    ("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}"),
    ("(0,1]\\cup\\{2\\}", "\\{2\\}\\cup(0,1]"),
    ("x^2-1", "(x+1)(x-1)"),
)


def verdict(gold: str, answer: str, structure: bool) -> bool:
    """Returns whether an answer equals a gold, with the help of math-verify.

    Args:
        gold: The right answer.
        answer: The answer to grade.
        structure: False asks math-verify alone, about the texts as they stand.
    """
    if not structure:
        return algebraically_equal(gold, answer)
    return compare(gold, answer, algebraically_equal) is True


def algebraically_equal(gold: str, answer: str) -> bool:
    """Returns whether math-verify finds two answers equal; unreadable LaTeX is unequal."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse, verify

    # Units are stripped before: math-verify's own list has single letters and would make "2t" equal to "2".
    normalization = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="last", equations=False
    )
    targets = [LatexExtractionConfig(boxed_match_priority=0, normalization_config=normalization)]
    for pair in algebra_pairs(gold, answer):
        # Without its fall-back to text, so that "equal" always means that both were read as mathematics.
        parsed_gold, parsed_answer = (
            # The limit is the supervisor's; math-verify takes None for none, though it declares a whole number.
            # Of what it cannot read whole it would else take a part, of "7 \\mid \\frac12" the fraction.
            parse(
                f"\\boxed{{{text}}}",
                targets,
                fallback_mode="no_fallback",
                extraction_mode="first_match",
                parsing_timeout=None,  # pyright: ignore[reportArgumentType]
            )
            for text in pair
        )
        if verify(parsed_gold, parsed_answer, allow_set_relation_comp=True, timeout_seconds=None):
            return not _clearly_apart(parsed_gold, parsed_answer)
    return False


def _clearly_apart(golds: Iterable[object], answers: Iterable[object]) -> bool:
    """Whether closed expressions differ in one of a thousand digits, where math-verify looks at six or fifteen."""
    from sympy import Expr, Float, Integral, Limit, Product, Sum

    def apart(gold: Expr, answer: Expr) -> bool:
        if gold.free_symbols or answer.free_symbols or gold.has(Float) or answer.has(Float):
            return False
        exact, sizes = (gold - answer).doit(), (abs(gold) + abs(answer)).doit()
        if exact == 0 or exact.has(Integral, Limit, Product, Sum):
            return False
        # sympy takes as many digits as the difference needs to show its first ones.
        difference, size = exact.evalf(2, maxn=1100), sizes.evalf(2)
        return bool(difference.is_number and size.is_number and abs(difference) > size * Float("1e-1000"))

    try:
        pairs = [
            (gold, answer)
            for gold in golds
            for answer in answers
            if isinstance(gold, Expr) and isinstance(answer, Expr)
        ]
        return bool(pairs) and all(apart(gold, answer) for gold, answer in pairs)
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return False


def main(parent: int) -> None:
    """Serves until stdin closes or the process ``parent`` is gone."""
    # Whatever a library prints must not land in the protocol.
    replies = os.dup(1)
    os.dup2(2, 1)
    logging.disable(logging.CRITICAL)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, resource.getrlimit(resource.RLIMIT_AS)[1]))
    try:
        warm = [algebraically_equal(*pair) for pair in _WARM_UP]
    except Exception as error:
        return _reply(replies, {"error": f"{type(error).__name__}: {error}"})
    if not all(warm):
        return _reply(replies, {"error": "math-verify finds equal expressions different"})
    gc.freeze()
    _reply(replies, {"ready": True})
    _supervise(parent, replies)


def _supervise(parent: int, replies: int) -> None:
    """Keeps one grader running until it ends of its own accord, that is at the end of stdin."""
    busy = mmap.mmap(-1, 1)
    grader = 0

    def stop(signal_number: int, frame: FrameType | None) -> None:
        if grader:
            with contextlib.suppress(ProcessLookupError):
                os.kill(grader, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(grader, 0)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        busy[0] = 0
        grader = os.fork()
        if grader == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            _serve(parent, replies, busy)
            os._exit(0)
        status = os.waitpid(grader, 0)[1]
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            return
        if busy[0]:
            alarm = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
            _reply(replies, {"timed_out": True} if alarm else {"died": True})


def _serve(parent: int, replies: int, busy: mmap.mmap) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for line in _lines(parent):
        busy[0] = 1
        gold, answer, structure, limit = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            reply = {"equal": verdict(gold, answer, structure)}
        except MemoryError:
            reply = {"died": True}
        except Exception:
            # Nesting beyond the recursion limit, mostly: an answer that cannot be read is wrong.
            reply = {"equal": False}
        signal.setitimer(signal.ITIMER_REAL, 0)
        _reply(replies, reply)
        busy[0] = 0


def _lines(parent: int) -> Iterator[bytes]:
    """Yields the request lines; looks for the parent now and then, as a fork of it may hold the pipe open."""
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    line = b""
    while True:
        if not poll.poll(_ORPHAN_CHECK_MS):
            if not _exists(parent):
                return
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            return
        line += chunk
        # The parent asks one question at a time, so a line's end is a question's end.
        if line.endswith(b"\n"):
            yield line
            line = b""


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _reply(replies: int, message: Mapping[str, bool | str]) -> None:
    os.write(replies, json.dumps(message).encode() + b"\n")
