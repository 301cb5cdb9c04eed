"""Starts verl's configuration through ``hydra.main`` in this process, callbacks and all, with no training behind it."""

import sys

import hydra
from omegaconf import DictConfig


def start(monkeypatch, tmp_path, *overrides: str) -> DictConfig:
    """What verl's main function would be called with; SystemExit where a callback ends the run before."""
    started = []
    quiet = ("hydra/job_logging=disabled", "hydra/hydra_logging=disabled", "hydra.output_subdir=null")
    monkeypatch.setattr(sys, "argv", ["main", *overrides, *quiet, f"hydra.run.dir={tmp_path}"])
    hydra.main(config_path="pkg://verl.trainer.config", config_name="ppo_trainer", version_base=None)(started.append)()
    (config,) = started
    return config
