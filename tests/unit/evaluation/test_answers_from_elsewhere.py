"""Answers produced elsewhere: under which names and numbers they find their problems."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_data import NAMES, raw_benchmark_files

from data_prep import benchmarks
from recipe_tapo.cli import main as tapo
from recipe_tapo.cli.run import BAD_INPUT_EXIT_CODE, run_command
from recipe_tapo.evaluation.folder import load_evaluation


def write_benchmark(path: Path, golds: list[str], **columns: list) -> Path:
    """A benchmark with columns of its own; those that begin with ``info_`` go to ``extra_info``."""
    rows = [
        {
            "prompt": [{"role": "user", "content": f"Say {gold}"}],
            "reward_model": {"ground_truth": gold},
            "extra_info": {"question": f"Say {gold}"}
            | {name[5:]: values[row] for name, values in columns.items() if name.startswith("info_")},
            **{name: values[row] for name, values in columns.items() if not name.startswith("info_")},
        }
        for row, gold in enumerate(golds)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture
def score(tmp_path, capsys):
    """Scores answers by what their problems are called; returns the share of right ones, or the line of the refusal."""

    def score(answers: dict[int | str, str], *options: object, name: str = "tiny") -> float | str:
        records = [
            {"benchmark": name, "problem_idx": number, "run": 0, "sample": 0, "response": f"\\boxed{{{answer}}}"}
            for number, answer in answers.items()
        ]
        path = tmp_path / "answers.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        out = tmp_path / "out"
        arguments = ["evaluate", "--responses", path, "--data_dir", tmp_path, "--output", out, *options]
        capsys.readouterr()
        try:
            run_command(lambda: tapo.run(list(map(str, arguments))))
        except SystemExit as error:
            assert error.code == BAD_INPUT_EXIT_CODE
            (line,) = capsys.readouterr().err.splitlines()
            return line
        metrics = load_evaluation(out).metrics
        (share,) = (value for key, value in metrics.items() if key.endswith("/pass@1"))
        return share

    return score


@pytest.mark.parametrize("name", NAMES)
def test_real_benchmarks_are_answered_by_row_and_by_their_own_numbers(score, tmp_path, name):
    raw_benchmarks = raw_benchmark_files(tmp_path)
    options = ["--local_dataset_path", str(raw_benchmarks), "--local_save_dir", str(tmp_path)]
    benchmarks.main([*options, "--only", name, "--no-check_gold"])
    rows = [json.loads(line) for line in (raw_benchmarks / f"{name}.jsonl").read_text().splitlines()]
    assert {row["problem_idx"] for row in rows} == set(range(1, 31))
    by_row = {row: gold["answer"] for row, gold in enumerate(rows)}
    own = {row["problem_idx"]: row["answer"] for row in rows}
    assert score(by_row, name=name) == 1.0
    assert score(own, name=name) == 1.0
    assert score({str(number): answer for number, answer in own.items()}, name=name) == 1.0
    del own[30]
    assert (
        "problem_idx can be the row in its file from 0 (then 0 is missing) or the file's own extra_info.id (then 30 "
        in (score(own, name=name))
    )


@pytest.mark.parametrize("column", ["problem_idx", "ID", "info_index", "info_id"])
def test_own_numbers_are_found_wherever_the_file_has_them(score, tmp_path, column):
    write_benchmark(tmp_path / "tiny.parquet", ["10", "11", "12"], **{column: [60, 61, 62]})
    assert score({60: "10", 61: "11", 62: "0"}) == pytest.approx(2 / 3)
    assert score({0: "10", 1: "11", 2: "12"}) == 1.0
    own = f"the file's own {column.replace('info_', 'extra_info.')}"
    assert score({60: "10", 62: "12"}).endswith(
        f"tiny: problem_idx can be {own} (then 61 is missing); every problem needs an answer"
    )
    assert score({60: "10", 61: "11", 63: "12"}).endswith(
        f"tiny has no problem 60; problem_idx is the row in its file from 0, 0 to 2; or {own}, 60 to 62"
    )


def test_names_of_problems_may_be_words(score, tmp_path):
    write_benchmark(tmp_path / "tiny.parquet", ["10", "11"], ID=["2024-I-1", "2024-I-2"])
    assert score({"2024-I-2": "11", "2024-I-1": "10"}) == 1.0


def test_numbers_that_fit_two_ways_are_refused_in_one_line_with_both(score, tmp_path):
    write_benchmark(tmp_path / "tiny.parquet", ["10", "11", "12"], problem_idx=[2, 0, 1])
    assert score({0: "10", 1: "11", 2: "12"}).endswith(
        "tiny: problem_idx can be the row in its file from 0 or the file's own problem_idx, and these differ; sort the "
        "benchmark's file by its own numbers, or remove them from it"
    )
    # The same by any column: nothing to choose.
    write_benchmark(tmp_path / "tiny.parquet", ["10", "11", "12"], problem_idx=[0, 1, 2])
    assert score({0: "10", 1: "11", 2: "12"}) == 1.0


def test_columns_that_do_not_tell_problems_apart_are_no_numbers(score, tmp_path):
    write_benchmark(tmp_path / "tiny.parquet", ["10", "11"], problem_idx=[7, 7], info_id=["a", None])
    assert score({0: "10", 1: "11"}) == 1.0
    assert score({"a": "10", 1: "11"}).endswith(
        "tiny has no problem a; problem_idx is the row in its file from 0, 0 to 1"
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hmmt_2025", []),
        ("hmmt_feb_2025", []),
        ("hmmt_2025", ["--benchmark", "hmmt_feb_2025"]),
        ("hmmt_feb_2025", ["--benchmark", "hmmt_2025"]),
        ("{folder}/hmmt_feb_2025.parquet", []),
        ("{folder}/hmmt_feb_2025.parquet", ["--benchmark", "hmmt_2025"]),
        ("hmmt_2025", ["--benchmark", "mine={folder}/hmmt_feb_2025.parquet"]),
        ("mine", ["--benchmark", "mine={folder}/hmmt_feb_2025.parquet"]),
        ("hmmt_feb_2025", ["--benchmark", "hmmt_2025={folder}/elsewhere.parquet"]),
    ],
)
def test_a_benchmark_has_the_same_names_in_answers_as_on_the_command_line(score, tmp_path, name, options):
    write_benchmark(tmp_path / "hmmt_feb_2025.parquet", ["10", "11"])
    write_benchmark(tmp_path / "elsewhere.parquet", ["10", "11"])
    if "elsewhere" in "".join(options):
        (tmp_path / "hmmt_feb_2025.parquet").unlink()
    folder = str(tmp_path)
    options = [option.format(folder=folder) for option in options]
    assert score({0: "10", 1: "0"}, *options, name=name.format(folder=folder)) == 0.5


def test_answers_to_another_file_of_the_same_name_are_not_taken(score, tmp_path):
    (tmp_path / "other").mkdir()
    other = write_benchmark(tmp_path / "other" / "tiny.parquet", ["20"])
    write_benchmark(tmp_path / "tiny.parquet", ["10"])
    assert "no response to tiny" in score({0: "20"}, "--benchmark", "tiny", name=str(other))
