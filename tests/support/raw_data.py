"""Data as users have it, real where it is present, and the commands of data_prep on it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data_prep import deepscaler
from data_prep.sources import BENCHMARKS

REPO = Path(__file__).resolve().parents[2]
REAL = REPO.parent / "shared" / "data"
SAMPLES = REPO / "tests" / "data"
NAMES = [benchmark.name for benchmark in BENCHMARKS]

needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not on this machine")


def save(path: Path, rows: list) -> Path:
    """Writes rows as jsonl or json, as the suffix says."""
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) if path.suffix == ".jsonl" else json.dumps(rows))
    return path


def prepare(source: Path, folder: Path, *options: str) -> list[dict]:
    """Runs ``deepscaler`` without the gold check and returns the rows of train.parquet."""
    deepscaler.main(["--local_dataset_path", str(source), "--local_save_dir", str(folder), "--no-check_gold", *options])
    return pq.read_table(folder / "train.parquet").to_pylist()


def raw_benchmark_files(folder: Path) -> Path:
    """A folder with the raw benchmarks: the real ones, or samples filled up to 30 problems numbered from 1."""
    if REAL.is_dir():
        return REAL
    for name in NAMES:
        rows = jsonl(SAMPLES / f"sample_{name}.jsonl")
        free = sorted(set(range(1, 31)) - {row["problem_idx"] for row in rows})
        rows += [{"problem_idx": n, "problem": f"Made-up: add {n} to {n}.", "answer": str(2 * n)} for n in free]
        save(folder / f"{name}.jsonl", rows)
    return folder


def jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run_cli(module: str, *args: str, **env: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", f"data_prep.{module}", *map(str, args)]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, env=os.environ | env, timeout=120)


def assert_one_line(result: subprocess.CompletedProcess, message: str) -> None:
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
