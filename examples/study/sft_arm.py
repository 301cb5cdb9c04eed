"""SFT on the right constructions of a TAPO run: the same trajectories, learned offline by verl's SFT trainer."""

import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from examples.runs.process import run_training
from examples.study.settings import Settings
from recipe_tapo.cli.overrides import quoted
from recipe_tapo.errors import InputError
from recipe_tapo.records.attempts import read_dump
from recipe_tapo.records.write import atomic_paths, write_parquet


def write_examples(dump: Path, path: Path) -> int:
    """Writes question and trajectory of every right construction of a dump, as chat messages; returns how many.

    Raises:
        InputError: There is none.
    """
    rows = [
        {
            "messages": [
                {"role": "user", "content": record["question"]},
                {"role": "assistant", "content": record["reconstruction"]},
            ]
        }
        for record in read_dump(dump)
        if record["right"]
    ]
    if not rows:
        raise InputError(f"{dump}: no right construction to learn; see tapo/right in the run's metrics.jsonl beside it")
    with atomic_paths(path) as [temporary]:
        write_parquet(temporary, pa.Table.from_pylist(rows))
    return len(rows)


def sft_command(settings: Settings, model: Path, examples: Path, count: int, folder: Path) -> list[str]:
    """As many optimizer steps as the RL arms take, at their learning rate, epoch after epoch."""
    return [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=1"),
        *("-m", "verl.trainer.sft_trainer", "+recipe=cpu_sft"),
        f"model.path={quoted(model)}",
        "engine.strategy=fsdp2",
        f"data.train_files={quoted(examples)}",
        "data.custom_cls.path=pkg://recipe_tapo.engine.sft_dataset",
        "data.custom_cls.name=RolloutFormatSFTDataset",
        f"data.train_batch_size={min(settings.sft_batch, count)}",
        "data.max_length=1024",
        "data.use_dynamic_bsz=true",
        "data.max_token_len_per_gpu=8192",
        f"optim.lr={settings.learning_rate}",
        f"trainer.total_training_steps={settings.steps}",
        f"trainer.total_epochs={settings.steps}",
        f"trainer.save_freq={settings.steps}",
        "trainer.test_freq=-1",
        "trainer.logger=[file]",
        "trainer.resume_mode=disable",
        "trainer.project_name=study",
        f"trainer.experiment_name={folder.name}",
        f"trainer.default_local_dir={quoted(folder / 'checkpoints')}",
        "checkpoint.save_contents=[hf_model]",
        f"hydra.run.dir={quoted(folder / 'hydra')}",
    ]


def train(dump: Path, settings: Settings, model: Path, folder: Path, watch: Callable[[], None]) -> None:
    """Trains the arm; leaves examples, log and the final model.

    Raises:
        InputError: The dump holds nothing to learn.
        TrainingFailed: The trainer ended with an error.
    """
    examples = folder / "examples.parquet"
    count = write_examples(dump, examples)
    command = sft_command(settings, model, examples, count, folder)
    run_training(command, folder, watch, metrics="sft_metrics.jsonl")


def trained_model(settings: Settings, folder: Path) -> Path:
    """Where verl leaves the final model."""
    return folder / "checkpoints" / f"global_step_{settings.steps}" / "huggingface"
