"""The ZPD filter, with an engine that answers by a rule."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_sampler import FakeSampler, Killed, write_queries

from data_prep import zpd_filter
from data_prep.accuracy import with_accuracy
from data_prep.responses import read_groups
from data_prep.schema import RL_SCHEMA
from recipe_tapo.errors import InputError
from recipe_tapo.sampling.requests import Response

N = 8
RIGHT = [0, 1, 4, 7, 8, 2]  # right responses among eight to each question


def by_turns(counts: list[int]):
    """An answer function: the k-th request for question q is right while k < counts[q]; the gold is always 5."""
    asked = [0] * len(counts)

    def answer(prompt: str, _: int) -> str:
        number = int(prompt.split()[1].rstrip("?"))
        asked[number] += 1
        return "so \\boxed{5}" if asked[number] <= counts[number] else "so \\boxed{6}"

    return answer


def run(folder: Path, sampler: FakeSampler, monkeypatch, *options: str, name: str = "zpd") -> Path:
    monkeypatch.setattr(zpd_filter, "make_sampler", lambda *_: sampler)
    output = folder / f"{name}.parquet"
    arguments = ["--input", str(folder / "train.parquet"), "--output", str(output), "--model", "m"]
    zpd_filter.main([*arguments, "--n", str(N), "--chunk", "10", *options])
    return output


def test_keeps_what_lies_within_the_bounds_and_measures_it(tmp_path, monkeypatch, capsys):
    rows = write_queries(tmp_path / "train.parquet", ["5"] * len(RIGHT))
    output = run(tmp_path, FakeSampler(by_turns(RIGHT)), monkeypatch)
    kept = pq.read_table(output).to_pylist()
    # 1/8 and 7/8 are the bounds, themselves kept; 0/8 and 8/8 go.
    assert [row["extra_info"].pop("accuracy") for row in kept] == [1 / 8, 4 / 8, 7 / 8, 2 / 8]
    assert kept == [rows[1], rows[2], rows[3], rows[5]]
    table = [" ".join(line.replace("│", " ").split()) for line in capsys.readouterr().out.splitlines()]
    for line in ("queries read 6", "- too hard 1 accuracy below 0.125", "- too easy 1 accuracy above 0.875"):
        assert line in table
    # (0+1+4+7+8+2) / 48
    assert "mean accuracy 0.458" in table
    assert (tmp_path / "zpd.accuracy.png").read_bytes().startswith(b"\x89PNG")
    groups = list(read_groups(tmp_path / "zpd.responses.jsonl"))
    assert [sum(response["right"] for response in group) for _, group in groups] == RIGHT


def test_bounds_are_settable_and_other_bounds_need_no_new_sampling(tmp_path, monkeypatch):
    write_queries(tmp_path / "train.parquet", ["5"] * len(RIGHT))
    run(tmp_path, FakeSampler(by_turns(RIGHT)), monkeypatch)
    idle = FakeSampler(by_turns(RIGHT))
    output = run(tmp_path, idle, monkeypatch, "--min_accuracy", "0.5", "--max_accuracy", "1")
    assert pq.read_table(output)["extra_info"].combine_chunks().field("accuracy").to_pylist() == [0.5, 0.875, 1.0]
    assert idle.chunks == []


def test_a_run_killed_at_any_chunk_ends_like_one_that_was_not(tmp_path, monkeypatch):
    write_queries(tmp_path / "train.parquet", ["5"] * len(RIGHT))

    # By the seed alone, as an engine would: turns depend on what was asked before.
    def answer(_: str, seed: int) -> str:
        return f"\\boxed{{{5 + seed % 2}}}"

    whole = run(tmp_path, FakeSampler(answer), monkeypatch, name="whole")
    suffixes = (".parquet", ".responses.jsonl", ".responses.jsonl.settings.json", ".accuracy.png")
    expected = [whole.with_suffix(suffix).read_bytes() for suffix in suffixes]
    for chunk in range(5):  # 6 × 8 responses in chunks of 10
        with pytest.raises(Killed):
            run(tmp_path, FakeSampler(answer, die_at_chunk=chunk), monkeypatch, name=f"cut{chunk}")
        assert not (tmp_path / f"cut{chunk}.parquet").exists()
        resumed = FakeSampler(answer)
        output = run(tmp_path, resumed, monkeypatch, name=f"cut{chunk}")
        assert [output.with_suffix(suffix).read_bytes() for suffix in suffixes] == expected
        assert sum(map(len, resumed.chunks)) == 48 - 10 * chunk


def test_seeds_differ_between_responses_and_do_not_depend_on_the_company(tmp_path, monkeypatch):
    write_queries(tmp_path / "train.parquet", ["5"] * 3)
    first = FakeSampler(by_turns([1, 1, 1]))
    run(tmp_path, first, monkeypatch)
    seeds = {(r.messages[0]["content"], r.seed) for chunk in first.chunks for r in chunk}
    assert len(seeds) == len({seed for _, seed in seeds}) == 3 * N
    (tmp_path / "alone").mkdir()
    write_queries(tmp_path / "alone" / "train.parquet", ["5"])
    alone = FakeSampler(by_turns([1]))
    run(tmp_path / "alone", alone, monkeypatch, "--chunk", "3")
    assert {(r.messages[0]["content"], r.seed) for chunk in alone.chunks for r in chunk} <= seeds


def test_failed_requests_are_recorded_and_left_out_of_the_share(tmp_path, monkeypatch, capsys):
    write_queries(tmp_path / "train.parquet", ["5", "5"])
    turns = iter([Response(failure="boom")] * 4 + ["\\boxed{5}"] + ["\\boxed{6}"] * 3 + [Response(failure="boom")] * 8)
    output = run(tmp_path, FakeSampler(lambda *_: next(turns)), monkeypatch)
    (row,) = pq.read_table(output).to_pylist()
    # One right of the four that came back.
    assert row["extra_info"]["accuracy"] == 0.25
    groups = dict(read_groups(tmp_path / "zpd.responses.jsonl"))
    assert [sum(response["failure"] == "boom" for response in group) for group in groups.values()] == [4, 8]
    out = capsys.readouterr().out
    assert "every request failed" in out
    assert "12 requests failed and are left out of the accuracies; --retry_failed sends them again" in out
    run(tmp_path, FakeSampler(lambda *_: "\\boxed{5}"), monkeypatch, "--retry_failed", "--max_accuracy", "1")
    assert "requests failed" not in capsys.readouterr().out


def test_accuracies_go_to_the_rows_that_were_sampled_whatever_the_file_holds_by_then(tmp_path, monkeypatch):
    source = tmp_path / "train.parquet"
    rows = write_queries(source, ["5", "5"])
    turns = by_turns([1, 2])

    def answer(prompt: str, seed: int) -> str:
        pq.write_table(pa.Table.from_pylist(rows[::-1]), source)
        return turns(prompt, seed)

    kept = pq.read_table(run(tmp_path, FakeSampler(answer), monkeypatch)).to_pylist()
    found = [(row["extra_info"]["question"], row["extra_info"]["accuracy"]) for row in kept]
    assert found == [("Question 0?", 1 / 8), ("Question 1?", 2 / 8)]


def test_failures_that_leave_nothing_are_said_with_what_to_do(tmp_path, monkeypatch):
    write_queries(tmp_path / "train.parquet", ["5"])
    with pytest.raises(InputError, match=r"so .* was not written; .*; 8 requests failed, --retry_failed sends them"):
        run(tmp_path, FakeSampler(lambda *_: Response(failure="boom")), monkeypatch)


def test_nothing_within_the_bounds_is_an_error_that_keeps_the_responses(tmp_path, monkeypatch):
    write_queries(tmp_path / "train.parquet", ["5"])
    with pytest.raises(InputError, match=r"no query has an accuracy from 0\.125 to 0\.875"):
        run(tmp_path, FakeSampler(by_turns([0])), monkeypatch)
    assert not (tmp_path / "zpd.parquet").exists()
    assert len((tmp_path / "zpd.responses.jsonl").read_text().splitlines()) == N


def test_responses_of_another_model_or_setting_are_not_mixed_in(tmp_path, monkeypatch):
    write_queries(tmp_path / "train.parquet", ["5"])
    run(tmp_path, FakeSampler(by_turns([4])), monkeypatch)
    for options, name in ((("--model", "other"), "model 'm'"), (("--temperature", "0.6"), "temperature 1.0")):
        with pytest.raises(InputError, match=f"was made with {name}"):
            run(tmp_path, FakeSampler(by_turns([4])), monkeypatch, *options)


def rl_row(**changes) -> dict:
    row = {"prompt": [{"role": "user", "content": "Q"}], "reward_model": {"style": "rule", "ground_truth": "5"}}
    return {**row, **changes}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"problem": "Q", "answer": "5"}, "row 1: 'prompt' is not a list of messages"),
        (rl_row(prompt="Q"), "'prompt' is not a list of messages"),
        (rl_row(prompt=[{"role": "user"}]), "'prompt' is not a list of messages"),
        (rl_row(reward_model={"ground_truth": 5}), "'reward_model.ground_truth' is not a text"),
        (rl_row(reward_model={"ground_truth": ""}), "'reward_model.ground_truth' is not a text"),
        (rl_row(extra_info="{}"), "'extra_info' is no struct"),
    ],
)
def test_rows_that_cannot_be_sampled_are_named(tmp_path, monkeypatch, row, message):
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "train.parquet")
    with pytest.raises(InputError, match=message):
        run(tmp_path, FakeSampler(by_turns([1])), monkeypatch)
    assert [path.name for path in tmp_path.iterdir()] == ["train.parquet"]


def test_bad_arguments(tmp_path, monkeypatch, capsys):
    write_queries(tmp_path / "train.parquet", ["5"])
    source = str(tmp_path / "train.parquet")
    for arguments in (["--min_accuracy", "0.9"], ["--min_accuracy", "-1"], ["--max_accuracy", "nan"]):
        with pytest.raises(SystemExit) as stop:
            zpd_filter.main(["--input", source, "--output", "out.parquet", "--model", "m", *arguments])
        assert stop.value.code == 2
    assert "--min_accuracy 0.9 is above --max_accuracy 0.875" in capsys.readouterr().err
    for arguments, message in (
        (["--output", str(tmp_path / "out.json")], "must be a .parquet file"),
        (["--output", source], "--output is --input"),
        (["--output", "o.parquet", "--input", str(tmp_path / "no.parquet")], "no such file"),
        (["--output", "o.parquet", "--input", str(tmp_path)], "expected a .parquet file"),
    ):
        with pytest.raises(InputError, match=message):
            zpd_filter.main(["--input", source, "--model", "m", *arguments])


def test_accuracy_joins_extra_info_whatever_it_held():
    table = pa.Table.from_pylist([{"extra_info": {"index": 3, "accuracy": 0.5}}, {"extra_info": None}])
    assert with_accuracy(table, [0.25, None])["extra_info"].to_pylist() == [
        {"index": 3, "accuracy": 0.25},
        {"index": None, "accuracy": None},
    ]
    nothing = pa.table({"a": [1], "extra_info": pa.nulls(1)})  # of pandas, where no row has any
    for table in (pa.table({"a": [1]}), nothing):
        assert with_accuracy(table, [0.5]).to_pylist() == [{"a": 1, "extra_info": {"accuracy": 0.5}}]


def test_the_schema_is_that_of_the_input_with_the_accuracy_last(tmp_path, monkeypatch):
    write_queries(tmp_path / "train.parquet", ["5"])
    schema = pq.read_schema(run(tmp_path, FakeSampler(by_turns([4])), monkeypatch))
    assert schema.names == RL_SCHEMA.names
    assert list(schema.field("extra_info").type) == [
        *RL_SCHEMA.field("extra_info").type,
        pa.field("accuracy", pa.float64()),
    ]


def test_the_journal_says_what_it_was_made_with(tmp_path, monkeypatch):
    write_queries(tmp_path / "train.parquet", ["5"])
    run(tmp_path, FakeSampler(by_turns([4])), monkeypatch)
    settings = json.loads((tmp_path / "zpd.responses.jsonl.settings.json").read_text())
    assert {name: settings[name] for name in ("kind", "model", "n", "total", "temperature", "max_tokens")} == {
        "kind": "responses",
        "model": "m",
        "n": 8,
        "total": 8,
        "temperature": 1.0,
        "max_tokens": 8192,
    }
