"""One training step of TAPO's trainers without Ray: verl's own methods on the queue in memory."""

from contextlib import nullcontext
from types import SimpleNamespace

import torch
from hydra import compose, initialize_config_module
from memory_queue import MemoryQueue, MemoryWorkers
from small_tokenizer import TOKENIZER
from tensordict import NonTensorStack
from verl.trainer.ppo import core_algos
from verl.utils import tensordict_utils as tu
from verl.workers.engine_workers import TrainingWorker

from recipe_tapo.construction.failed_steps import StepWatch
from recipe_tapo.construction.reports import GroupReport
from recipe_tapo.engine import rows
from recipe_tapo.engine.train_worker import TapoTrainingWorker
from recipe_tapo.engine.trainer import TapoTrainer
from recipe_tapo.engine.verl_config import check_config

close = torch.testing.assert_close


def composed(*overrides):
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("ppo_trainer", overrides=["+recipe=[tapo,cpu]", *overrides])


SMALL = (
    *("data.train_batch_size=2", "actor_rollout_ref.actor.ppo_mini_batch_size=2", "actor_rollout_ref.rollout.n=4"),
    *("tapo.selection.n_pos=1", "tapo.selection.n_neg=1", "actor_rollout_ref.actor.use_dynamic_bsz=true"),
)


class Step:
    """One step of one of TAPO's trainers on a queue, as verl's ``_step_once`` takes it."""

    def __init__(self, monkeypatch, queue, *overrides, ranks=1, trainer_class=TapoTrainer):
        self.queue = queue.install(monkeypatch)
        self.config = composed(*SMALL, *overrides)
        trainer = object.__new__(trainer_class)
        trainer.config, trainer.tapo = self.config, check_config(self.config)
        self.config.algorithm.adv_estimator = "grpo"  # as __init__ does, which test_the_trainer_is_verls_own tests
        self.config.trainer.v1.trainer_mode = trainer_class.verl_mode
        trainer.tokenizer, trainer.global_steps = TOKENIZER, 1
        trainer.use_critic, trainer.ref_in_actor = False, False
        trainer.use_reference_policy = (
            self.config.algorithm.use_kl_in_reward or self.config.actor_rollout_ref.actor.use_kl_loss
        )
        trainer.actor_rollout_wg = trainer.ref_policy_wg = MemoryWorkers(self.queue, ranks)
        trainer._rollout_moe_lb_metrics_accumulator = None
        trainer.step_watch = StepWatch(trainer.tapo.max_failed_steps)
        trainer._get_n_gpus_for_throughput = lambda: 1
        if self.config.algorithm.use_kl_in_reward:
            trainer.kl_ctrl_in_reward = core_algos.get_kl_controller(self.config.algorithm.kl_ctrl)
        self.trainer, self.metrics = trainer, {}

    def run(self):
        trainer, metrics = self.trainer, self.metrics
        batch = trainer._balance_batch(self.queue.batch(), metrics=metrics)
        batch = trainer._compute_old_log_prob(batch, metrics=metrics)
        if trainer.use_reference_policy:
            batch = trainer._compute_ref_log_prob(batch, metrics=metrics)
        batch = trainer._compute_advantage(batch, metrics=metrics)
        batch.extra_info = batch.extra_info or {}
        self.batch = trainer._update_actor(batch, metrics=metrics)
        timing = {"gen": 1.0, "step": 1.0}
        trainer._compute_metrics(self.batch, metrics, timing, 1, 0)
        return self

    def column(self, name):
        return {key: row[name] for key, row in self.queue.rows.items() if name in row}

    def loss_weights(self, monkeypatch):
        """What a token's loss is multiplied by in each mini-batch of one rank: its factor over verl's denominator."""
        mini_batches = []
        monkeypatch.setattr(TrainingWorker, "train_batch", lambda self, data: mini_batches.append(data))
        (batch,) = self.trainer.actor_rollout_wg.trained
        names = (rows.UID, rows.LOSS_MASK, rows.RESPONSE_MASK, rows.TOKEN_FACTOR, rows.VERL_TOKEN_FACTOR)
        data = self.queue.kv_batch_get(batch.keys, batch.partition_id, [name for name in names if name in batch.fields])
        data["key"] = NonTensorStack(*batch.keys)
        for name, value in batch.extra_info.items():
            tu.assign_non_tensor_data(data, name, value)
        worker = object.__new__(TapoTrainingWorker)
        worker.profiler = SimpleNamespace(step=lambda: None)
        worker.engine = SimpleNamespace(
            get_data_parallel_size=lambda: 1,
            get_data_parallel_rank=lambda: 0,
            get_data_parallel_group=lambda: None,
            is_mp_src_rank_with_outputs=lambda: False,
            train_mode=lambda **_: nullcontext(),
        )
        worker.train_mini_batch(data)
        return [self._weights_of(mini_batch) for mini_batch in mini_batches]

    def _weights_of(self, data):
        mode = self.config.actor_rollout_ref.actor.loss_agg_mode
        tokens = rows.Column.of(data[rows.LOSS_MASK]).values.sum()
        denominator = tokens if mode == "token-mean" else tu.get(data, "global_batch_size")
        weights = list(data[rows.RESPONSE_MASK].unbind())
        if rows.VERL_TOKEN_FACTOR in data:
            factors = data[rows.VERL_TOKEN_FACTOR].unbind()
            weights = [weight * factor for weight, factor in zip(weights, factors, strict=True)]
        return {key: weight / denominator for key, weight in zip(data["key"], weights, strict=True)}


def two_questions(constructed=True):
    """Two questions of four rollouts; three constructed rows of the first, one of them with a masked prefix."""
    queue = MemoryQueue()
    for session, (length, reward) in enumerate([(3, 1.0), (5, 0.0), (2, 0.0), (4, 0.0)]):
        queue.add(f"a_{session}_0", length, reward)
    for session, (length, reward) in enumerate([(4, 1.0), (1, 1.0), (3, 0.0), (2, 0.0)]):
        queue.add(f"b_{session}_0", length, reward)
    queue.tags["a_0_0"][rows.REPORT_TAG] = GroupReport(eligible=True, attempts=3).to_plain()
    if constructed:
        queue.add("a_4_0", 6, 1.0, constructed=True, masked=(0, 1))
        queue.add("a_5_0", 4, 0.0, constructed=True)
        queue.add("a_6_0", 3, 1.0, constructed=True)
    return queue


def is_rollout(key):
    return int(key.split("_")[1]) < 4 and not key.startswith("pad")


def of_rollouts(values):
    return {key: value for key, value in values.items() if is_rollout(key)}


def same(ours, verls, **tolerance):
    assert ours.keys() == verls.keys() and ours
    for key, value in ours.items():
        close(value, verls[key], **tolerance)
