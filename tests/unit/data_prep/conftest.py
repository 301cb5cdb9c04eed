"""The benchmarks, raw and prepared; the cold-start builder with an engine that answers by a rule."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from cold_start_engine import SUFFIX
from fake_sampler import FakeSampler, write_queries
from raw_data import raw_benchmark_files
from small_tokenizer import single_bytes

from data_prep import benchmarks, cold_start
from data_prep.joint_set import SFT_SCHEMA


@pytest.fixture(scope="session")
def raw_benchmarks(tmp_path_factory) -> Path:
    """A folder with the raw benchmarks: the real ones, or samples filled up to 30 problems."""
    return raw_benchmark_files(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="session")
def prepared(raw_benchmarks, tmp_path_factory) -> Path:
    """A folder with the three benchmark parquets."""
    folder = tmp_path_factory.mktemp("prepared")
    benchmarks.main(["--local_dataset_path", str(raw_benchmarks), "--local_save_dir", str(folder), "--no-check_gold"])
    return folder


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Path:
    """The folder of a tokenizer whose tokens are letters."""
    folder = tmp_path_factory.mktemp("tokenizer")
    single_bytes().save_pretrained(folder)
    return folder


@pytest.fixture
def build(tmp_path, monkeypatch, tokenizer):
    """Runs the builder on ``len(plan)`` queries into a folder; returns the rows and the report."""

    def run(sampler: FakeSampler, plan: list[int], *options: str, name: str = "out") -> tuple[list[dict], dict]:
        if not (tmp_path / "train.parquet").exists():
            write_queries(tmp_path / "train.parquet", ["5"] * len(plan), SUFFIX)
        monkeypatch.setattr(cold_start, "make_sampler", lambda *_: sampler)
        arguments = ["--input", str(tmp_path / "train.parquet"), "--output_dir", str(tmp_path / name), "--model", "m"]
        arguments += ["--tokenizer", str(tokenizer), "--chunk", "8", "--min_new_tokens", "5"]
        cold_start.main([*arguments, *options])
        table = pq.read_table(tmp_path / name / "cold_start.parquet")
        assert table.schema.equals(SFT_SCHEMA)
        return table.to_pylist(), json.loads((tmp_path / name / "report.json").read_text())

    return run
