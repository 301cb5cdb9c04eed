"""The command that trains on the arithmetic task, as a user would type it."""

import sys
from pathlib import Path

from recipe_tapo.cli.overrides import quoted


def training_command(model: Path, questions: Path, folder: Path, steps: int, test_freq: int) -> list[str]:
    """verl's trainer on the CPU with the demo's sizes; further overrides may be appended.

    Args:
        model: The Hugging Face folder to start from.
        questions: The folder with train.parquet and val.parquet.
        folder: Checkpoints, Hydra's files and the dump of constructions go here.
        steps: Training steps.
        test_freq: Steps between validations; -1 for none.
    """
    return [
        *(sys.executable, "-m", "verl.trainer.main_ppo", "+recipe=[tapo,cpu,cpu_demo]"),
        f"actor_rollout_ref.model.path={quoted(model)}",
        f"data.train_files={quoted(questions / 'train.parquet')}",
        f"data.val_files={quoted(questions / 'val.parquet')}",
        f"trainer.total_training_steps={steps}",
        f"trainer.test_freq={test_freq}",
        f"trainer.default_local_dir={quoted(folder / 'checkpoints')}",
        f"tapo.dump_dir={quoted(folder / 'dump')}",
        f"hydra.run.dir={quoted(folder / 'hydra')}",
    ]
