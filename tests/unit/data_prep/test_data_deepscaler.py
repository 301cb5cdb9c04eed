"""DeepScaleR, or data of its schema, as a training file."""

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_data import NAMES, REAL, SAMPLES, jsonl, needs_real_data, prepare, save

from data_prep import deepscaler, gold
from data_prep.schema import RL_SCHEMA
from data_prep.sources import DEEPSCALER_DATA_SOURCE
from data_prep.text import normalise_white_space


def test_row_has_verls_schema(tmp_path):
    question = "What is  $1+1$?\r\n"
    rows = prepare(save(tmp_path / "in.json", [{"problem": question, "answer": " 2 ", "solution": "s"}]), tmp_path)
    assert pq.read_schema(tmp_path / "train.parquet").equals(RL_SCHEMA)
    assert rows == [
        {
            "data_source": DEEPSCALER_DATA_SOURCE,
            "prompt": [
                {
                    "role": "user",
                    "content": "What is $1+1$? Please think step by step, and put your final answer within \\boxed{}.",
                }
            ],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": "2"},
            "extra_info": {"split": "train", "index": 0, "source": "in.json", "question": question, "id": None},
        }
    ]


def test_prompt_suffix_and_data_source_are_settable(tmp_path):
    source = save(tmp_path / "in.json", [{"problem": "Q", "answer": "1"}])
    (row,) = prepare(source, tmp_path, "--prompt_suffix", "", "--data_source", "mine")
    assert row["prompt"][0]["content"] == "Q"
    assert row["data_source"] == "mine"


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".parquet"])
def test_every_file_kind_and_folders_give_the_same_rows(tmp_path, suffix):
    data = [{"problem": f"Q{n}\u2028", "answer": str(n), "solution": ""} for n in range(4)]
    folder = tmp_path / "in" / "sub"
    folder.mkdir(parents=True)
    path = folder / f"part{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(data), path)
    else:
        save(path, data)
    from_file = prepare(path, tmp_path / "a")
    assert [row["reward_model"]["ground_truth"] for row in from_file] == ["0", "1", "2", "3"]
    assert prepare(tmp_path / "in", tmp_path / "b") == from_file


def test_sample_loses_rows_for_the_right_reasons(tmp_path, capsys):
    rows = prepare(SAMPLES / "sample_deepscaler.json", tmp_path)
    rejected = jsonl(tmp_path / "rejected.jsonl")
    assert Counter(row["reason"] for row in rejected) == {"answer_null": 1, "answer_empty": 1, "duplicate": 1}
    assert len(rows) == 5
    assert [row["extra_info"]["index"] for row in rows] == [2, 4, 5, 6, 7]
    table = capsys.readouterr().out
    for reason, count in (("answer_null", 1), ("answer_empty", 1), ("duplicate", 1), ("contaminated", 0)):
        assert any(reason in line and f" {count} " in line for line in table.splitlines()), reason


@needs_real_data
def test_full_math_part(tmp_path):
    rows = prepare(REAL / "deepscaler_math.json", tmp_path, "--benchmarks", str(REAL))
    rejected = jsonl(tmp_path / "rejected.jsonl")
    # Four rows have no answer: in two of them it is null (no string), in two the empty string.
    assert Counter(row["reason"] for row in rejected) == {"answer_null": 2, "answer_empty": 2, "duplicate": 1}
    assert len(rows) + len(rejected) == 7474
    assert {row["extra_info"]["index"] for row in rows} | {row["index"] for row in rejected} == set(range(7474))


@needs_real_data
def test_folder_of_parts_leaves_the_benchmarks_out(tmp_path, prepared):
    parts = tmp_path / "parts"
    parts.mkdir()
    for name in ("deepscaler_aime.json", "deepscaler_math.json", *(f"{name}.jsonl" for name in NAMES)):
        (parts / name).symlink_to(REAL / name)
    rows = prepare(parts, tmp_path / "out", "--benchmarks", str(prepared))
    assert {row["extra_info"]["source"] for row in rows} == {"deepscaler_aime.json", "deepscaler_math.json"}
    # 288 AIME problems are in both parts; their answers differ at most in notation ("97" and "097").
    reasons = Counter(row["reason"] for row in jsonl(tmp_path / "out" / "rejected.jsonl"))
    assert reasons == {"answer_null": 2, "answer_empty": 2, "duplicate": 289}


def test_unusable_answers_and_problems(tmp_path):
    answers = [None, "", " \n", [1], {"a": 1}, True, float("nan"), float("inf"), "\ud83d", 7, 2.5, 3.0, "x"]
    answers += [6.02e23, -(2.0**53), 2**53 - 1.0]
    data = [{"problem": f"Q{n}", "answer": answer} for n, answer in enumerate(answers)]
    large = ["6.02e+23", "-9007199254740992.0", "9007199254740991"]
    data += [{"problem": " ", "answer": "1"}, {"problem": None, "answer": "1"}, {"problem": "no answer key"}]
    rows = prepare(save(tmp_path / "in.jsonl", data), tmp_path)
    assert [row["reward_model"]["ground_truth"] for row in rows] == ["7", "2.5", "3", "x", *large]
    assert Counter(row["reason"] for row in jsonl(tmp_path / "rejected.jsonl")) == {
        "answer_null": 2,
        "answer_empty": 2,
        "answer_wrong_type": 5,
        "bad_unicode": 1,
        "no_problem": 2,
    }


CONFLICTING = [
    {"problem": "Add  one half to zero.", "answer": "\\frac12"},
    {"problem": "Add one half\nto zero.", "answer": "\\frac{1}{2}"},
    {"problem": "What is it?", "answer": "3"},
    {"problem": "What is it?", "answer": "4"},
    {"problem": "What is it?", "answer": "3"},
    {"problem": "Other", "answer": "5"},
]


@pytest.mark.parametrize(
    ("choice", "kept", "reasons"),
    [
        ("drop", [0, 5], {"duplicate": 2, "conflicting_answers": 2}),
        ("keep", [0, 2, 3, 5], {"duplicate": 2}),
        ("report", [0, 2, 3, 5], {"duplicate": 2}),
    ],
)
def test_conflicts(tmp_path, capsys, choice, kept, reasons):
    rows = prepare(save(tmp_path / "in.json", CONFLICTING), tmp_path, "--conflicts", choice)
    assert [row["extra_info"]["index"] for row in rows] == kept
    assert Counter(row["reason"] for row in jsonl(tmp_path / "rejected.jsonl")) == reasons
    findings = jsonl(tmp_path / "findings.jsonl")
    assert findings == [{"finding": "conflict", "indices": [2, 3], "answers": ["3", "4"], "question": "What is it?"}]
    assert ("Problems with conflicting answers" in capsys.readouterr().out) == (choice == "report")


def test_gold_check_reports_and_keeps(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gold, "score_all", lambda pairs: ({"acc": float(answer != "odd")} for _, answer in pairs))
    source = save(tmp_path / "in.json", [{"problem": "A", "answer": "1"}, {"problem": "[asy] B", "answer": "odd"}])
    deepscaler.main(["--local_dataset_path", str(source), "--local_save_dir", str(tmp_path)])
    assert pq.read_metadata(tmp_path / "train.parquet").num_rows == 2
    assert [row["answer"] for row in jsonl(tmp_path / "findings.jsonl")] == ["odd"]
    out = capsys.readouterr().out
    assert "1 gold answers do not verify" in out
    assert "[asy] B" in out


def test_gold_check_uses_the_projects_grader(tmp_path, capsys):
    deepscaler.main(
        ["--local_dataset_path", str(SAMPLES / "sample_deepscaler.json"), "--local_save_dir", str(tmp_path)]
    )
    assert "0 gold answers do not verify" in capsys.readouterr().out
    assert gold.verifies("25", "025")
    assert not gold.verifies("26", "025")
    # An unclosed brace never leaves its box, so nothing can match it.
    assert not gold.verifies("\\frac{1}{2", "\\frac{1}{2")


def test_rerun_gives_the_same_bytes_and_no_leftovers(tmp_path):
    # Input and output folder are one: the first run's output must not become the second one's input.
    save(tmp_path / "in.json", CONFLICTING)
    prepare(tmp_path, tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(first) == {"in.json", "train.parquet", "rejected.jsonl", "findings.jsonl"}
    prepare(tmp_path, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_line_breaks_survive_white_space_normalisation():
    assert normalise_white_space(" a\u00a0\t b \r\n\n\n\n // c\n\nd ") == "a b\n\n// c\n\nd"
