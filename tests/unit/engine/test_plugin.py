"""The plug-in in verl: Hydra recipes, what a command line asks for, contract, the check command."""

import logging
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_module
from hydra_runs import start
from omegaconf import OmegaConf

from recipe_tapo import plugin
from recipe_tapo.config import TapoConfig
from recipe_tapo.engine import doctor
from recipe_tapo.engine.contract import SYMBOLS
from recipe_tapo.engine.names import RUN_VARIABLE
from recipe_tapo.engine.verl_config import check_config

DATA = [
    "actor_rollout_ref.model.path=/model",
    "data.train_files=train.parquet",
    "data.val_files=val.parquet",
    "actor_rollout_ref.actor.use_dynamic_bsz=true",
]


def composed(*overrides):
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("ppo_trainer", overrides=[*overrides, *DATA])


@pytest.mark.parametrize("symbol", SYMBOLS, ids=lambda symbol: symbol.path)
def test_verl_has_what_we_rely_on(symbol):
    assert symbol.problem() is None


def test_a_symbol_that_is_gone_or_has_changed_is_noticed():
    from recipe_tapo.engine.symbol import Symbol

    assert "is gone" in Symbol("verl.trainer.ppo.core_algos:no_such_function").problem()
    assert "is gone" in Symbol("verl.no_such_module:x").problem()
    assert "no longer takes colour" in Symbol("verl.trainer.ppo.core_algos:agg_loss", ("colour",)).problem()
    keys = Symbol("verl.trainer.ppo.v1.replay_buffer:ReplayBuffer", source='key.split("/")[0]')
    assert keys.problem() == 'no longer says key.split("/")[0]'


def test_estimators_loss_and_trainer_are_registered():
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn, get_policy_loss_fn
    from verl.trainer.ppo.v1 import get_trainer_cls

    from recipe_tapo.engine.registry import compute_policy_loss_tapo
    from recipe_tapo.engine.trainer import TapoTrainer

    for name in ("tapo", "tapo_joint", "tapo_anchored"):
        assert callable(get_adv_estimator_fn(name))
    assert get_policy_loss_fn("tapo") is compute_policy_loss_tapo
    assert get_trainer_cls("tapo") is TapoTrainer


@pytest.mark.parametrize("recipe", ["tapo", "[tapo,cpu]"])
def test_the_recipe_composes_passes_both_validations_and_states_every_default(recipe):
    from verl.utils.config import validate_config

    config = composed(f"+recipe={recipe}")
    validate_config(config=config, use_reference_policy=False, use_critic=False)
    assert check_config(config) == TapoConfig()
    defaults = TapoConfig().model_dump()
    defaults["synthesis"] |= {"tries": None, "sibling": None, "answer_check": None}  # what the mode needs
    assert OmegaConf.to_container(config.tapo) == defaults  # nothing hidden from --cfg job


def test_the_cpu_recipe_stands_alone_for_plain_grpo():
    from verl.utils.config import validate_config

    config = composed("+recipe=cpu", "algorithm.adv_estimator=grpo", "actor_rollout_ref.rollout.n=4")
    validate_config(config=config, use_reference_policy=False, use_critic=False)
    assert config.trainer.device == "cpu"
    assert config.trainer.v1.trainer_mode == "sync"
    assert "tapo" not in config


def test_the_cpu_recipe_is_empty_where_there_is_an_accelerator(monkeypatch):
    monkeypatch.setattr("recipe_tapo.engine.search_path.accelerator_present", lambda: True)
    assert composed("+recipe=cpu") == composed()


def test_command_line_overrides_win():
    config = composed("+recipe=tapo", "tapo.selection.n_neg=5", "actor_rollout_ref.rollout.n=16")
    assert (config.tapo.selection.n_neg, config.actor_rollout_ref.rollout.n) == (5, 16)


def test_a_bad_value_ends_the_run_in_one_line_before_verls_main_function(monkeypatch, tmp_path):
    with pytest.raises(SystemExit) as error:
        start(monkeypatch, tmp_path, "+recipe=tapo", "tapo.selection.n_neg=7", *DATA)
    assert str(error.value).startswith("TAPO: actor_rollout_ref.rollout.n=8: no group of so few rollouts can be")
    assert "\n" not in str(error.value)


def test_a_value_that_cannot_be_read_ends_the_run_too_although_hydra_only_warns(monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit, match="the configuration could not be checked"):
        start(monkeypatch, tmp_path, "+recipe=tapo", "tapo.seed=${no.such.key}", *DATA)
    assert "InterpolationKeyError" in capsys.readouterr().err


def test_a_sound_configuration_reaches_verls_main_function(monkeypatch, tmp_path):
    assert (
        start(monkeypatch, tmp_path, "+recipe=tapo", "tapo.seed=3", "ray_kwargs.ray_init.num_cpus=64", *DATA).tapo.seed
        == 3
    )


def test_every_process_of_a_run_is_told_so_through_verls_own_runtime_environment(monkeypatch):
    import ray
    from verl.trainer import main_ppo

    given = {}

    def init(**arguments):
        given.update(arguments)
        raise InterruptedError

    monkeypatch.setattr(ray, "init", init)
    own = "++ray_kwargs.ray_init.runtime_env.env_vars.MINE=yes"
    with pytest.raises(InterruptedError):
        main_ppo.run_ppo(composed("+recipe=tapo", own), task_runner_class=None)
    variables = given["runtime_env"]["env_vars"]
    assert plugin.RUN_VARIABLE == RUN_VARIABLE
    assert (variables[RUN_VARIABLE], variables["MINE"]) == ("1", "yes")
    assert variables["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "true"  # verl's own stay


SOCKET = ["its weight-sync socket"] * 2
CPU = ["the CPU platform", "its offloading", *SOCKET]


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ("", {}, []),
        ("trainer.n_gpus_per_node=8 --cfg job data.train_files=recipe=.parquet", {"VERL_PLATFORM": "nvidia"}, []),
        ("+recipe=tapo", {}, ["+recipe=tapo"]),
        ("a=b ++recipe=[tapo,cpu]", {}, ["+recipe=tapo"]),
        ("recipe@_global_=tapo", {}, ["+recipe=tapo"]),
        ("+arm=wo_ots", {}, ["+recipe=tapo"]),
        ("--config-name mine", {}, ["+recipe=tapo"]),
        ("--config-dir=/mine", {}, ["+recipe=tapo"]),
        ("-cp /mine", {}, ["+recipe=tapo"]),
        ("", {"RECIPE_TAPO": "0"}, []),
        ("", {"RECIPE_TAPO": "1"}, ["the trainer", *SOCKET]),
        ("", {"VERL_PLATFORM": " CPU "}, CPU),
        ("+recipe=cpu", {"VERL_PLATFORM": "cpu"}, ["+recipe=tapo", *CPU]),
    ],
)
def test_the_command_line_and_the_environment_say_what_a_process_asks_for(
    arguments, environment, expected, monkeypatch
):
    done = []
    monkeypatch.setattr(plugin, "_attempt", lambda purpose, action: done.append(purpose))
    monkeypatch.setattr(plugin, "_when_imported", lambda module, purpose, action: done.append(purpose))
    plugin.set_up(arguments.split(), environment)
    assert done == expected


@pytest.mark.parametrize(
    "given", [None, "auto", " AUTO ", "tapo", "other, Tapo ,", "", "none", " None", "other", "tapo2"]
)
def test_the_check_reads_the_switch_of_plugins_as_verl_does(given, monkeypatch):
    import verl

    loaded = []
    entry_point = SimpleNamespace(name="tapo", value="recipe_tapo.plugin", load=lambda: loaded.append("tapo"))
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [entry_point])
    monkeypatch.setattr(doctor, "entry_points", lambda group: [entry_point])
    if given is None:
        monkeypatch.delenv("VERL_USE_EXTERNAL_PLUGINS", raising=False)
    else:
        monkeypatch.setenv("VERL_USE_EXTERNAL_PLUGINS", given)
    lines = Path(verl.__file__).read_text().split("\n\n")
    (of_plugins,) = (block for block in lines if "VERL_USE_EXTERNAL_PLUGINS" in block)
    start = lines.index(of_plugins)
    exec("\n\n".join(lines[start : start + 3]), {"os": os, "logging": logging})
    ((status, _, _),) = doctor.verl_entry_point()
    assert (status == "ok") == bool(loaded)


def test_the_check_compares_versions_with_what_the_installation_requires(monkeypatch):
    found = {"verl": "0.10.0", "torch": "2.13.0+cpu", "math-verify": "0.9.0"}

    def version(name):
        if name not in found:
            raise PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(doctor, "version", version)
    status = {what: (status, said) for status, what, said in doctor.versions()}
    assert status["verl"][0] == "BAD" and "0.10.0 is outside" in status["verl"][1]
    assert status["TransferQueue"] == ("BAD", "not installed; pip install 'TransferQueue==0.1.11'")
    assert status["torch"][0] == status["math-verify"][0] == "ok"


def test_the_check_command_finds_everything_here():
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "recipe_tapo", "check", "-q"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout
    assert "Everything TAPO needs is here." in result.stdout


def test_the_check_command_names_what_is_wrong(monkeypatch, capsys):
    from recipe_tapo.engine import doctor

    monkeypatch.setenv("VERL_USE_EXTERNAL_PLUGINS", "none")
    monkeypatch.setattr(doctor, "CHECKS", (doctor.verl_entry_point, doctor.search_path))
    assert doctor.run(quiet=True) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "switched off by VERL_USE_EXTERNAL_PLUGINS=none; unset it" in said
    assert "verl would train without TAPO" in said
