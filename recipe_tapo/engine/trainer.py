"""TAPO's trainer: verl's synchronous trainer with constructed rows in its batches (touches verl)."""

import contextlib
import math
from collections.abc import Iterator

import numpy as np
import ray
import torch
import transfer_queue as tq
from omegaconf import DictConfig, open_dict
from tensordict import TensorDict
from transfer_queue import KVBatchMeta
from verl.protocol import DataProto
from verl.trainer.ppo.core_algos import agg_loss, kl_penalty
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils.config import omega_conf_to_dataclass
from verl.utils.debug.metrics import calculate_debug_metrics
from verl.workers.engine_workers import ActorRolloutRefWorker

from recipe_tapo.algorithm.token_weights import ots_weights
from recipe_tapo.construction.group import REPORT_TAG, ROW_TAG, GroupReport
from recipe_tapo.engine.banner import banner
from recipe_tapo.engine.metrics import masked_mean, reflection_metrics, timing_metrics, weight_metrics, yield_metrics
from recipe_tapo.engine.opsd_rows import put_distillation_advantages, take_report_metrics
from recipe_tapo.engine.registry import ESTIMATOR_OF_MODE
from recipe_tapo.engine.rows import put_jagged
from recipe_tapo.engine.train_worker import PLAN_KEY, TapoActorRolloutRefWorker, make_plan
from recipe_tapo.engine.verl_config import check_config, set_max_model_len
from recipe_tapo.records.token_weights import write_weights

TOKEN_WEIGHTS = "rollout_is_weights"


def _split(batch: KVBatchMeta) -> tuple[list[str], list[str]]:
    """Keys of on-policy (and padding) rows, and of constructed rows."""
    on_policy, reflected = [], []
    for key, tag in zip(batch.keys, batch.tags, strict=True):
        constructed = tag.get(ROW_TAG, False) and not tag.get("is_padding", False)
        (reflected if constructed else on_policy).append(key)
    return on_policy, reflected


def _padded(batch: KVBatchMeta, keys: list[str], fields: list[str]) -> TensorDict:
    return tq.kv_batch_get(keys=keys, partition_id=batch.partition_id, select_fields=fields).to_padded_tensor()


class TapoTrainer(PPOTrainerSync):
    """Registered as ``trainer.v1.trainer_mode=tapo``. A batch without constructed rows takes verl's path."""

    def __init__(self, config: DictConfig):
        self.tapo = check_config(config)
        self._batch_has_reflections = False
        with open_dict(config):
            config.trainer.v1.trainer_mode = "sync"
            config.algorithm.adv_estimator = ESTIMATOR_OF_MODE[self.tapo.advantage.mode]
        print(banner(self.tapo, config), flush=True)
        super().__init__(config)

    def _init_tokenizer(self) -> None:
        super()._init_tokenizer()
        if self.tapo.enable:
            model_config = omega_conf_to_dataclass(self.config.actor_rollout_ref.model)
            model_max_length = getattr(model_config.hf_config, "max_position_embeddings", None)
            set_max_model_len(self.tapo, self.config, self.tokenizer, model_max_length)

    def _init_resource_pool_mgr(self) -> None:
        super()._init_resource_pool_mgr()
        for role, worker in self.role_worker_mapping.items():
            if worker.__ray_metadata__.modified_class.__ray_actor_class__ is ActorRolloutRefWorker:
                self.role_worker_mapping[role] = ray.remote(TapoActorRolloutRefWorker)

    @property
    def _num_mini_batch(self) -> int:
        """Optimizer steps per rollout batch and epoch: GRPO's, whatever the number of constructed rows."""
        return math.ceil(self.config.data.train_batch_size / self.config.actor_rollout_ref.actor.ppo_mini_batch_size)

    def _balance_batch(self, batch: KVBatchMeta, *args, **kwargs) -> KVBatchMeta:
        self._batch_has_reflections = bool(_split(batch)[1])
        return super()._balance_batch(batch, *args, **kwargs)

    def _get_required_batch_multiple(self, dp_size: int) -> int:
        """Rows are padded to what data parallelism and fixed micro-batches need, not to whole mini-batches."""
        if not self._batch_has_reflections:
            return super()._get_required_batch_multiple(dp_size)
        model = self.config.actor_rollout_ref
        if model.actor.use_dynamic_bsz:
            return dp_size * self._num_mini_batch
        inferring = [model.rollout.log_prob_micro_batch_size_per_gpu]
        if self.use_reference_policy:
            inferring.append(model.ref.log_prob_micro_batch_size_per_gpu)
        training = self._num_mini_batch * model.actor.ppo_micro_batch_size_per_gpu
        return dp_size * math.lcm(training, *[size for size in inferring if size])

    def _compute_old_log_prob(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        batch = super()._compute_old_log_prob(batch, metrics)
        if self._batch_has_reflections:
            self._diagnose_on_policy_rows(batch, metrics)
        return batch

    def _diagnose_on_policy_rows(self, batch: KVBatchMeta, metrics: dict) -> None:
        """Replaces verl's entropy and rollout-vs-actor metrics by those of on-policy rows alone."""
        fields = ["entropy", "response_mask", "old_log_probs"]
        compare = self.config.actor_rollout_ref.rollout.calculate_log_probs
        if compare:
            fields += ["responses", "rollout_log_probs"]
        data = _padded(batch, _split(batch)[0], fields)
        actor = self.config.actor_rollout_ref.actor
        entropy = agg_loss(
            loss_mat=data["entropy"],
            loss_mask=data["response_mask"],
            loss_agg_mode=actor.loss_agg_mode,
            loss_scale_factor=actor.loss_scale_factor,
        )
        metrics["actor/entropy"] = entropy.item()
        if compare:
            metrics.update(calculate_debug_metrics(DataProto(batch=data)))

    def _compute_advantage(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        if self.tapo.opsd.enable:
            batch = super()._compute_advantage(batch, metrics)
            metrics.update(put_distillation_advantages(batch))
            return batch
        if not self._batch_has_reflections:
            return super()._compute_advantage(batch, metrics)
        on_policy, reflected = _split(batch)
        super()._compute_advantage(batch.select_keys(on_policy), metrics)
        with self._without_rollout_correction():
            batch = super()._compute_advantage(batch, {})
        self._put_token_weights(batch, on_policy, reflected, metrics)
        if batch.fields is not None and TOKEN_WEIGHTS not in batch.fields:
            batch.fields = [*batch.fields, TOKEN_WEIGHTS]
        return batch

    @contextlib.contextmanager
    def _without_rollout_correction(self) -> Iterator[None]:
        """Constructed rows have no sampler log-probs of their own: verl must neither correct nor diagnose them."""
        correction = self.config.algorithm.rollout_correction
        with open_dict(self.config):
            self.config.algorithm.rollout_correction = None
            try:
                yield
            finally:
                self.config.algorithm.rollout_correction = correction

    def _put_token_weights(self, batch: KVBatchMeta, on_policy: list[str], reflected: list[str], metrics: dict) -> None:
        """Writes Eq. 7's weights for constructed rows; 1 (or verl's rollout correction) for the others."""
        data = tq.kv_batch_get(
            keys=reflected,
            partition_id=batch.partition_id,
            select_fields=["old_log_probs", "entropy", "response_mask"],
        )
        log_probs = data["old_log_probs"]
        weights = torch.ones_like(log_probs.values())
        if self.tapo.ots.enable:
            limits = {"w_min": self.tapo.ots.w_min, "w_max": self.tapo.ots.w_max}
            weights = ots_weights(log_probs.values(), data["entropy"].values(), **limits)
            trained = data["response_mask"].values().bool()
            metrics.update(weight_metrics(weights[trained], **limits))
            self._dump_weights(batch, reflected, weights, log_probs.offsets())
        put_jagged(batch, reflected, TOKEN_WEIGHTS, weights, log_probs.offsets())

        correction = self.config.algorithm.get("rollout_correction")
        if correction is None or correction.rollout_is is None:
            mask = tq.kv_batch_get(keys=on_policy, partition_id=batch.partition_id, select_fields=["response_mask"])[
                "response_mask"
            ]
            put_jagged(
                batch, on_policy, TOKEN_WEIGHTS, torch.ones_like(mask.values(), dtype=torch.float32), mask.offsets()
            )

    def _dump_weights(self, batch: KVBatchMeta, keys: list[str], weights: torch.Tensor, offsets: torch.Tensor) -> None:
        if self.tapo.dump_dir:
            rows = tq.kv_batch_get(keys=keys, partition_id=batch.partition_id, select_fields=["responses"])
            nested = torch.nested.nested_tensor_from_jagged(weights, offsets=offsets)
            write_weights(self.tapo.dump_dir, self.tokenizer, self.global_steps, keys, rows["responses"], nested)

    def _update_actor(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        if self._batch_has_reflections:
            batch.extra_info[PLAN_KEY] = make_plan(
                self._num_mini_batch,
                self.config.actor_rollout_ref.actor.loss_agg_mode,
                self.tapo.lambda_ref,
                self.tapo.loss_normalization,
            )
        return super()._update_actor(batch, metrics)

    def _compute_metrics(self, batch: KVBatchMeta, metrics: dict, *args, **kwargs) -> None:
        """verl's metrics over on-policy rows alone; ours under ``tapo/``."""
        on_policy, reflected = _split(batch)
        super()._compute_metrics(batch.select_keys(on_policy), metrics, *args, **kwargs)
        if not self.tapo.enable:
            return
        if self.tapo.opsd.enable:
            metrics.update(take_report_metrics())
            return
        tags = [tag for tag in batch.tags if REPORT_TAG in tag and not tag.get("is_padding", False)]
        reports = [GroupReport.from_tag(tag[REPORT_TAG]) for tag in tags]
        metrics.update(yield_metrics(reports))
        metrics.update(timing_metrics(reports))
        metrics["tapo/rows"] = len(reflected)
        if reflected:
            metrics.update(self._reflection_metrics(batch, reflected))

    def _reflection_metrics(self, batch: KVBatchMeta, reflected: list[str]) -> dict[str, float]:
        fields = ["advantages", "response_mask", "entropy", "old_log_probs"]
        if self.use_reference_policy:
            fields.append("ref_log_prob")
        rows = tq.kv_batch_get(keys=reflected, partition_id=batch.partition_id, select_fields=["uid", *fields])
        uid_B = np.array(rows.pop("uid").tolist())
        lengths_B = rows["response_mask"].offsets().diff()
        data = rows.to_padded_tensor()
        mask = data["response_mask"]
        metrics = reflection_metrics(data["advantages"], mask, uid_B, lengths_B)
        metrics["tapo/entropy"] = masked_mean(data["entropy"], mask)
        metrics["tapo/nll"] = masked_mean(-data["old_log_probs"], mask)
        if self.use_reference_policy:
            divergence = kl_penalty(data["old_log_probs"], data["ref_log_prob"], "low_var_kl")
            metrics["tapo/kl_to_reference"] = masked_mean(divergence, mask)
        return metrics
