"""Starts verl's real engine as a user does, in a process of its own, and reads what it leaves."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "examples" / "cpu_demo" / "checkpoint"
TIMEOUT_S = 900


class Run:
    """One training run in a directory; metrics by step, rows of rollout dumps, the log."""

    def __init__(self, directory: Path, name: str):
        self.directory = directory
        self.name = name
        directory.mkdir(parents=True, exist_ok=True)

    def start(self, data: Path, *overrides: str, timeout: float = TIMEOUT_S) -> None:
        """Trains to the end."""
        process = self._launch(data, overrides)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        assert code == 0, "\n".join(self.log().splitlines()[-60:])

    def start_and_kill(self, data: Path, *overrides: str, checkpoint: int, timeout: float = TIMEOUT_S) -> None:
        """Trains until the step of a checkpoint has been logged, then kills the run without a word."""
        process = self._launch(data, overrides)
        deadline = time.monotonic() + timeout
        try:
            while not (self.path("jsonl").exists() and checkpoint in self.metrics()):
                assert process.poll() is None, "\n".join(self.log().splitlines()[-60:])
                assert time.monotonic() < deadline, "no checkpoint in time"
                time.sleep(0.5)
        finally:
            process.kill()
            process.wait()

    def _launch(self, data: Path, overrides: tuple[str, ...]) -> subprocess.Popen:
        """Trains on four questions a step; the run's name keeps several processes of one directory apart."""
        command = [
            *(sys.executable, "-m", "verl.trainer.main_ppo"),
            f"actor_rollout_ref.model.path={CHECKPOINT}",
            f"data.train_files={data}/train.parquet",
            f"data.val_files={data}/val.parquet",
            *("data.train_batch_size=4", "data.max_prompt_length=32", "data.max_response_length=64"),
            "data.shuffle=false",
            *("actor_rollout_ref.rollout.n=8", "actor_rollout_ref.actor.optim.lr=1e-4"),
            *("actor_rollout_ref.actor.use_dynamic_bsz=true", "actor_rollout_ref.actor.ppo_max_token_len_per_gpu=1024"),
            *("trainer.logger=[file]", "trainer.val_before_train=false", "trainer.test_freq=-1"),
            *("trainer.project_name=e2e", "trainer.experiment_name=e2e"),
            f"trainer.default_local_dir={self.directory}/checkpoints",
            f"trainer.rollout_data_dir={self.directory}/rows",
            f"hydra.run.dir={self.directory}/hydra",
            *overrides,
        ]
        environment = {**os.environ, "VERL_FILE_LOGGER_PATH": str(self.path("jsonl")), "PYTHONWARNINGS": "ignore"}
        with open(self.path("log"), "wb") as log:
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.directory, env=environment)

    def path(self, suffix: str) -> Path:
        return self.directory / f"{self.name}.{suffix}"

    def log(self) -> str:
        return self.path("log").read_text(errors="replace")

    def metrics(self) -> dict[int, dict[str, float]]:
        lines = self.path("jsonl").read_text().splitlines()
        return {entry["step"]: entry["data"] for entry in map(json.loads, lines)}

    def rows(self, step: int) -> list[tuple[str, str, float]]:
        lines = (self.directory / "rows" / f"{step}.jsonl").read_text().splitlines()
        rows = [(row["input"], row["output"], row["score"]) for row in map(json.loads, lines)]
        return sorted(row for row in rows if row[0])  # padding rows decode to nothing


def plain_and_switched_off(directory: Path, data: Path, *overrides: str) -> tuple[Run, Run]:
    """Two steps of verl's own GRPO; then of TAPO, switched off, on the rollouts that the first run saved."""
    common = (
        *("trainer.total_training_steps=2", "skip.rollout_tq.enable=true", "skip.rollout_tq.steps=[1,2]"),
        f"skip.rollout_tq.dump_dir={directory}/rollouts",
        # One mini-batch: how rows are dealt to several depends on the order in which rollouts arrived.
        "actor_rollout_ref.actor.ppo_mini_batch_size=4",
        f"reward.custom_reward_function.path={ROOT}/recipe_tapo/reward.py",
        *overrides,
    )
    plain = Run(directory / "plain", "grpo")
    plain.start(data, "+recipe=cpu", "algorithm.adv_estimator=grpo", *common)
    off = Run(directory / "off", "off")
    off.start(data, "+recipe=[tapo,cpu]", "tapo.enable=false", *common)
    return plain, off


def adam_steps(checkpoint: Path) -> set[int]:
    """How many optimizer steps the parameters of a checkpoint have taken."""
    (path,) = checkpoint.glob("actor/optim_world_size_*_rank_0.pt")
    state = torch.load(path, weights_only=False)["state"]
    return {int(entry["step"]) for entry in state.values()}
