"""On what a result was measured: machine and commit."""

import os
import platform
import subprocess
from pathlib import Path

from examples.runs.places import ROOT


def machine() -> str:
    """The processor, its cores and its system, in one line."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, {len(os.sched_getaffinity(0))} cores, {platform.system()}"


def commit() -> str | None:
    """The checkout's commit, "+" after it if files were changed since; None outside a checkout."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--abbrev=10", "--exclude=*"]
    result = subprocess.run(command, capture_output=True, text=True)
    return result.stdout.strip() or None if result.returncode == 0 else None
