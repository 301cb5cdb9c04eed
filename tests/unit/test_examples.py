"""Every shell example's command composes and passes verl's and TAPO's validation."""

import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "examples").glob("run_*.sh"))


def overrides_of(script: Path, tmp_path: Path, *arguments: str) -> list[str]:
    """Runs the script with a python that only notes its arguments."""
    recorder = tmp_path / "python"
    recorder.write_text('#!/usr/bin/env bash\nprintf "%s\\0" "$@" > "$RECORD.$2"\n')
    recorder.chmod(recorder.stat().st_mode | stat.S_IEXEC)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHON": str(recorder),
        "RECORD": str(tmp_path / "record"),
        "OUT": str(tmp_path / "out"),
    }
    subprocess.run(["bash", str(script), *arguments], check=True, env=environment, capture_output=True, cwd=tmp_path)
    recorded = (tmp_path / "record.verl.trainer.main_ppo").read_text().split("\0")
    return [argument for argument in recorded[2:] if argument]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_command_composes_and_passes_both_validations(script, tmp_path):
    import verl  # noqa: F401  loads the plug-in
    from verl.utils.config import validate_config

    from recipe_tapo.verl_config import check_config

    overrides = overrides_of(script, tmp_path, "tapo.seed=7")
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("ppo_trainer", overrides=overrides)
    validate_config(config=config, use_reference_policy=False, use_critic=False)
    tapo = check_config(config)
    assert tapo.seed == 7  # arguments of the script reach the command
    assert tapo.enable == ("grpo" not in script.name), shlex.join(overrides)
