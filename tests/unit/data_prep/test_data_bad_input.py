"""Input that cannot be used: one line that says why, and nothing written. Data of the hub."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_data import assert_one_line, prepare, run_cli, save

from data_prep import benchmarks, decontaminate, deepscaler, hub
from recipe_tapo.errors import InputError


def test_hub_rows_of_all_splits(tmp_path, monkeypatch):
    import datasets

    split = datasets.Dataset.from_list([{"problem": "Q", "answer": 3}])
    monkeypatch.setattr(datasets, "load_dataset", lambda name: datasets.DatasetDict(train=split))
    deepscaler.main(["--local_save_dir", str(tmp_path), "--no-check_gold"])
    (row,) = pq.read_table(tmp_path / "train.parquet").to_pylist()
    assert row["extra_info"]["source"] == "agentica-org/DeepScaleR-Preview-Dataset"
    assert row["reward_model"]["ground_truth"] == "3"
    assert hub.read_hub_rows("any/name") == [{"problem": "Q", "answer": 3}]


@pytest.mark.parametrize("module", ["deepscaler", "benchmarks"])
def test_no_network_is_one_line(tmp_path, module):
    result = run_cli(
        module, "--local_save_dir", tmp_path / "out", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "empty_cache")
    )
    assert_one_line(result, "from the Hugging Face hub")
    assert not (tmp_path / "out").exists()


GOOD = '{"problem": "Q", "answer": "1"}'
BAD_FILES = [
    ("empty.json", b"", "the file is empty"),
    ("blank.jsonl", b" \n\n", "the file has no rows"),
    ("no_rows.json", b"[]", "the file has no rows"),
    ("broken.jsonl", f'{GOOD}\n{GOOD}\n{{"problem": "Q", \n'.encode(), "line 3: broken json"),
    ("broken.json", b'[{"problem": "Q"', "broken json"),
    ("deep.json", b"[" * 100_000, "broken json"),
    ("long_number.json", b'[{"problem": "Q", "answer": ' + b"9" * 5000 + b"}]", "broken json"),
    ("column.json", b'[{"problem": "Q", "solution": "1"}]', "no column 'answer'; found problem, solution"),
    ("column2.jsonl", b'{"text": "Q", "answer": "1"}', "no column 'problem'"),
    ("type.json", b'[{"problem": ["Q"], "answer": "1"}]', "row 1: 'problem' is of type list"),
    ("type2.json", b'[{"problem": "Q", "answer": ["1"]}]', "'answer' is of type list"),
    ("type3.jsonl", f"{GOOD}\n[1]\n".encode(), "row 2 is of type list"),
    ("nulls.json", b'[{"problem": null, "answer": "1"}]', "has no text in any row"),
    ("unusable.json", b'[{"problem": "Q", "answer": ""}]', "no row is left"),
    ("latin.json", '[{"problem": "é", "answer": "1"}]'.encode("latin-1"), "not UTF-8"),
    ("fake.parquet", b"PAR1 no parquet", "not a readable parquet file"),
    ("table.csv", b"problem,answer\n", "unknown kind of file"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES, ids=[case[0] for case in BAD_FILES])
def test_bad_file(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        prepare(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_parquet_columns(tmp_path):
    pq.write_table(pa.table({"question_text": ["Q"], "answer": ["1"]}), tmp_path / "in.parquet")
    with pytest.raises(InputError, match="no column 'problem'; found question_text, answer"):
        prepare(tmp_path / "in.parquet", tmp_path / "out")


def test_bad_paths(tmp_path):
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    good = save(tmp_path / "good.json", [{"problem": "Q", "answer": "1"}])
    for path, message in (
        (tmp_path / "missing.json", "no such file or folder"),
        (tmp_path / "empty", "in this folder"),
        (tmp_path / "pipe", "neither a regular file nor a folder"),
    ):
        with pytest.raises(InputError, match=message):
            prepare(path, tmp_path / "out")
    with pytest.raises(InputError, match="is not a folder"):
        prepare(good, good)
    with pytest.raises(InputError, match="none of aime_2024"):
        prepare(good, tmp_path / "out", "--benchmarks", str(tmp_path / "empty"))
    with pytest.raises(InputError, match="no such file"):
        prepare(good, tmp_path / "out", "--benchmarks", str(tmp_path / "missing.parquet"))


def test_bad_input_leaves_the_last_good_output(tmp_path):
    source, folder = tmp_path / "in.jsonl", tmp_path / "out"
    prepare(save(source, [{"problem": "Q", "answer": "1"}]), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    source.write_text("{")
    result = run_cli("deepscaler", "--local_dataset_path", source, "--local_save_dir", folder)
    assert_one_line(result, "line 1: broken json")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_failing_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def full_disk(path, _):
        path.write_text("half")
        raise OSError("no space left on device")

    monkeypatch.setattr(deepscaler, "write_jsonl", full_disk)
    with pytest.raises(OSError, match="no space left"):
        prepare(save(tmp_path / "in.json", [{"problem": "Q", "answer": "1"}]), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_threshold_out_of_range_is_a_usage_error(tmp_path):
    for value in ("0", "1.5", "nan", "many"):
        with pytest.raises(SystemExit) as stop:
            decontaminate.main(["--train", str(tmp_path), "--overlap_threshold", value])
        assert stop.value.code == 2


@pytest.mark.parametrize("module", [benchmarks, decontaminate, deepscaler])
def test_help(module, capsys):
    with pytest.raises(SystemExit) as stop:
        module.parse_args(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "default: None" not in out
    assert module is benchmarks or "13 consecutive characters" in " ".join(out.split())


NO_UTF8 = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe"))


@pytest.mark.parametrize(
    "column",
    [NO_UTF8, pa.array([2**40], pa.timestamp("s")), pa.array([-(2**30)], pa.date32())],
    ids=["no UTF-8", "timestamp", "date"],
)
def test_values_that_python_cannot_hold_are_one_line(tmp_path, column):
    good = {"problem": ["Find x in 2x=4, please."], "answer": ["2"]}
    for name, table in (("extra", good | {"when": column}), ("problem", good | {"problem": column})):
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table(table), path)
        with pytest.raises(InputError, match="not a readable parquet file"):
            prepare(path, tmp_path / "out")
    # Only the columns with questions are converted here.
    benchmark = save(tmp_path / "bench.json", [{"problem": "Q", "answer": "1"}])
    options = ["--benchmarks", str(benchmark)]
    decontaminate.main(["--train", str(tmp_path / "extra.parquet"), *options])
    with pytest.raises(InputError, match="not a readable parquet file"):
        decontaminate.main(["--train", str(tmp_path / "problem.parquet"), *options])
