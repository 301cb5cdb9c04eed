"""Every shell example's command composes and passes verl's and TAPO's validation."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from recorded_scripts import recorded_arguments

ROOT = Path(__file__).resolve().parents[3]
COLD_START = ROOT / "examples" / "run_cold_start_sft.sh"
SCRIPTS = sorted(set((ROOT / "examples").glob("run_*.sh")) - {COLD_START})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_command_composes_and_passes_both_validations(script, tmp_path):
    import verl  # noqa: F401  loads the plug-in
    from verl.utils.config import validate_config

    from recipe_tapo.engine.verl_config import check_config

    overrides = recorded_arguments(script, tmp_path, "verl.trainer.main_ppo", "tapo.seed=7")
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("ppo_trainer", overrides=overrides)
    validate_config(config=config, use_reference_policy=False, use_critic=False)
    tapo = check_config(config)
    assert tapo.seed == 7  # arguments of the script reach the command
    assert tapo.enable == ("grpo" not in script.name), shlex.join(overrides)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_paths_may_hold_what_hydra_stumbles_over(script, tmp_path):
    import verl  # noqa: F401  loads the plug-in

    place = tmp_path / "müller, lr=1e-6 [a]"
    place.mkdir()
    variables = {
        "OUT": str(place / "out"),
        "MODEL": str(place / "step=500"),
        "TRAIN_FILE": str(place / "t.parquet"),
        "HOME": str(place),
    }
    overrides = recorded_arguments(script, tmp_path, "verl.trainer.main_ppo", **variables)
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("ppo_trainer", overrides=overrides)
    assert config.trainer.default_local_dir == str(place / "out" / "checkpoints")
    if script.name != "run_cpu_tiny.sh":
        assert config.actor_rollout_ref.model.path == variables["MODEL"]
        assert config.data.train_files == variables["TRAIN_FILE"]
        assert list(config.data.val_files) == [f"{place}/data/tapo/aime_{year}.parquet" for year in (2024, 2025)]
        logger = config.ray_kwargs.ray_init.runtime_env.env_vars.VERL_FILE_LOGGER_PATH
        assert logger == str(place / "out" / "metrics-from-step-0.jsonl")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_relative_folder_is_the_callers(script, tmp_path):
    arguments = recorded_arguments(script, tmp_path, "verl.trainer.main_ppo", OUT="outputs/mine")
    assert f"trainer.default_local_dir='{tmp_path}/outputs/mine/checkpoints'" in arguments


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
@pytest.mark.parametrize(
    ("arguments", "variables", "steps"),
    [([], {"STEPS": "7"}, 7), (["trainer.total_training_steps=601"], {}, 601)],
    ids=["variable", "argument"],
)
def test_the_steps_alone_end_a_run_with_checkpoint_and_validation(script, tmp_path, arguments, variables, steps):
    import verl  # noqa: F401  loads the plug-in

    overrides = recorded_arguments(script, tmp_path, "verl.trainer.main_ppo", *arguments, **variables)
    with initialize_config_module("verl.trainer.config", version_base=None):
        trainer = compose("ppo_trainer", overrides=overrides).trainer
    # verl stops at the first of the two: at least one step an epoch makes it the steps, however few the data are.
    assert trainer.total_training_steps == trainer.total_epochs == steps
    # Behind its last step, of any number, verl saves and validates where it ever does.
    assert trainer.save_freq > 0 and trainer.test_freq > 0


@pytest.fixture
def trained(tmp_path):
    """What a finished training and its merger leave, which the recorded commands do not write."""
    (tmp_path / "out" / "checkpoints").mkdir(parents=True)
    (tmp_path / "out" / "checkpoints" / "latest_checkpointed_iteration.txt").write_text("527")
    (tmp_path / "mv").write_text("#!/bin/sh\n")
    (tmp_path / "mv").chmod(0o755)
    return tmp_path


def test_the_cold_start_trains_with_the_papers_settings(trained):
    import verl  # noqa: F401  loads the plug-in

    arguments = recorded_arguments(COLD_START, trained, "torch.distributed.run", "trainer.project_name=mine")
    overrides = arguments[arguments.index("recipe_tapo.engine.sft_trainer") + 1 :]
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("sft_trainer_engine", overrides=overrides)
    assert (config.optim.lr, config.optim.lr_warmup_steps, config.optim.lr_scheduler_type) == (5e-6, 50, "cosine")
    assert config.trainer.total_epochs == 3
    # With 1, verl removes the last checkpoint before the tracker names the new one.
    assert config.trainer.max_ckpt_to_keep == 2
    assert config.data.train_files == str(trained / "out" / "data" / "cold_start.parquet")
    assert config.data.apply_chat_template_kwargs == {"enable_thinking": False}
    assert config.trainer.project_name == "mine"
    merger = recorded_arguments(COLD_START, trained, "verl.model_merger")
    assert merger[merger.index("--local_dir") + 1] == str(trained / "out" / "checkpoints" / "global_step_527")


@pytest.mark.parametrize("override", ["model.lora_rank=8", "model.lora_adapter_path=adapter"])
def test_the_cold_start_refuses_an_adapter_which_the_merger_would_leave_out(trained, override):
    with pytest.raises(subprocess.CalledProcessError):
        recorded_arguments(COLD_START, trained, "torch.distributed.run", override)
    assert not list(trained.glob("record.*"))


def test_the_cold_start_builds_its_rows_with_the_trainings_settings(trained):
    from data_prep.cold_start import parse_args

    arguments = recorded_arguments(COLD_START, trained, "data_prep.cold_start", BUILD="--n 4 --fill_up")
    args = parse_args(arguments)
    assert (args.sft_size, args.ift_size, args.n, args.fill_up) == (30000, 15000, 4, True)
    assert args.chat_template_kwargs == {"enable_thinking": False}
    assert args.max_row_tokens == 16384
    (trained / "record.data_prep.cold_start").unlink()
    training = recorded_arguments(COLD_START, trained, "torch.distributed.run", TRAIN_FILE="mine.parquet")
    assert "data.train_files='mine.parquet'" in training
    assert not (trained / "record.data_prep.cold_start").exists()


def test_a_start_sets_aside_what_a_run_trained_anew_wrote_behind_it(tmp_path):
    for step in (0, 10, 20):
        (tmp_path / f"metrics-from-step-{step}.jsonl").write_text("{}\n")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "latest_checkpointed_iteration.txt").write_text("10")
    script = f'set -euo pipefail; source {ROOT}/examples/runs/metrics_file.sh; echo "$VERL_FILE_LOGGER_PATH"'
    environment = {"PATH": os.environ["PATH"], "OUT": str(tmp_path)}
    printed = subprocess.run(["bash", "-c", script], env=environment, check=True, capture_output=True, text=True).stdout
    assert printed.strip() == str(tmp_path / "metrics-from-step-10.jsonl")
    assert {path.name for path in tmp_path.glob("metrics*")} == {
        "metrics-from-step-0.jsonl",
        "metrics-from-step-10.jsonl",
        "metrics-from-step-20.jsonl.replaced",
    }
