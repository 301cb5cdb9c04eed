"""A configuration file of the user's own beside the recipe: the file's settings hold, or the run says why not."""

import shutil
from pathlib import Path

import pytest
import verl.trainer
from hydra_runs import start
from omegaconf import OmegaConf

from recipe_tapo.engine.own_settings import check_own_settings

OWN = """
hydra:
  searchpath: [pkg://verl.trainer.config]
defaults:
  - ppo_trainer
{recipe}  - _self_
actor_rollout_ref:
  rollout:
    n: 16
trainer:
  total_epochs: 3
"""
CPUS = "ray_kwargs.ray_init.num_cpus=64"


def own_file(folder, text=OWN, recipe=""):
    (folder / "mine.yaml").write_text(text.format(recipe=recipe))
    return f"--config-dir={folder}", "--config-name=mine", CPUS


def test_what_the_recipe_would_take_back_ends_the_run(monkeypatch, tmp_path):
    with pytest.raises(SystemExit) as ended:
        start(monkeypatch, tmp_path, *own_file(tmp_path), "+recipe=tapo")
    assert str(ended.value) == (
        "TAPO: actor_rollout_ref.rollout.n=16: mine.yaml says so, and +recipe=tapo, which Hydra reads after it, makes "
        "it 8; write '- recipe: tapo' before '- _self_' in the defaults of mine.yaml instead of +recipe=tapo"
    )


def test_the_recipe_among_the_files_own_defaults_lets_the_file_win(monkeypatch, tmp_path):
    config = start(monkeypatch, tmp_path, *own_file(tmp_path, recipe="  - recipe: tapo\n"))
    assert (config.actor_rollout_ref.rollout.n, config.trainer.total_epochs) == (16, 3)
    assert config.trainer.v1.trainer_mode == "tapo"


@pytest.mark.parametrize("said", ["actor_rollout_ref.rollout.n=12", "++actor_rollout_ref.rollout.n=12"])
def test_what_the_command_line_says_needs_no_file(monkeypatch, tmp_path, said):
    config = start(monkeypatch, tmp_path, *own_file(tmp_path), "+recipe=tapo", said)
    assert config.actor_rollout_ref.rollout.n == 12


def test_what_must_be_the_recipes_is_taken_from_it(monkeypatch, tmp_path):
    text = (
        OWN.replace("    n: 16\n", "    n: 8\n") + "  v1:\n    trainer_mode: sync\nalgorithm:\n  adv_estimator: grpo\n"
    )
    config = start(monkeypatch, tmp_path, *own_file(tmp_path, text), "+recipe=tapo")
    assert (config.algorithm.adv_estimator, config.trainer.v1.trainer_mode) == ("tapo", "tapo")


def test_another_of_tapos_trainers_in_the_file_is_meant(monkeypatch, tmp_path):
    text = OWN + "  v1:\n    trainer_mode: tapo_colocate_async\n"
    with pytest.raises(SystemExit, match="trainer_mode=tapo_colocate_async: mine"):
        start(monkeypatch, tmp_path, *own_file(tmp_path, text.replace("n: 16", "n: 8")), "+recipe=tapo")


def test_verls_own_file_is_known_behind_a_link(tmp_path):
    (tmp_path / "verl").symlink_to(Path(verl.trainer.__path__[0]))
    sources = [{"path": str(tmp_path / "verl" / "config"), "schema": "file", "provider": "main"}]
    hydra = {"job": {"config_name": "ppo_trainer"}, "overrides": {"task": ["+recipe=tapo"]}}
    check_own_settings(OmegaConf.create({"hydra": {**hydra, "runtime": {"config_sources": sources}}}))


def test_a_file_that_sets_nothing_of_the_recipes_goes_with_it(monkeypatch, tmp_path):
    text = OWN.replace("    n: 16\n", "    n: 8\n")
    assert start(monkeypatch, tmp_path, *own_file(tmp_path, text), "+recipe=tapo").trainer.total_epochs == 3


GROUP = "# @package _global_\nactor_rollout_ref:\n  rollout:\n    n: 16\n"


def group(folder, text=GROUP, name="experiment"):
    (folder / name).mkdir(parents=True)
    (folder / name / "big.yaml").write_text(text)
    return f"--config-dir={folder}", CPUS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("experiment", GROUP),
        ("experiment", "# @package actor_rollout_ref\nrollout:\n  n: 16\n"),
        ("actor_rollout_ref/size", "# @package actor_rollout_ref.rollout\nn: 16\n"),
    ],
)
def test_a_group_of_the_users_holds_behind_the_recipe_and_is_refused_before_it(monkeypatch, tmp_path, name, text):
    flags = group(tmp_path, text, name)
    assert start(monkeypatch, tmp_path, *flags, "+recipe=tapo", f"+{name}=big").actor_rollout_ref.rollout.n == 16
    with pytest.raises(SystemExit) as ended:
        start(monkeypatch, tmp_path, *flags, f"+{name}=big", "+recipe=tapo")
    assert str(ended.value) == (
        "TAPO: actor_rollout_ref.rollout.n=16: big.yaml says so, and +recipe=tapo, which Hydra reads after it, makes "
        f"it 8; write +{name}=big after +recipe=tapo"
    )


def test_a_group_that_sets_nothing_of_the_recipes_may_stand_before_it(monkeypatch, tmp_path):
    flags = group(tmp_path, GROUP.replace("16", "8") + "trainer:\n  total_epochs: 3\n")
    assert start(monkeypatch, tmp_path, *flags, "+experiment=big", "+recipe=tapo").trainer.total_epochs == 3


def test_a_group_among_the_own_files_defaults_is_looked_at_too(monkeypatch, tmp_path):
    group(tmp_path)
    text = OWN.replace("    n: 16\n", "    n: 8\n").replace("{recipe}", "  - experiment: big\n")
    text = text.replace("  - experiment: big\n  - _self_\n", "  - _self_\n  - experiment: big\n")
    with pytest.raises(SystemExit, match=r"n=16: big.yaml .* before '- experiment: big' in the defaults of mine.yaml"):
        start(monkeypatch, tmp_path, *own_file(tmp_path, text), "+recipe=tapo")


def test_a_copy_of_verls_files_says_what_was_changed_in_it(monkeypatch, tmp_path):
    copy = tmp_path / "copied"
    shutil.copytree(Path(verl.trainer.__path__[0]) / "config", copy)
    flags = f"--config-dir={copy}", "--config-name=ppo_trainer", CPUS
    assert start(monkeypatch, tmp_path, *flags, "+recipe=tapo").actor_rollout_ref.rollout.n == 8
    rollout = copy / "rollout" / "rollout.yaml"
    text = rollout.read_text()
    assert text.count("\nn: 1\n") == 1
    rollout.write_text(text.replace("\nn: 1\n", "\nn: 16\n"))
    with pytest.raises(SystemExit, match=r"rollout\.n=16: rollout\.yaml says so"):
        start(monkeypatch, tmp_path, *flags, "+recipe=tapo")
