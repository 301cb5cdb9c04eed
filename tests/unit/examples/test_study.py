"""The study's plan, its resumption and its command line, with training and measuring replaced by stand-ins."""

import contextlib
import json
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from examples.runs.process import TrainingFailed, run_training
from examples.study import __main__ as command
from examples.study import held_out, rl_arm, runner, sft_arm
from examples.study.arms import ARMS, find_arms
from examples.study.plan import PRESETS, StudyRun, make_plan
from examples.study.progress import Estimator, minutes
from examples.study.settings import Settings, keep_settings
from recipe_tapo.engine.search_path import config_source
from recipe_tapo.errors import InputError

SETTINGS = Settings(regime="demo", steps=2, test_freq=1)


def names(plan):
    return [run.folder(Path()).name for run in plan]


def test_every_engine_arm_has_its_yaml_and_every_yaml_its_arm():
    folder = Path(config_source().removeprefix("file://")) / "arm"
    assert {arm.config for arm in ARMS.values() if arm.kind == "engine"} == {
        path.stem for path in folder.glob("*.yaml")
    }


def test_seeds_come_one_after_the_other_so_that_all_arms_are_compared_early(tmp_path):
    plan = make_plan(find_arms(["sft", "wo_ots", "grpo", "tapo", "cold_start"]), [0, 1], [0, 1], tmp_path)
    assert names(plan)[:5] == ["cold_start-seed0", "grpo-seed0-0", "tapo-seed0-0", "sft-seed0-0", "wo_ots-seed0-0"]
    assert names(plan)[5:7] == ["cold_start-seed1", "grpo-seed1-0"]
    # A starting model has no RL seed, so it comes once per cold start: 2 + 4 arms × 2 × 2.
    assert len(plan) == 2 + 16
    assert len(set(plan)) == len(plan)


def test_sft_needs_the_constructions_it_learns(tmp_path):
    with pytest.raises(InputError, match="add tapo to --arms"):
        make_plan(find_arms(["sft"]), [0], [0], tmp_path)
    folder = StudyRun(ARMS["tapo"], 0, 0).folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "record.json").write_text("{}")
    assert names(make_plan(find_arms(["sft"]), [0], [0], tmp_path)) == ["sft-seed0-0"]


def test_an_unknown_arm_is_named_with_those_there_are():
    with pytest.raises(InputError, match=r"--arms tapoo: no such arm; known are cold_start, grpo, tapo,"):
        find_arms(["grpo", "tapoo"])


def test_presets_name_arms_that_exist():
    for preset in PRESETS.values():
        assert len(find_arms(list(preset.arms))) == len(preset.arms)


def test_a_folder_holds_runs_of_one_setting_only(tmp_path):
    keep_settings(tmp_path, SETTINGS)
    keep_settings(tmp_path, SETTINGS)
    with pytest.raises(InputError, match="holds runs with steps=2, not 3; give --steps 2 or another --output_dir"):
        keep_settings(tmp_path, Settings(regime="demo", steps=3, test_freq=1))


def test_arms_of_a_seed_differ_in_nothing_but_the_arm(tmp_path):
    def words(name):
        run = StudyRun(ARMS[name], 0, 7)
        return rl_arm.arm_command(run, SETTINGS, tmp_path / "model", tmp_path / "data", tmp_path / "run")

    grpo, tapo = words("grpo"), words("tapo")
    assert [pair for pair in zip(grpo, tapo, strict=True) if pair[0] != pair[1]] == [("+arm=grpo", "+arm=tapo")]
    seeds = [word for word in grpo if word.endswith("seed=7")]
    assert len(seeds) == 4  # questions, sampling, mini-batches, selection


def test_sft_learns_right_constructions_for_as_many_steps_at_the_same_rate(tmp_path):
    import verl  # noqa: F401  loads the plug-in
    from hydra import compose, initialize_config_module

    attempts = [{"question": "1+1", "reconstruction": "2", "right": True}] * 3
    attempts += [{"question": "1+2", "reconstruction": "4", "right": False}, {"question": "1+3", "right": None}]
    dump = tmp_path / "dump"
    dump.mkdir()
    (dump / "1-a.jsonl").write_text("".join(json.dumps(attempt) + "\n" for attempt in attempts))
    count = sft_arm.write_examples(dump, tmp_path / "examples.parquet")
    messages = [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}]
    assert pq.read_table(tmp_path / "examples.parquet").to_pylist() == [{"messages": messages}] * 3
    command = sft_arm.sft_command(SETTINGS, tmp_path / "model", tmp_path / "examples.parquet", count, tmp_path / "run")
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("sft_trainer_engine", overrides=command[command.index("verl.trainer.sft_trainer") + 1 :])
    assert (config.trainer.total_training_steps, config.optim.lr) == (SETTINGS.steps, SETTINGS.learning_rate)
    assert config.data.train_batch_size == 3  # not more than there are
    (dump / "1-a.jsonl").write_text("")
    with pytest.raises(InputError, match="no right construction to learn"):
        sft_arm.write_examples(dump, tmp_path / "examples.parquet")


@pytest.fixture
def stand_ins(monkeypatch, tmp_path):
    """Training writes a log of two steps, measuring gives fixed numbers; both are counted."""
    calls = []

    def train(run, settings, model, questions, folder, watch):
        calls.append(("train", run.arm.name, run.seed))
        assert sorted(path.name for path in folder.iterdir()) == []
        log = [
            {"step": step, "data": {"training/global_step": step, "timing_s/step": 5.0, "critic/score/mean": 0.5}}
            for step in (1, 2)
        ]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log))
        watch()

    def evaluate(model, questions, max_tokens):
        calls.append(("measure", model.name))
        return held_out.HeldOut(10, 8, 0.5, 0.4, {"1": 0.4, "8": 0.9}, 30.0, 0.2)

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
    (whole / "trained").write_text("12.5\n")
    run_study(tmp_path / "study", *TWO_ARMS)
    assert trained(stand_ins) == [("grpo", 0)]
    assert json.loads((whole / "record.json").read_text())["training_s"] == 12.5


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


def test_a_training_that_fails_names_its_log_and_shows_its_end(tmp_path):
    with pytest.raises(TrainingFailed) as failure:
        run_training([sys.executable, "-c", "print('the reason'); raise SystemExit(3)"], tmp_path)
    assert "exit code 3" in str(failure.value)
    assert str(tmp_path / "train.log") in str(failure.value)
    assert "the reason" in str(failure.value)


def test_an_interrupted_training_ends_with_its_children(tmp_path):
    code = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
time.sleep(60)
"""

    def interrupt():
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_training([sys.executable, "-c", code], tmp_path, interrupt)
    child = Path("/proc") / (tmp_path / "pid").read_text()
    for _ in range(50):
        if not child.exists() or "State:\tZ" in (child / "status").read_text():
            return
        time.sleep(0.1)
    pytest.fail("the child lives on")


def test_the_time_left_is_learned_from_runs_of_the_same_kind():
    estimator = Estimator(steps=40)
    runs = [StudyRun(ARMS["grpo"], 0, 0), StudyRun(ARMS["tapo"], 0, 0), StudyRun(ARMS["cold_start"], 0, None)]
    assert estimator.left(runs) == pytest.approx(2 * (130 + 40 * 6) + 20)
    estimator.saw("engine", 300)
    estimator.saw("engine", 400)
    assert estimator.left(runs) == pytest.approx(2 * 350 + 20)
    assert [minutes(seconds) for seconds in (45, 720, 11_100)] == ["45 s", "12 min", "3 h 05"]
