"""Records of an evaluation, its folder, and benchmarks by name or file."""

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.sources import BENCHMARK_NAMES, DEFAULT_SAVE_DIR
from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.benchmarks import ALIASES, DEFAULT_DATA_DIR, digests, find_benchmarks, load_problems
from recipe_tapo.evaluation.folder import load_evaluation, write_object, write_records
from recipe_tapo.evaluation.records import Answer, Problem, ResponseRecord, read_records

MINIMAL = {"benchmark": "b", "problem_idx": 0, "run": 0, "sample": 0, "response": "r"}
count = st.integers(0, 2**40)
RECORDS = st.builds(
    ResponseRecord,
    benchmark=st.text(),
    problem_idx=count,
    run=count,
    sample=count,
    # Half a surrogate pair too, as other programs' json has it.
    response=st.text() | st.just("\ud83d\u2028"),
    right=st.none() | st.booleans(),
    pred=st.none() | st.text(),
    truncated=st.none() | st.booleans(),
    tokens=st.none() | count,
    failure=st.none() | st.text(),
)


def write_rows(path: Path, golds: list, **extra_info) -> Path:
    rows = [
        {
            "data_source": "d",
            "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": f"Q{number} boxed"}],
            "reward_model": {"style": "rule", "ground_truth": gold},
            "extra_info": {"index": 7, **extra_info},
        }
        for number, gold in enumerate(golds)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


# --- records ----------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_records_survive_their_file(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("records") / "r.jsonl"
    write_records(path, records)
    assert list(read_records(path, ResponseRecord)) == records


def test_an_answer_whose_failure_is_empty_did_not_fail(tmp_path):
    row = {"benchmark": "b", "problem_idx": 0, "run": 0, "sample": 0, "response": "r"}
    rows = [{**row, "failure": ""}, {**row, "failure": "no answer"}]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [answer.failure for answer in read_records(tmp_path / "answers.jsonl", Answer)] == [None, "no answer"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(MINIMAL)), inner, max_size=5),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_a_record_or_one_clear_error(tmp_path_factory, line):
    path = tmp_path_factory.mktemp("lines") / "r.jsonl"
    path.write_bytes(line + b"\n")
    try:
        assert all(isinstance(record, ResponseRecord) for record in read_records(path, ResponseRecord))
    except InputError as error:
        assert str(path) in str(error)


def test_only_five_fields_are_required_and_others_are_passed_over(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("\n" + json.dumps({**MINIMAL, "temperature": 0.6}) + "\n\n")
    assert list(read_records(path, ResponseRecord)) == [ResponseRecord("b", 0, 0, 0, "r")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run": None}, "'run' is null, expected a whole number from 0"),
        ({"run": "0"}, "'run' is \"0\", expected a whole number from 0"),
        ({"run": True}, "'run' is true, expected a whole number from 0"),
        ({"sample": -1}, "'sample' is -1, expected a whole number from 0"),
        ({"problem_idx": 1.0}, "'problem_idx' is 1.0, expected a whole number from 0"),
        ({"response": None}, "'response' is null, expected text"),
        ({"right": 1}, "'right' is 1, expected true or false or null"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(tmp_path, change, message):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(MINIMAL) + "\n" + json.dumps({**MINIMAL, **change}) + "\n")
    with pytest.raises(InputError) as error:
        list(read_records(path, ResponseRecord))
    assert str(error.value) == f"{path}, line 2: {message}"


@pytest.mark.parametrize("missing", sorted(MINIMAL))
def test_a_missing_field_is_named(tmp_path, missing):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps({name: value for name, value in MINIMAL.items() if name != missing}) + "\n")
    with pytest.raises(InputError, match=f"line 1: '{missing}' is missing"):
        list(read_records(path, ResponseRecord))


@pytest.mark.parametrize("content", [None, b"", b"\n \n"])
def test_no_file_and_an_empty_one_are_refused(tmp_path, content):
    path = tmp_path / "r.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="no such file" if content is None else "the file is empty"):
        list(read_records(path, ResponseRecord))


# --- folder -----------------------------------------------------------------------------------------------------------


def test_a_finished_folder_is_loaded(tmp_path):
    folder = tmp_path / "model"
    problem = Problem("b", 0, "Q", "1", [{"role": "user", "content": "Q"}])
    write_records(folder / "responses.jsonl", [ResponseRecord("b", 0, 0, 0, "r", True, "1")])
    write_records(folder / "problems.jsonl", [problem])
    write_object(folder / "settings.json", {"model": "m"})
    with pytest.raises(InputError, match="not finished"):
        load_evaluation(folder)
    write_object(folder / "metrics.json", {"b/pass@1": 1.0, "b/truncated_share": None})
    evaluation = load_evaluation(folder)
    assert (evaluation.name, evaluation.benchmarks, evaluation.problems) == ("model", ["b"], [problem])
    assert evaluation.responses == [ResponseRecord("b", 0, 0, 0, "r", True, "1")]
    assert evaluation.metrics == {"b/pass@1": 1.0, "b/truncated_share": None}
    assert evaluation.settings == {"model": "m"}
    (folder / "metrics.json").write_text("[1]")
    with pytest.raises(InputError, match="holds no json object"):
        load_evaluation(folder)


def test_other_folders_are_refused(tmp_path):
    for folder, message in ((tmp_path, "holds no evaluation"), (tmp_path / "none", "no such folder")):
        with pytest.raises(InputError, match=message):
            load_evaluation(folder)


# --- benchmarks -------------------------------------------------------------------------------------------------------


def test_names_and_default_folder_are_those_of_data_preparation():
    assert DEFAULT_DATA_DIR == DEFAULT_SAVE_DIR
    assert set(ALIASES.values()) <= BENCHMARK_NAMES


def test_benchmarks_are_found_by_name_alias_and_path(tmp_path):
    for name in ("aime_2024", "hmmt_feb_2025", "val"):
        write_rows(tmp_path / f"{name}.parquet", ["1"])
    path = tmp_path / "val.parquet"
    assert find_benchmarks(["aime_2024", "hmmt_2025", str(path), f"arithmetic={path}"], tmp_path) == {
        "aime_2024": tmp_path / "aime_2024.parquet",
        "hmmt_feb_2025": tmp_path / "hmmt_feb_2025.parquet",
        "val": path,
        "arithmetic": path,
    }


def test_a_path_with_an_equals_sign_is_a_path(tmp_path):
    folder = tmp_path / "seed=1"
    folder.mkdir()
    path = write_rows(folder / "val.parquet", ["1"])
    assert find_benchmarks([str(path)], tmp_path) == {"val": path}
    assert find_benchmarks([f"mine={path}"], tmp_path) == {"mine": path}


def test_a_benchmark_that_is_not_there_gets_a_remedy(tmp_path):
    with pytest.raises(InputError, match=r"benchmark aime_2042: .* run python -m data_prep\.benchmarks"):
        find_benchmarks(["aime_2042"], tmp_path)
    write_rows(tmp_path / "aime_2024.parquet", ["1"])
    with pytest.raises(InputError, match=r"benchmark aime_2042: .* has aime_2024"):
        find_benchmarks(["aime_2042"], tmp_path)


def test_two_files_of_one_name_are_refused(tmp_path):
    (tmp_path / "other").mkdir()
    paths = [write_rows(folder / "val.parquet", ["1"]) for folder in (tmp_path, tmp_path / "other")]
    with pytest.raises(InputError, match="tell them apart as NAME=PATH"):
        find_benchmarks(map(str, paths), tmp_path)


def test_problems_are_numbered_by_row(tmp_path):
    path = write_rows(tmp_path / "val.parquet", ["1", "2"], question="Q?")
    first, second = load_problems("v", path)
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "Q0 boxed"}]
    assert asdict(first) == {"benchmark": "v", "problem_idx": 0, "question": "Q?", "gold": "1", "messages": chat}
    assert second.problem_idx == 1
    # Without the raw question, what the user says.
    assert load_problems("v", write_rows(path, ["1"]))[0].question == "Q0 boxed"


def test_a_changed_gold_changes_the_digest(tmp_path):
    path = tmp_path / "val.parquet"
    names = [digests(load_problems("v", write_rows(path, golds)))["v"] for golds in (["1"], ["1"], ["2"])]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "text", "reward_model": {"ground_truth": "1"}}, "row 0: 'prompt' is not a list of messages"),
        ({"prompt": [{"role": "user", "content": "Q"}], "reward_model": {"ground_truth": 1}}, "ground_truth' is not"),
        ({"question": "Q", "answer": "1"}, "'prompt' is not a list of messages"),
        (None, "the file has no rows"),
    ],
)
def test_other_parquet_files_are_refused(tmp_path, row, message):
    path = tmp_path / "val.parquet"
    table = pa.table({"prompt": pa.array([], pa.string())}) if row is None else pa.Table.from_pylist([row])
    pq.write_table(table, path)
    with pytest.raises(InputError, match=message):
        load_problems("v", path)


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "val.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="not a readable parquet file"):
        load_problems("v", tmp_path / "val.parquet")
