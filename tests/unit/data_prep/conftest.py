"""The benchmarks, raw and prepared."""

import json
from pathlib import Path

import pytest
from raw_data import NAMES, REAL, SAMPLES

from data_prep import benchmarks


@pytest.fixture(scope="session")
def raw_benchmarks(tmp_path_factory) -> Path:
    """A folder with the raw benchmarks: the real ones, or samples filled up to 30 problems."""
    if REAL.is_dir():
        return REAL
    folder = tmp_path_factory.mktemp("raw")
    for name in NAMES:
        lines = (SAMPLES / f"sample_{name}.jsonl").read_text().splitlines()
        lines += [
            json.dumps({"problem": f"Made-up: add {n} to {n}.", "answer": str(2 * n)}) for n in range(len(lines), 30)
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="session")
def prepared(raw_benchmarks, tmp_path_factory) -> Path:
    """A folder with the three benchmark parquets."""
    folder = tmp_path_factory.mktemp("prepared")
    benchmarks.main(["--local_dataset_path", str(raw_benchmarks), "--local_save_dir", str(folder), "--no-check_gold"])
    return folder
