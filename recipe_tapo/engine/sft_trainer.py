"""verl's SFT trainer, resumed exactly: every step is trained once, whatever the run was stopped at.

Resumed from a checkpoint at an epoch's end, verl's own trainer skips the next epoch in silence (verl issue 7401): the
data loader's saved state is exhausted. Takes the command line of ``verl.trainer.sft_trainer``; to be started by
``python -m torch.distributed.run … -m recipe_tapo.engine.sft_trainer``.
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import hydra
from omegaconf import DictConfig
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.trainer.sft_trainer import SFTTrainer
from verl.utils.checkpoint.checkpoint_manager import get_checkpoint_tracker_filename
from verl.utils.device import auto_set_device
from verl.utils.distributed import destroy_global_process_group, initialize_global_process_group

from recipe_tapo.errors import InputError
from recipe_tapo.records.lock import lock_folder
from recipe_tapo.records.write import atomic_paths

ORDER = "order.json"
"""What the order of the rows depends on, beside the checkpoints."""


class ExactSFTTrainer(SFTTrainer):
    """Refuses a resumption that would skip or repeat rows, and a run that would end before its last step.

    Raises:
        InputError: The message names what is wrong and the remedy; nothing was trained.
    """

    def __init__(self, config: DictConfig):
        super().__init__(config)
        leave_epoch_end(self.train_dataloader, self.resume_global_step, self.steps_per_epoch)

    @property
    def _folder(self) -> Path:
        return Path(self.config.trainer.default_local_dir)

    @property
    def _tracker(self) -> Path:
        return Path(get_checkpoint_tracker_filename(str(self._folder)))

    def _init_engine(self) -> None:
        rows, batch = len(self.train_dataset), self.global_batch_size
        if not len(self.train_dataloader):
            raise InputError(f"data.train_batch_size={batch}: there are {rows} rows; choose at most as many")
        epochs, asked = self.config.trainer.total_epochs, self.config.trainer.total_training_steps
        if asked is not None and asked > epochs * len(self.train_dataloader):
            raise InputError(
                f"trainer.total_training_steps={asked}: {epochs} epochs have {epochs * len(self.train_dataloader)} "
                "steps; raise trainer.total_epochs"
            )
        super()._init_engine()

    def _build_ckpt_handler(self) -> None:
        super()._build_ckpt_handler()
        checkpoint = self._checkpoint()
        order = self._order()
        if checkpoint is not None:
            self._compare(checkpoint, order)
        if self.rank == 0:
            self._folder.mkdir(parents=True, exist_ok=True)
            if checkpoint is None:
                # What an earlier run left is not gone on with, also not by the next start of this one.
                self._tracker.unlink(missing_ok=True)
            with atomic_paths(self._folder / ORDER) as [temporary]:
                temporary.write_text(json.dumps(order, indent=2) + "\n", encoding="utf-8")

    def _compare(self, checkpoint: Path, order: dict[str, Any]) -> None:
        path = checkpoint.parent / ORDER
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else order
        for key, value in order.items():
            if before.get(key) != value:
                raise InputError(
                    f"{checkpoint}: was trained with {key}={before.get(key)}, and this run has {value}: rows would be "
                    f"skipped or repeated; go on with the former, or {self._remedy}"
                )
        positions = [checkpoint / f"data_{rank}.pt" for rank in range(self.engine.get_data_parallel_size())]
        if not all(position.is_file() for position in positions):
            raise InputError(
                f"{checkpoint}: the position in the data is missing, a checkpoint cut short; {self._remedy}"
            )

    def _checkpoint(self) -> Path | None:
        """What verl's handler is about to load."""
        found = self.ckpt_handler._determine_resume_path()
        if found is None and self.ckpt_handler.resume_mode != "disable" and self._tracker.is_file():
            raise InputError(f"{self._tracker}: names a checkpoint that is not there; {self._remedy}")
        return None if found is None else Path(found)

    @property
    def _remedy(self) -> str:
        return f"remove {self._folder} to train from the beginning"

    def _order(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for file in self.train_dataset.parquet_files:
            digest.update(Path(file).read_bytes())
        return {
            "data.train_files": digest.hexdigest()[:16],
            "rows": len(self.train_dataset),
            "data.train_batch_size": self.global_batch_size,
            "data-parallel ranks": self.engine.get_data_parallel_size(),
        }

    def fit(self) -> None:
        """Trains what is left of the run; nothing if it has reached its last step.

        Raises:
            RuntimeError: The last step's checkpoint is missing afterwards.
        """
        if self.resume_global_step < self.total_training_steps:
            super().fit()
            last = int(self._tracker.read_text())
            if last != self.total_training_steps:
                raise RuntimeError(f"ended with the checkpoint of step {last} of {self.total_training_steps}")


def leave_epoch_end(loader: StatefulDataLoader, step: int, steps_per_epoch: int) -> None:
    """Makes a loader whose state was saved after an epoch's last step begin the next epoch; leaves others alone.

    Args:
        loader: With the state of a step, not iterated since.
        step: The step, counted from 1 over all epochs; 0 where nothing was loaded.
        steps_per_epoch: Batches of an epoch.
    """
    if step and step % steps_per_epoch == 0:
        # That state gives an iterator without a batch; once it has ended, the next one begins an epoch.
        next(iter(loader), None)


def _refuse(error: InputError) -> NoReturn:
    # Each rank finds the same; one says it.
    sys.exit(f"error: {error}" if os.environ.get("RANK", "0") == "0" else 2)


@hydra.main(config_path="pkg://verl.trainer.config", config_name="sft_trainer_engine", version_base=None)
def main(config: DictConfig) -> None:
    """Trains by verl's configuration ``sft_trainer_engine``.

    Raises:
        SystemExit: The run is refused, with one line.
    """
    auto_set_device(config)
    held = None
    try:
        if os.environ.get("RANK", "0") == "0":
            held = lock_folder(Path(config.trainer.default_local_dir))
        initialize_global_process_group()
        trainer = ExactSFTTrainer(config)
    except InputError as error:
        _refuse(error)
    trainer.fit()
    destroy_global_process_group()
    if held is not None:
        held.close()


if __name__ == "__main__":
    main()
