"""The cold start's trainer refuses what would skip or repeat rows, before anything is trained."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from torch.utils.data import DistributedSampler
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.trainer.sft_trainer import SFTTrainer
from verl.utils.checkpoint import CheckpointHandler
from verl.utils.checkpoint.checkpoint_handler import OrchestrationMode

from recipe_tapo.engine.sft_trainer import ExactSFTTrainer, leave_epoch_end
from recipe_tapo.errors import InputError


class Engine(SimpleNamespace):
    ranks = 2

    def get_data_parallel_size(self) -> int:
        return self.ranks


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """A trainer up to its checkpoint handler, which is verl's; 12 rows in batches of 4, without a model."""
    rows = tmp_path / "rows.parquet"
    rows.write_bytes(b"rows")

    def handler(self) -> None:
        settings = {"default_local_dir": self.config.trainer.default_local_dir, "mode": OrchestrationMode.RAY}
        self.ckpt_handler = CheckpointHandler(
            self.engine,
            None,
            **settings,
            resume_mode=self.config.trainer.resume_mode,
            resume_from_path=self.config.trainer.get("resume_from_path"),
        )

    monkeypatch.setattr(SFTTrainer, "_build_ckpt_handler", handler)
    monkeypatch.setattr(SFTTrainer, "_init_engine", lambda self: None)

    def make(batch: int = 4, **options) -> ExactSFTTrainer:
        made = ExactSFTTrainer.__new__(ExactSFTTrainer)
        settings = {"default_local_dir": str(tmp_path / "checkpoints"), "resume_mode": "auto", "total_epochs": 3}
        made.config = OmegaConf.create({"trainer": {**settings, "total_training_steps": None, **options}})
        made.rank, made.engine, made.global_batch_size = 0, Engine(), batch
        made.train_dataset = Rows(str(rows))
        made.train_dataloader = range(12 // batch)
        return made

    return make


class Rows:
    def __init__(self, *files: str):
        self.parquet_files = list(files)

    def __len__(self) -> int:
        return 12


def checkpoint(folder: Path, step: int) -> Path:
    """What verl leaves of a step: the position in the data of every rank, here without content."""
    path = folder / "checkpoints" / f"global_step_{step}"
    path.mkdir(parents=True)
    for rank in range(Engine.ranks):
        (path / f"data_{rank}.pt").write_bytes(b"")
    (folder / "checkpoints" / "latest_checkpointed_iteration.txt").write_text(str(step))
    return path


def loader(workers: int) -> StatefulDataLoader:
    """Thirteen rows in batches of four, three an epoch, loaded as verl's trainer loads them."""
    sampler = DistributedSampler(range(13), shuffle=True, num_replicas=1, rank=0, drop_last=True)
    return StatefulDataLoader(range(13), batch_size=4, sampler=sampler, num_workers=workers, drop_last=True)


def trained(batches: StatefulDataLoader, first_step: int, stop: int = 9) -> tuple[list[list[int]], dict]:
    """The rows of the steps behind one, by the loop of verl's trainer up to a step; the state saved there."""
    rows = []
    for epoch in range(first_step // 3, 3):
        batches.sampler.set_epoch(epoch)
        for batch in batches:
            rows.append(batch.tolist())
            if first_step + len(rows) == stop:
                return rows, batches.state_dict()
    raise AssertionError(f"ended behind {len(rows)} steps")


@pytest.mark.parametrize("workers", [0, 2])
def test_stopped_behind_any_step_the_same_rows_follow(workers):
    whole, _ = trained(loader(workers), 0)
    assert len({tuple(rows) for rows in whole}) == 9  # every step has rows of its own
    for step in range(9):
        resumed = loader(workers)
        if step:
            resumed.load_state_dict(trained(loader(workers), 0, stop=step)[1])
        leave_epoch_end(resumed, step, 3)
        assert trained(resumed, step)[0] == whole[step:], step


def test_a_resumption_of_the_same_rows_is_let_through(trainer, tmp_path):
    trainer()._build_ckpt_handler()
    checkpoint(tmp_path, 3)
    trainer()._build_ckpt_handler()
    # A run without this record, as verl's own trainer leaves it, has nothing to compare with.
    (tmp_path / "checkpoints" / "order.json").unlink()
    trainer(batch=3)._build_ckpt_handler()


def test_other_rows_batches_and_ranks_are_refused(trainer, tmp_path, monkeypatch):
    trainer()._build_ckpt_handler()
    checkpoint(tmp_path, 3)
    with pytest.raises(
        InputError, match=r"was trained with data.train_batch_size=4, and this run has 3: rows would be"
    ):
        trainer(batch=3)._build_ckpt_handler()
    monkeypatch.setattr(Engine, "ranks", 4)
    with pytest.raises(InputError, match=r"was trained with data-parallel ranks=2, and this run has 4: "):
        trainer()._build_ckpt_handler()


def test_other_data_are_refused_unless_nothing_is_resumed(trainer, tmp_path):
    trainer()._build_ckpt_handler()
    checkpoint(tmp_path, 3)
    (tmp_path / "rows.parquet").write_bytes(b"other rows")
    with pytest.raises(
        InputError, match=r"global_step_3: was trained with data.train_files=\w{16}, and this run has \w"
    ):
        trainer()._build_ckpt_handler()
    trainer(resume_mode="disable")._build_ckpt_handler()
    # Stopped before its first checkpoint: the next start begins anew, and not with the former rows' weights.
    again = trainer()
    again._build_ckpt_handler()
    assert again._checkpoint() is None


def test_a_checkpoint_of_another_folder_is_compared_with_the_rows_of_that_one(trainer, tmp_path):
    trainer()._build_ckpt_handler()
    elsewhere = checkpoint(tmp_path, 3)
    resumed = {"resume_mode": "resume_path", "resume_from_path": str(elsewhere)}
    new = {"default_local_dir": str(tmp_path / "new"), **resumed}
    trainer(**new)._build_ckpt_handler()
    assert (tmp_path / "new" / "order.json").read_text() == (elsewhere.parent / "order.json").read_text()
    (tmp_path / "rows.parquet").write_bytes(b"other rows")
    with pytest.raises(InputError, match=r"global_step_3: was trained with data.train_files=\w{16}, and this run has"):
        trainer(**new)._build_ckpt_handler()


def test_checkpoints_cut_short_are_refused(trainer, tmp_path):
    trainer()._build_ckpt_handler()
    last = checkpoint(tmp_path, 3)
    for rank in (1, 0):  # the other rank's alone, then its own as well
        (last / f"data_{rank}.pt").unlink()
        with pytest.raises(
            InputError, match=r"global_step_3: the position in the data is missing, .*; remove .*/checkpoints"
        ):
            trainer()._build_ckpt_handler()
    last.rmdir()
    with pytest.raises(InputError, match=r"latest_checkpointed_iteration.txt: names a checkpoint that is not there"):
        trainer()._build_ckpt_handler()


def test_a_length_that_the_run_would_not_reach_is_refused(trainer):
    trainer(total_training_steps=9)._init_engine()
    with pytest.raises(
        InputError, match=r"trainer.total_training_steps=10: 3 epochs have 9 steps; raise trainer.total_epo"
    ):
        trainer(total_training_steps=10)._init_engine()
    with pytest.raises(InputError, match=r"data.train_batch_size=13: there are 12 rows; choose at most as many"):
        trainer(batch=13)._init_engine()


def test_a_run_that_has_reached_its_last_step_trains_no_more(trainer, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(SFTTrainer, "fit", lambda self: trained.append(self.resume_global_step))
    made = trainer()
    checkpoint(tmp_path, 9)
    made.resume_global_step = made.total_training_steps = 9
    made.fit()
    assert trained == []
    made.resume_global_step = 6
    made.fit()
    assert trained == [6]
    made.total_training_steps = 12
    with pytest.raises(RuntimeError, match="ended with the checkpoint of step 9 of 12"):
        made.fit()
