"""The walk of a wrong rollout from verl's agent loop to the loss: the files of docs/architecture.md, ten at most.

verl's worker runs a group on a stand-in server; its rows go through TAPO's trainer and training worker to the loss. A
file *passes the rollout on* if a function in it calls one in another file of the package; the others are *called on the
way* and return.
"""

import math
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from doc_pages import DOCS, codes
from doc_pages import rows as table
from omegaconf import OmegaConf
from tensordict import NonTensorStack, TensorDict
from test_agent_loop import EOS, OUTPUT, encode, make_worker, run_group
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils import tensordict_utils as tu
from verl.workers.engine_workers import TrainingWorker

import recipe_tapo
from recipe_tapo.engine import batch_metrics, rows
from recipe_tapo.engine.registry import compute_policy_loss_tapo
from recipe_tapo.engine.train_worker import TapoTrainingWorker
from recipe_tapo.engine.trainer import TapoTrainer

PACKAGE = Path(recipe_tapo.__file__).parent
MOST_FILES = 10


@contextmanager
def calls_between_files():
    """Yields a set that fills with (calling file, called file), both of the package, or None for one outside it."""
    seen = set()

    def file_of(frame):
        path = Path(frame.f_code.co_filename)
        return str(path.relative_to(PACKAGE)) if path.is_relative_to(PACKAGE) else None

    def note(frame, event, _):
        if event == "call" and file_of(frame):
            caller = frame.f_back
            # A coroutine is resumed by the event loop, and verl stands between a method and the one that it overrides.
            while caller is not None and file_of(caller) is None:
                caller = caller.f_back
            seen.add((caller and file_of(caller), file_of(frame)))

    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(None)


def column(keys, store, field):
    values = [store.rows[key][field] for key in keys]
    if isinstance(values[0], str):
        return NonTensorStack(*values)
    return torch.nested.as_nested_tensor(values, layout=torch.jagged)


class Queue:
    """TransferQueue's batch calls on the worker's stand-in store."""

    def __init__(self, store):
        self.store = store

    def kv_batch_get(self, keys, partition_id, select_fields):
        return TensorDict({name: column(keys, self.store, name) for name in select_fields}, batch_size=[len(keys)])

    def kv_batch_put(self, keys, partition_id, fields):
        for name in fields.keys():  # noqa: SIM118  a TensorDict iterates over rows
            for key, value in zip(keys, fields[name].unbind(), strict=True):
                self.store.rows[key][name] = value
        return batch_of(keys, self.store)


def batch_of(keys, store):
    return KVBatchMeta(
        keys=list(keys), tags=[store.tags[key] for key in keys], partition_id=rows.TRAIN_PARTITION, extra_info={}
    )


def make_trainer(monkeypatch, worker):
    config = OmegaConf.to_container(worker.config)
    config["algorithm"] = {"use_kl_in_reward": False, "rollout_correction": None}
    config["data"]["train_batch_size"] = 1
    config["actor_rollout_ref"]["actor"] = {"ppo_mini_batch_size": 1, "loss_agg_mode": "token-mean"}
    trainer = object.__new__(TapoTrainer)
    trainer.config, trainer.tapo = OmegaConf.create(config), worker.tapo
    trainer.tokenizer, trainer.global_steps = worker.tokenizer, 1
    # verl's own part of the step concerns on-policy rows alone.
    monkeypatch.setattr(PPOTrainerSync, "_compute_advantage", lambda self, batch, metrics: batch)
    monkeypatch.setattr(PPOTrainerSync, "_update_actor", lambda self, batch, metrics: batch)
    return trainer


def train(monkeypatch, batch, store):
    """verl's training worker up to the policy loss, on one rank; returns the loss."""
    losses = []

    def train_batch(self, data):
        padded = {name: rows.Column.of(data[name]).padded() for name in (*PER_TOKEN, rows.VERL_TOKEN_FACTOR)}
        actor = {"clip_ratio": 0.2, "clip_ratio_low": None, "clip_ratio_high": None}
        config = OmegaConf.create({**actor, "global_batch_info": {"dp_size": 1}})
        losses.append(
            compute_policy_loss_tapo(
                padded[rows.OLD_LOG_PROBS],
                padded[rows.OLD_LOG_PROBS].clone().requires_grad_(),
                padded[rows.ADVANTAGES],
                padded[rows.RESPONSE_MASK],
                config=config,
                rollout_is_weights=padded[rows.VERL_TOKEN_FACTOR],
            )[0]
        )

    monkeypatch.setattr(TrainingWorker, "train_batch", train_batch)
    monkeypatch.setattr(TrainingWorker, "train_mini_batch", lambda self, data: self.train_batch(data))
    worker = object.__new__(TapoTrainingWorker)
    worker.engine = SimpleNamespace(get_data_parallel_size=lambda: 1, get_data_parallel_group=lambda: None)
    fields = {name: column(batch.keys, store, name) for name in (rows.UID, "loss_mask", rows.TOKEN_FACTOR, *PER_TOKEN)}
    data = TensorDict(fields, batch_size=[len(batch.keys)])
    for name, value in batch.extra_info.items():
        tu.assign_non_tensor_data(data, name, value)
    worker.train_mini_batch(data)
    return losses


PER_TOKEN = (rows.OLD_LOG_PROBS, rows.ADVANTAGES, rows.RESPONSE_MASK)


@pytest.fixture(scope="module")
def walked():
    """The calls between files of one step on a group of which every other construction is right; the loss."""
    patch = pytest.MonkeyPatch()

    async def answer(number):
        text = OUTPUT if number % 2 else OUTPUT.replace("\\boxed{4}", "\\boxed{5}")
        return SimpleNamespace(token_ids=[*encode(text), EOS], stop_reason="completed", extra_fields={})

    worker, store = make_worker(patch, behaviour=answer)
    trainer = make_trainer(patch, worker)
    patch.setattr(rows, "tq", Queue(store))
    with calls_between_files() as seen:
        run_group(patch, worker)
        for row in store.rows.values():  # what verl's actor computes of every row
            row[rows.OLD_LOG_PROBS] = torch.full((len(row[rows.RESPONSES]),), -0.5)
            row[rows.ENTROPY] = torch.full((len(row[rows.RESPONSES]),), 0.5)
            row[rows.ADVANTAGES] = torch.zeros(len(row[rows.RESPONSES]))
        batch = batch_of(store.rows, store)
        batch = trainer._compute_advantage(batch, {})
        batch = trainer._update_actor(batch, {})
        losses = train(patch, batch, store)
    patch.undo()
    return seen, losses, store


def test_the_walk_has_ten_files_at_most_and_is_the_one_that_is_told(walked):
    seen, _, _ = walked
    passing = {caller for caller, called in seen if caller and caller != called}
    told = [codes(file)[0] for _, file, _ in table(DOCS / "architecture.md", "Step")]
    assert len(told) <= MOST_FILES
    assert set(told) == passing
    visited = {called for _, called in seen}
    called_only = [codes(file)[0] for file, _ in table(DOCS / "architecture.md", "Called on the way")]
    assert set(called_only) == visited - set(told)


def test_the_walk_ends_in_eq_6_on_both_groups(walked):
    _, (loss,), store = walked
    advantage = {key: float(row[rows.ADVANTAGES][0]) for key, row in store.rows.items()}
    # 2 of 8 right: mean 1/4, sample variance (2·(3/4)² + 6·(1/4)²)/7 = 3/14.
    deviation = math.sqrt(3 / 14)
    assert advantage["q1_0_0"] == pytest.approx(0.75 / deviation, rel=1e-4)
    assert advantage["q1_7_0"] == pytest.approx(-0.25 / deviation, rel=1e-4)
    # 2 of 4 constructions right: mean 1/2, sample variance 4·(1/2)²/3 = 1/3.
    constructed = sorted(advantage[f"q1_{session}_0"] for session in (8, 9, 10, 11))
    assert constructed == pytest.approx([-0.5 * math.sqrt(3)] * 2 + [0.5 * math.sqrt(3)] * 2, rel=1e-4)
    # ρ = 1 and w = exp(-0.5 + 0.5) = 1: each group's loss is minus its mean advantage per token.
    expected = 0.0
    for keys in ([f"q1_{n}_0" for n in range(8)], [f"q1_{n}_0" for n in range(8, 12)]):
        lengths = [len(store.rows[key][rows.RESPONSES]) for key in keys]
        weighted = (advantage[key] * length for key, length in zip(keys, lengths, strict=True))
        expected -= sum(weighted) / sum(lengths)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_the_metric_looks_at_rollouts_alone_for_groups_without_variance(walked, monkeypatch):
    _, _, walked_store = walked
    store = SimpleNamespace(rows={key: dict(row) for key, row in walked_store.rows.items()}, tags=walked_store.tags)
    monkeypatch.setattr(rows, "tq", Queue(store))
    name = "tapo/zero_variance_rollout_groups_fraction"
    assert batch_metrics.of_rollouts(batch_of(store.rows, store)) == {name: 0.0}
    for session in range(8):  # the constructions, of which half are right, stay as they are
        store.rows[f"q1_{session}_0"][rows.SCORES] = torch.zeros_like(store.rows[f"q1_{session}_0"][rows.SCORES])
    assert batch_metrics.of_rollouts(batch_of(store.rows, store)) == {name: 1.0}
