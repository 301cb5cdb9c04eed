"""A small pool of grading processes with a wall-clock limit that nothing inside them can evade.

Plain ``subprocess`` instead of ``multiprocessing``: no re-import of ``__main__``, no start method to agree on, and it
works from daemonic processes, Ray actors and threads alike. The first call starts the first process.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

# Importing sympy on a busy machine; it happens before a question is asked and is not held against its limit.
START_LIMIT_S = 120.0
# The grader's own alarm ends it at the limit; only if that fails (a stopped process) is it killed from here.
_REPLY_MARGIN_S = 1.0
# More than small machines have cores, lest a few hostile answers hold up the ordinary ones.
_POOL_SIZE = 4
_STOP_LIMIT_S = 5.0
# Gold, answer, and whether their structure is looked at before math-verify is asked.
Question = tuple[str, str, bool]
_ROOT = str(Path(__file__).resolve().parents[2])
_BOOT = "import sys; sys.path.insert(0, {root!r}); from recipe_tapo.grading.worker import main; main({parent})"


class TimeLimitExceeded(Exception):
    """The question ran out of time."""


class WorkerDied(Exception):
    """The process ended over the question, out of memory for instance."""


class GraderUnavailable(RuntimeError):
    """No grading process can start, so every score would be wrong: math-verify is missing or broken."""


class _Worker:
    """One grading process and the pipes to it; used by one thread at a time."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", _BOOT.format(root=_ROOT, parent=os.getpid())]
        # A session of its own: Ctrl-C reaches this process only, and the group can be killed as a whole.
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout  # both are pipes
        self._questions, self._replies = self._process.stdin, self._process.stdout
        self._is_ready = False

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, question: Question, limit: float) -> dict[str, bool | str]:
        """Returns the reply, with "equal", "timed_out" or "died"; after an exception the worker is of no more use."""
        if not self._is_ready:
            self._await_start()
        try:
            self._questions.write(json.dumps([*question, limit]).encode() + b"\n")
        except OSError as error:
            raise WorkerDied from error
        return self._read_reply(limit + _REPLY_MARGIN_S)

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._questions.close()
        # The supervisor kills and reaps its grader on SIGTERM, so that no zombie is left to init.
        self._process.terminate()
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._replies.close()

    def _await_start(self) -> None:
        hint = f"install math-verify[antlr4_9_3] for {sys.executable}"
        try:
            reply = self._read_reply(START_LIMIT_S)
        except (TimeLimitExceeded, WorkerDied) as error:
            raise GraderUnavailable(f"the grading process did not start ({type(error).__name__}): {hint}") from error
        if "error" in reply:
            raise GraderUnavailable(f"the grading process cannot grade ({reply['error']}): {hint}")
        self._is_ready = True

    def _read_reply(self, limit: float) -> dict[str, bool | str]:
        deadline = time.monotonic() + limit
        poll = select.poll()
        poll.register(self._replies, select.POLLIN | select.POLLHUP)
        line = b""
        while not line.endswith(b"\n"):
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeLimitExceeded
            chunk = os.read(self._replies.fileno(), 65536)
            if not chunk:
                raise WorkerDied
            line += chunk
        return json.loads(line)


class Pool:
    """Grading processes, started as calls need them, at most ``size`` at a time.

    Thread-safe. A call beyond ``size`` waits for a free process, and its limit starts only then: being in a queue
    must not make an answer wrong. So a call takes at most (calls ahead / size + 1) × limit, and the first ones the
    start of the processes on top.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._condition = threading.Condition()
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []

    def equal(self, question: Question, limit: float) -> bool:
        """Returns whether an answer is found equal to a gold.

        Raises:
            TimeLimitExceeded: No verdict within ``limit`` seconds.
            WorkerDied: The process did not survive the question.
            GraderUnavailable: No process can start.
        """
        worker = self._acquire()
        try:
            reply = worker.ask(question, limit)
        except BaseException:
            # Also after an interrupt: the process still owes a reply, which the next caller would take for its own.
            self._discard(worker)
            raise
        self._put_back(worker)
        if "equal" in reply:
            return bool(reply["equal"])
        raise TimeLimitExceeded if "timed_out" in reply else WorkerDied

    def allow(self, size: int) -> None:
        """Lets so many processes work at a time, where it were fewer."""
        with self._condition:
            self._size = max(self._size, size)
            self._condition.notify_all()

    def close(self) -> None:
        """Stops and reaps every process; the pool starts new ones when it is used again."""
        with self._condition:
            workers, self._workers, self._idle = self._workers, set(), []
            self._condition.notify_all()
        for worker in workers:
            worker.stop()

    def _acquire(self) -> _Worker:
        with self._condition:
            while True:
                while self._idle:
                    worker = self._idle.pop()
                    if worker.alive():
                        return worker
                    self._workers.discard(worker)
                    worker.stop()
                if len(self._workers) < self._size:
                    worker = _Worker()
                    self._workers.add(worker)
                    return worker
                self._condition.wait()

    def _put_back(self, worker: _Worker) -> None:
        with self._condition:
            if worker in self._workers:
                self._idle.append(worker)
                self._condition.notify()

    def _discard(self, worker: _Worker) -> None:
        worker.stop()
        with self._condition:
            self._workers.discard(worker)
            self._condition.notify()


_lock = threading.Lock()
_pool: Pool | None = None


def shared_pool() -> Pool:
    """Returns this process's pool, created on the first call; a forked child gets its own."""
    global _pool
    with _lock:
        if _pool is None:
            _pool = Pool(_POOL_SIZE)
            atexit.register(_pool.close)
        return _pool


def _forget_after_fork() -> None:
    global _lock, _pool
    _lock, _pool = threading.Lock(), None


os.register_at_fork(after_in_child=_forget_after_fork)
