"""The study's resumption and its command line, with training and measuring replaced by stand-ins."""

import contextlib
import json

import pytest

from examples.runs.process import TrainingFailed
from examples.study import __main__ as command
from examples.study import held_out, rl_arm, runner
from examples.study.arms import ARMS
from examples.study.plan import StudyRun


@pytest.fixture
def stand_ins(monkeypatch, tmp_path):
    """Training writes a log of two steps, measuring gives fixed numbers; both are counted."""
    calls = []

    def train(run, settings, model, questions, folder, watch):
        calls.append(("train", run.arm.name, run.seed))
        assert sorted(path.name for path in folder.iterdir()) == []
        log = [
            {
                "step": step,
                "data": {
                    "training/global_step": step,
                    "timing_s/step": 5.0,
                    "critic/score/mean": 0.5,
                    "response_length/mean": 40.0,
                },
            }
            for step in (1, 2)
        ]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log))
        watch()

    def evaluate(model, questions, max_tokens):
        calls.append(("measure", model.name))
        return held_out.HeldOut(10, 8, 0.5, 0.4, {"1": 0.4, "8": 0.9}, 0.1, 0.9, None, 30.0, 0.2)

    monkeypatch.setattr(rl_arm, "train", train)
    monkeypatch.setattr(held_out, "evaluate", evaluate)
    monkeypatch.setattr(runner.Start, "questions", lambda self, seed: tmp_path)
    monkeypatch.setattr(runner.Start, "model", lambda self, seed, start="cold_start": tmp_path / f"model{seed}")
    monkeypatch.setattr("examples.study.summary.draw_study", lambda *_: [])
    monkeypatch.setattr("examples.study.summary.draw", lambda *_: [])
    return calls


def run_study(folder, *flags):
    with pytest.raises(SystemExit) if "--fails" in flags else contextlib.nullcontext() as outcome:
        command.main(["--output_dir", str(folder), "--regime", "demo", *[flag for flag in flags if flag != "--fails"]])
    return outcome


def trained(calls):
    return [call[1:] for call in calls if call[0] == "train"]


TWO_ARMS = ("--arms", "grpo", "tapo", "--seeds", "0", "--rl_seeds", "0", "--steps", "2")


def test_what_is_done_is_not_done_again_and_more_seeds_are_added(stand_ins, tmp_path):
    run_study(tmp_path / "study", *TWO_ARMS)
    assert trained(stand_ins) == [("grpo", 0), ("tapo", 0)]
    stand_ins.clear()
    run_study(tmp_path / "study", *TWO_ARMS)
    assert stand_ins == []
    run_study(tmp_path / "study", "--arms", "grpo", "--seeds", "0", "1", "--rl_seeds", "0", "--steps", "2")
    assert trained(stand_ins) == [("grpo", 1)]
    results = [json.loads(line) for line in (tmp_path / "study" / "results.jsonl").read_text().splitlines()]
    assert [(result["arm"], result["seed"]) for result in results] == [("grpo", 0), ("grpo", 1), ("tapo", 0)]
    assert "| GRPO | 2 / 2 | 50.0 ± 0.0 |" in (tmp_path / "study" / "table.md").read_text()


def test_a_run_cut_short_starts_from_nothing_and_one_cut_before_measuring_is_measured(stand_ins, tmp_path):
    half = StudyRun(ARMS["grpo"], 0, 0).folder(tmp_path / "study")
    half.mkdir(parents=True)
    (half / "metrics.jsonl").write_text("left over")  # the stand-in asserts an empty folder
    whole = StudyRun(ARMS["tapo"], 0, 0).folder(tmp_path / "study")
    whole.mkdir(parents=True)
    circumstances = {"training_s": 12.5, "jobs": 2, "commit": "of the training", "machine": "another"}
    (whole / "trained").write_text(json.dumps(circumstances))
    run_study(tmp_path / "study", *TWO_ARMS)
    assert trained(stand_ins) == [("grpo", 0)]
    record = json.loads((whole / "record.json").read_text())
    assert {name: record[name] for name in circumstances} == circumstances
    assert json.loads((half / "record.json").read_text())["jobs"] == 1


def test_a_run_that_fails_costs_nothing_but_itself_and_is_tried_again(stand_ins, tmp_path, monkeypatch, capsys):
    works = rl_arm.train

    def fails_for_grpo(run, *arguments):
        if run.arm.name == "grpo":
            raise TrainingFailed("training ended with exit code 1; see train.log")
        works(run, *arguments)

    monkeypatch.setattr(rl_arm, "train", fails_for_grpo)
    outcome = run_study(tmp_path / "study", *TWO_ARMS, "--fails")
    assert outcome.value.code == 1
    assert "grpo, seed 0: training ended with exit code 1" in capsys.readouterr().out
    assert len((tmp_path / "study" / "results.jsonl").read_text().splitlines()) == 1
    monkeypatch.setattr(rl_arm, "train", works)
    run_study(tmp_path / "study", *TWO_ARMS)
    assert trained(stand_ins) == [("tapo", 0), ("grpo", 0)]


def test_sft_does_not_learn_what_a_failed_run_left(stand_ins, tmp_path, monkeypatch, capsys):
    def fails(run, settings, model, questions, folder, watch):
        (folder / "dump").mkdir()
        raise TrainingFailed("training ended with exit code 1; see train.log")

    monkeypatch.setattr(rl_arm, "train", fails)
    flags = ("--arms", "tapo", "sft", "--seeds", "0", "--rl_seeds", "0", "--steps", "2")
    assert run_study(tmp_path / "study", *flags, "--fails").value.code == 1
    assert "sft, seed 0: tapo-seed0-0, whose constructions it learns, has failed" in capsys.readouterr().out
    assert not list((tmp_path / "study").glob("runs/*/record.json"))


def test_a_stopped_study_reports_what_it_has(stand_ins, tmp_path, monkeypatch, capsys):
    works = rl_arm.train

    def stopped_at_tapo(run, *arguments):
        if run.arm.name == "tapo":
            raise KeyboardInterrupt
        works(run, *arguments)

    monkeypatch.setattr(rl_arm, "train", stopped_at_tapo)
    outcome = run_study(tmp_path / "study", *TWO_ARMS, "--fails")
    assert outcome.value.code == 130
    assert "the same command goes on" in capsys.readouterr().out
    assert "| GRPO |" in (tmp_path / "study" / "table.md").read_text()


def test_known_results_are_compared_with_and_not_trained_again(stand_ins, tmp_path, capsys):
    run_study(tmp_path / "published", *TWO_ARMS)
    stand_ins.clear()
    known = tmp_path / "published" / "results.jsonl"
    arms = ("--arms", "grpo", "tapo", "wo_ots", "--seeds", "0", "--rl_seeds", "0", "--known_results", str(known))
    run_study(tmp_path / "study", *arms, "--steps", "2")
    assert trained(stand_ins) == [("wo_ots", 0)]
    assert "2 finished runs taken over" in capsys.readouterr().out
    assert len((tmp_path / "study" / "results.jsonl").read_text().splitlines()) == 3
    outcome = run_study(tmp_path / "longer", *arms, "--steps", "3", "--fails")
    assert outcome.value.code == 2
    assert "runs of regime demo with 2 steps, not demo with 3" in capsys.readouterr().err
    outcome = run_study(tmp_path / "hotter", *arms, "--steps", "2", "--learning_rate", "1e-3", "--fails")
    assert outcome.value.code == 2
    assert "runs with learning_rate=0.0001, not 0.001" in capsys.readouterr().err
    # Those that were published before settings were noted are of the defaults.
    records = [json.loads(line) for line in known.read_text().splitlines()]
    known.write_text("".join(json.dumps({k: v for k, v in r.items() if k != "settings"}) + "\n" for r in records))
    outcome = run_study(tmp_path / "smaller", *arms, "--steps", "2", "--batch", "4", "--fails")
    assert "runs with batch=16, not 4" in capsys.readouterr().err
    for nonsense in ("no json", '{"arm": "nobody", "seed": 0, "rl_seed": 0}', "[]", ""):
        known.write_text(nonsense + "\n")
        outcome = run_study(tmp_path / "bad", *arms, "--steps", "2", "--fails")
        assert outcome.value.code == 2
        assert "no results of a study" in capsys.readouterr().err
    assert not list((tmp_path / "bad").glob("runs/*"))


def test_a_second_study_is_kept_out_of_the_folder(stand_ins, tmp_path, capsys):
    with command.alone(tmp_path / "study"):
        outcome = run_study(tmp_path / "study", *TWO_ARMS, "--fails")
    assert outcome.value.code == 2
    assert "another study is running there" in capsys.readouterr().err
    assert stand_ins == []


def test_bad_input_gets_one_line_and_exit_code_2(stand_ins, tmp_path, capsys):
    outcome = run_study(tmp_path / "study", "--arms", "nonsense", "--fails")
    assert outcome.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
