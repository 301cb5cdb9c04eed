"""The grading process: reads one JSON line per question from stdin, answers on stdout, ends with its parent.

It may hang inside sympy's C code, where no Python signal handler or thread gets a turn. So the parent kills it, and a
kernel alarm with the default action ends it should the parent be gone.
"""

import contextlib
import json
import logging
import os
import resource
import select
import signal
import sys

# An answer like 9^{9^9} allocates without end; beyond this it gets a MemoryError instead of the machine's memory.
_MEMORY_LIMIT = 4 * 2**30
_ALARM_MARGIN = 5.0
_ORPHAN_CHECK_MS = 10_000


def algebraically_equal(pairs: list[list[str]]) -> bool:
    """Returns whether math-verify finds one of the (gold, answer) LaTeX pairs equal; unreadable LaTeX is unequal."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse, verify

    # Units are stripped before: math-verify's own list has single letters and would make "2t" equal to "2".
    normalization = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="last", equations=False
    )
    targets = [LatexExtractionConfig(boxed_match_priority=0, normalization_config=normalization)]
    for gold, answer in pairs:
        parsed = [parse(f"\\boxed{{{text}}}", targets, parsing_timeout=None) for text in (gold, answer)]
        if verify(*parsed, allow_set_relation_comp=True, timeout_seconds=None):
            return True
    return False


def main(parent: int) -> None:
    """Serves until stdin closes or the process ``parent`` is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, resource.getrlimit(resource.RLIMIT_AS)[1]))
    # Whatever a library prints must not land in the protocol.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.disable(logging.CRITICAL)
    try:
        warm = algebraically_equal([["\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}"]])
        ready = {"ready": warm} if warm else {"error": "math-verify finds 1/sqrt(2) and sqrt(2)/2 different"}
    except Exception as error:
        ready = {"error": f"{type(error).__name__}: {error}"}
    _reply(replies, ready)
    for line in _lines(parent):
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, request["limit"] + _ALARM_MARGIN)
        try:
            answer = {"equal": algebraically_equal(request["pairs"])}
        except Exception as error:
            answer = {"equal": False, "error": type(error).__name__}
        signal.setitimer(signal.ITIMER_REAL, 0)
        _reply(replies, answer)


def _lines(parent: int):
    """Yields the request lines; looks for the parent now and then, as a fork of it may hold the pipe open."""
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    buffer = b""
    while True:
        while b"\n" not in buffer:
            if not poll.poll(_ORPHAN_CHECK_MS):
                if os.getppid() != parent:
                    return
                continue
            chunk = os.read(0, 65536)
            if not chunk:
                return
            buffer += chunk
        line, buffer = buffer.split(b"\n", 1)
        yield line


def _reply(replies, message: dict) -> None:
    print(json.dumps(message), file=replies, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
