"""A training process that fails, and one that is interrupted."""

import sys
import time
from pathlib import Path

import pytest

from examples.runs.process import TrainingFailed, run_training


def test_a_training_that_fails_names_its_log_and_shows_its_end(tmp_path):
    with pytest.raises(TrainingFailed) as failure:
        run_training([sys.executable, "-c", "print('the reason'); raise SystemExit(3)"], tmp_path)
    assert "exit code 3" in str(failure.value)
    assert str(tmp_path / "train.log") in str(failure.value)
    assert "the reason" in str(failure.value)


def test_an_interrupted_training_ends_with_its_children(tmp_path):
    code = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
time.sleep(60)
"""

    def interrupt():
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_training([sys.executable, "-c", code], tmp_path, interrupt)
    child = Path("/proc") / (tmp_path / "pid").read_text()
    for _ in range(50):
        if not child.exists() or "State:\tZ" in (child / "status").read_text():
            return
        time.sleep(0.1)
    pytest.fail("the child lives on")
