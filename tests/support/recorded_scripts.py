"""What a shell example would run."""

import os
import stat
import subprocess
from pathlib import Path


def recorded_arguments(script: Path, tmp_path: Path, module: str, *arguments: str, **environment: str) -> list[str]:
    """Runs the script with a python that only notes its arguments; returns those of one module."""
    recorder = tmp_path / "python"
    recorder.write_text('#!/usr/bin/env bash\nprintf "%s\\0" "$@" > "$RECORD.$2"\n')
    recorder.chmod(recorder.stat().st_mode | stat.S_IEXEC)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHON": str(recorder),
        "RECORD": str(tmp_path / "record"),
        "OUT": str(tmp_path / "out"),
        **environment,
    }
    subprocess.run(["bash", str(script), *arguments], check=True, env=environment, capture_output=True, cwd=tmp_path)
    recorded = (tmp_path / f"record.{module}").read_text().split("\0")
    return [argument for argument in recorded[2:] if argument]
