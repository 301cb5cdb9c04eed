"""Training processes: started as a user would, followed by their metrics file, ended with all their children."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from examples.runs.metrics import METRICS

_POLL_S = 1.0
_PATIENCE_S = 20.0


class TrainingFailed(Exception):
    """A training process ended with an error; the message names its log and shows the log's end."""


def run_training(
    command: list[str], folder: Path, watch: Callable[[], None] = lambda: None, metrics: str = METRICS
) -> None:
    """Runs a command in a folder; its output goes to ``train.log`` there, verl's metrics to a file beside it.

    Args:
        command: What to run.
        folder: Its working directory.
        watch: Called every second while it runs, and once when it has ended.
        metrics: Name of the metrics file.

    Raises:
        TrainingFailed: Its exit code is not 0.
    """
    log = folder / "train.log"
    variables = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "VERL_FILE_LOGGER_PATH": str(folder / metrics),
    }
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=variables, start_new_session=True
        )
        try:
            while process.poll() is None:
                watch()
                time.sleep(_POLL_S)
        finally:
            _end(process)
    watch()
    if process.returncode:
        lines = log.read_text(errors="replace").splitlines()[-15:]
        raise TrainingFailed("\n".join([f"training ended with exit code {process.returncode}; see {log}:", *lines]))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends what is left of the process's session: it first, so that Ray can shut down, then the rest."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
