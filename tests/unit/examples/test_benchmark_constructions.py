"""Dumped attempts constructed anew, by a scripted policy."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scripted_policy import ScriptedPolicy
from small_tokenizer import TOKENIZER, encode

from examples.benchmark import constructions
from examples.benchmark.attempts import OWN_ATTEMPTS, read_attempts, to_problems
from examples.benchmark.located import against_labels, read_labels
from recipe_tapo.algorithm.steps import split_steps
from recipe_tapo.grading.batch import score_all
from recipe_tapo.grading.pool import shared_pool
from recipe_tapo.records.attempts import read_dump

OWN_LABELS = OWN_ATTEMPTS.with_name("wrong_rollouts_first_wrong_steps.json")
WRONG = "2x = 8\nDivide by 2: x = 3\nSo x = 3.\nFinal Answer: \\boxed{3}"
RIGHT = "2x = 8\nx = 4\nFinal Answer: \\boxed{4}"
GOES_ON = "Wait, 8 divided by 2 is 4.\nSo x = 4.\nFinal Answer: \\boxed{4}"
REWRITTEN = f"<reconstruction>\n2x = 8\nDivide by 2: x = 3\n{GOES_ON}\n</reconstruction>"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(
        TOKENIZER, "apply_chat_template", lambda messages, **_: messages[-1]["content"] + "\n", raising=False
    )
    line = {"question": "2x=8?", "error_rollout": WRONG, "correct_rollout": RIGHT, "reason": "leak"}
    (tmp_path / "dump.jsonl").write_text("".join(json.dumps({**line, "step": step}) + "\n" for step in range(6)))
    rows = [
        {"prompt": [{"role": "user", "content": "2x=8? Box it."}], "reward_model": {"ground_truth": "4"},
         "data_source": "t", "extra_info": {"question": "2x=8?"}}
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "golds.parquet")
    yield tmp_path
    shared_pool().close()


def command(folder, monkeypatch, *flags, attempts="dump.jsonl", golds="golds.parquet"):
    policy = ScriptedPolicy({"<reconstruction>": REWRITTEN, "right": GOES_ON})
    monkeypatch.setattr(constructions, "make_policy", lambda args: policy)
    constructions.main(
        ["--attempts", str(folder / attempts), *(["--golds", str(folder / golds)] if golds else []), "--model", "m",
         "--output", str(folder / "out"), "--set", "synthesis.min_new_tokens=5", *flags]
    )  # fmt: skip
    return policy


BOTH = ("--variants", "micro_reflective", "continuation:judge:own")


def test_each_attempt_is_constructed_anew_in_each_variant(files, monkeypatch, capsys):
    policy = command(files, monkeypatch, *BOTH, "--every", "2", "--first", "2")
    assert policy.stopped == 1
    # Attempts 0 and 2, each in two variants.
    assert len(policy.asked) == 4
    rows = {
        cells[1]: cells[2:-1]
        for cells in ([c.strip() for c in line.split("|")] for line in capsys.readouterr().out.splitlines())
        if len(cells) > 3
    }
    assert rows[""] == ["micro_reflective", "continuation_judge_own"]
    assert rows["attempts"] == ["2", "2"]
    assert rows["usable of attempts"] == rows["right, of usable"] == ["100%", "100%"]
    # Both keep "2x = 8\nDivide by 2: x = 3\n" of y⁻ and its EOS.
    kept, whole = len(encode("2x = 8\nDivide by 2: x = 3\n")), len(encode(WRONG)) + 1
    assert rows["preserved prefix, mean share of y⁻"] == [f"{kept / whole:.1%}"] * 2
    assert rows["NLL after the prefix"] == ["0.69", "0.69"]
    # Rewriting writes all of it, continuing what is new; the end is a token of its own.
    assert rows["new tokens per usable"] == [str(len(encode(REWRITTEN)) + 1), str(len(encode(GOES_ON)) + 1)]
    dumped = list(read_dump(files / "out" / "attempts" / "continuation_judge_own"))
    assert [record["uid"] for record in dumped] == ["0", "2"]
    assert all(record["reconstruction"].endswith(GOES_ON) for record in dumped)
    assert [s["name"] for s in json.loads((files / "out" / "table.json").read_text())] == rows[""]


def test_a_second_run_asks_for_what_is_missing_alone(files, monkeypatch):
    command(files, monkeypatch, *BOTH, "--first", "2")
    assert len(command(files, monkeypatch, *BOTH, "--first", "3").asked) == 2
    assert command(files, monkeypatch, *BOTH, "--first", "3").asked == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"question": "3x=9?", "error_rollout": "x", "correct_rollout": "y"}\n', "has no question like that"),
        ('{"question": "2x=8?", "error_rollout": "x"}\n', "attempt 0 has no text 'correct_rollout'"),
        ("", "holds no attempt"),
    ],
)
def test_bad_input_ends_in_one_line(files, monkeypatch, capsys, text, message):
    (files / "bad.jsonl").write_text(text)
    with pytest.raises(SystemExit, match="2"):
        command(files, monkeypatch, *BOTH, attempts="bad.jsonl")
    assert message in capsys.readouterr().err


def test_attempts_may_bring_their_prompts_and_right_answers(files, monkeypatch, capsys):
    (line, *_) = (files / "dump.jsonl").read_text().splitlines()
    own = {"gold": "3", "prompt": [{"role": "user", "content": "2x=8? Say it."}]}
    (files / "own.jsonl").write_text(json.dumps({**json.loads(line), **own}) + "\n")
    policy = command(files, monkeypatch, *BOTH, attempts="own.jsonl", golds=None)
    # The scripted continuation ends in 4, which this line says is wrong.
    assert "| right, of usable | 0% | 0% |" in capsys.readouterr().out
    assert len(policy.asked) == 2


def test_without_a_file_of_right_answers_the_attempts_have_to_bring_them(files, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        command(files, monkeypatch, *BOTH, golds=None)
    assert "attempt 0 has no 'prompt' and 'gold'; give --golds" in capsys.readouterr().err


def test_the_projects_own_attempts_are_wrong_rollouts_beside_right_ones():
    attempts = read_attempts(OWN_ATTEMPTS)
    assert len(attempts) == 202 and len({attempt["question"] for attempt in attempts.values()}) == 49
    assert len(to_problems(attempts, None)) == 202
    for name, right in (("error_rollout", False), ("correct_rollout", True)):
        grades = score_all((attempt[name], attempt["gold"]) for attempt in attempts.values())
        assert {bool(grade["acc"]) for grade in grades} == {right}


def test_the_labels_of_the_projects_own_attempts_name_steps_that_they_have():
    attempts, labels = read_attempts(OWN_ATTEMPTS), read_labels(OWN_LABELS)
    # Without the three that make no mistake before they are cut off, and one on which the readings differ.
    assert len(labels) == 202 - 3 - 1
    for place, step in labels.items():
        assert 1 <= step <= len(split_steps(attempts[place]["error_rollout"]))


def test_located_steps_are_counted_against_labels(files, monkeypatch, capsys):
    # The scripted judge says step 2 of each.
    (files / "labels.json").write_text('{"0": 3, "1": 2, "2": 1, "3": 1}')
    command(files, monkeypatch, *BOTH, "--first", "5", "--labels", str(files / "labels.json"))
    lines = [line for line in capsys.readouterr().out.splitlines() if " / " in line]
    # Rewriting locates nothing; attempt 4 has no label. All are usable and end right.
    assert lines == [
        "| located before / at / after the labelled step | 0 / 0 / 0 | 1 / 1 / 2 |",
        "| right, of these usable | 0 of 0 / 0 of 0 / 0 of 0 | 1 of 1 / 1 of 1 / 2 of 2 |",
    ]


def test_only_usable_attempts_count_as_right_at_a_label():
    def result(place, **record):
        return {"question": place, "records": [{"located_step": 2, "reason": None, "right": False, **record}]}

    results = [
        result(0, right=True), result(0), result(0, reason="leak", right=True), result(1, right=True),
        result(2, located_step=None, reason="locate_failed"), result(7),
    ]  # fmt: skip
    counts = against_labels(results, {0: 2, 1: 3, 2: 2})
    assert counts == {"all": {"at": 3, "before": 1}, "usable": {"at": 2, "before": 1}, "right": {"at": 1, "before": 1}}


@pytest.mark.parametrize("text", ["[1, 2]", '{"a": 1}', "{"])
def test_labels_that_are_none_are_refused(files, monkeypatch, capsys, text):
    (files / "labels.json").write_text(text)
    with pytest.raises(SystemExit) as ended:
        command(files, monkeypatch, *BOTH, "--labels", str(files / "labels.json"))
    assert ended.value.code == 2 and "expected {place: step}" in capsys.readouterr().err
