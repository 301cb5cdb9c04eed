"""The study's plan, the commands of its arms, and the time they take."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from examples.study import rl_arm, sft_arm
from examples.study.__main__ import make_estimator
from examples.study.arms import ARMS, ARMS_OF, CONTINUATION_ARMS, WRITTEN_ANEW, find_arms
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
    studied = {arm.config for arm in ARMS.values() if arm.kind == "engine"}
    assert studied == {path.stem for path in folder.glob("*.yaml")}


def test_a_regime_has_the_arms_whose_prompts_its_models_know():
    assert set(ARMS_OF["study"]) == set(ARMS) - {*CONTINUATION_ARMS, WRITTEN_ANEW}
    assert set(CONTINUATION_ARMS) < set(ARMS_OF["inverses"])
    # One cold start for all arms: none has one of its own.
    assert {ARMS[name].start for name in ARMS_OF["inverses"]} == {"cold_start"}


def test_an_arm_without_a_yaml_of_its_own_says_what_it_changes(tmp_path):
    run = StudyRun(ARMS["continuation_mask_prefix_joint"], 0, 7)
    command = rl_arm.arm_command(run, SETTINGS, tmp_path / "model", tmp_path / "data", tmp_path / "run")
    assert "+arm=continuation" in command
    assert command[-2:] == ["tapo.mask=prefix", "tapo.loss_normalization=joint"]


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
    with pytest.raises(InputError, match="of tapo-seed0-0 only the result is here, not what it constructed"):
        make_plan(find_arms(["sft", "tapo"]), [0], [0], tmp_path)
    (folder / "dump").mkdir()
    assert names(make_plan(find_arms(["sft"]), [0], [0], tmp_path)) == ["sft-seed0-0"]


def test_an_unknown_arm_is_named_with_those_there_are():
    with pytest.raises(InputError, match=r"--arms tapoo: no such arm; known are cold_start, grpo, tapo,"):
        find_arms(["grpo", "tapoo"])


def test_presets_name_arms_that_exist():
    for preset in PRESETS.values():
        for regime in ("study", "inverses", "demo"):
            assert len(find_arms(list(preset.arms_of(regime)))) == len(preset.arms_of(regime))


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


def test_runs_that_shared_the_machine_count_for_their_share(tmp_path):
    for name, jobs, seconds in (("grpo", 1, 300), ("tapo", 2, 800)):
        folder = StudyRun(ARMS[name], 0, 0).folder(tmp_path)
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps({"arm": name, "jobs": jobs, "training_s": seconds}))
    # One run alone takes (300 + 800 / 2) / 2 seconds; of four at a time each takes four times that.
    assert make_estimator(tmp_path, SETTINGS, 1).seconds("engine") == 350
    assert make_estimator(tmp_path, SETTINGS, 4).seconds("engine") == 1400


def test_the_time_left_is_learned_from_runs_of_the_same_kind():
    estimator = Estimator(steps=40)
    runs = [StudyRun(ARMS["grpo"], 0, 0), StudyRun(ARMS["tapo"], 0, 0), StudyRun(ARMS["cold_start"], 0, None)]
    assert estimator.left(runs) == pytest.approx(2 * (130 + 40 * 6) + 20)
    estimator.saw("engine", 300)
    estimator.saw("engine", 400)
    assert estimator.left(runs) == pytest.approx(2 * 350 + 20)
    assert [minutes(seconds) for seconds in (45, 720, 11_100)] == ["45 s", "12 min", "3 h 05"]
