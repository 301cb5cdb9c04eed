"""Two starts of a run script on one output folder."""

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ["run_cold_start_sft.sh", "run_qwen3_8b_vllm.sh", "run_qwen3_8b_grpo.sh", "run_cpu_tiny.sh"]


@pytest.fixture
def start(tmp_path):
    """Starts a script whose python says "started" and runs until its input is closed."""
    python = tmp_path / "python"
    python.write_text("#!/usr/bin/env bash\necho started\ncat >/dev/null\nexit 3\n")
    python.chmod(python.stat().st_mode | stat.S_IEXEC)
    started = []

    def start(script: str, out: Path) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            **{"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHON": str(python), "OUT": str(out)},
        }
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            ["bash", str(ROOT / "examples" / script)],
            env=environment,
            text=True,
            cwd=tmp_path,
            start_new_session=True,
            **pipes,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.communicate()


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_second_start_is_refused_in_one_line_while_the_first_lives(script, start, tmp_path):
    first = start(script, tmp_path / "out")
    assert first.stdout.readline() == "started\n"
    output, errors = start(script, tmp_path / "out").communicate()
    assert output == ""
    (line,) = [line for line in errors.splitlines() if not line.startswith("+")]
    assert line.startswith(f"error: {tmp_path / 'out'}: in use by process {first.pid} on ")
    assert line.endswith("; wait until it has ended, or choose another OUT")
    assert start(script, tmp_path / "other").stdout.readline() == "started\n"


def test_a_file_system_without_locks_is_named(start, tmp_path):
    flock = tmp_path / "flock"
    flock.write_text("#!/bin/sh\nexit 71\n")
    flock.chmod(0o755)
    _, errors = start("run_cpu_tiny.sh", tmp_path / "out").communicate()
    assert f"error: {tmp_path / 'out'}: its file system has no locks (flock); choose an OUT on another" in errors


def test_the_lock_outlives_a_killed_script_as_long_as_its_training_does(start, tmp_path):
    script = "run_cold_start_sft.sh"
    first = start(script, tmp_path / "out")
    assert first.stdout.readline() == "started\n"
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = start(script, tmp_path / "out")
    assert second.wait() == 2 and "in use by process" in second.stderr.read()
    os.killpg(first.pid, signal.SIGKILL)  # what it left running
    assert first.stdout.read() == ""  # closed with the last process
    assert start(script, tmp_path / "out").stdout.readline() == "started\n"
