"""TAPO's trainers: constructed rows in the batches of verl's.

The overrides stand on any of verl's v1 trainers, the synchronous one and the asynchronous ones, and call theirs.
"""

import time
from typing import ClassVar

import numpy as np
import ray
import torch
from omegaconf import DictConfig, open_dict
from transfer_queue import KVBatchMeta
from verl.experimental.separation.engine_workers import DetachActorWorker
from verl.trainer.ppo.core_algos import AdvantageEstimator, get_adv_estimator_fn
from verl.trainer.ppo.v1.trainer_base import PPOTrainer, register_trainer
from verl.trainer.ppo.v1.trainer_colocate_async import PPOTrainerColocateAsync
from verl.trainer.ppo.v1.trainer_separate_async import PPOTrainerSeparateAsync
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.engine_workers import ActorRolloutRefWorker
from verl.workers.rollout.utils import get_max_position_embeddings

from recipe_tapo.algorithm.loss import GroupSizes, group_sizes
from recipe_tapo.algorithm.token_weights import ots_weights, spare_turns
from recipe_tapo.construction.failed_steps import CONSTRUCTING, TEACHING, StepWatch
from recipe_tapo.engine import batch_metrics
from recipe_tapo.engine.balance import deal_batch
from recipe_tapo.engine.banner import banner
from recipe_tapo.engine.context_length import set_max_model_len
from recipe_tapo.engine.metrics import (
    construction_counts,
    staleness_metrics,
    teaching_counts,
    turn_metrics,
    weight_metrics,
)
from recipe_tapo.engine.names import COLOCATE_ASYNC, SEPARATE_ASYNC, TRAINER_MODE, TRAINER_MODES
from recipe_tapo.engine.opsd_rows import put_distillation_advantages, take_report_metrics
from recipe_tapo.engine.registry import ESTIMATOR_OF_MODE
from recipe_tapo.engine.rows import (
    ADVANTAGES,
    ENTROPY,
    LOSS_MASK,
    OLD_LOG_PROBS,
    REF_LOG_PROB,
    RESPONSE_MASK,
    RESPONSES,
    RETURNS,
    REWARDS,
    SCORES,
    TOKEN_FACTOR,
    VERL_TOKEN_FACTOR,
    final_rows,
    get_columns,
    get_uids,
    padding_keys,
    prefix_lengths,
    put_columns,
    reflected_keys,
    rollout_keys,
    row_versions,
    rows_of,
    uid_of_key,
)
from recipe_tapo.engine.thinking import warn_of_thinking
from recipe_tapo.engine.train_worker import TapoActorRolloutRefWorker, TapoDetachActorWorker
from recipe_tapo.engine.update_plan import PLAN_KEY, batch_multiple, make_plan, num_mini_batch
from recipe_tapo.engine.verl_config import check_config
from recipe_tapo.records.dump_folder import set_aside
from recipe_tapo.records.token_weights import write_weights

_WORKERS = {ActorRolloutRefWorker: TapoActorRolloutRefWorker, DetachActorWorker: TapoDetachActorWorker}


class TapoOverrides(PPOTrainer):
    """What TAPO adds to one of verl's trainers, which follows it among the bases.

    A batch without constructed rows takes verl's path.

    Attributes:
        verl_mode: The mode that verl's own classes ask the configuration for.
    """

    verl_mode: ClassVar[str]
    _waited_from = 0.0

    def __init__(self, config: DictConfig):
        self.tapo = check_config(config)
        with open_dict(config):
            config.trainer.v1.trainer_mode = self.verl_mode
            # Rollouts alone have the advantages of verl's GRPO, which knows sessions of several outputs; batches with
            # constructed rows have those of TAPO's estimator.
            config.algorithm.adv_estimator = AdvantageEstimator.GRPO.value
        self.step_watch = StepWatch(self.tapo.max_failed_steps, TEACHING if self.tapo.opsd.enable else CONSTRUCTING)
        print(banner(self.tapo, config), flush=True)
        super().__init__(config)

    def _init_tokenizer(self) -> None:
        super()._init_tokenizer()
        if self.tapo.enable:
            model_config = omega_conf_to_dataclass(self.config.actor_rollout_ref.model)
            limit = get_max_position_embeddings(model_config.hf_config)
            set_max_model_len(self.tapo, self.config, self.tokenizer, limit)
            warn_of_thinking(self.tapo, self.config, self.tokenizer)

    def _init_resource_pool_mgr(self) -> None:
        super()._init_resource_pool_mgr()
        for role, worker in self.role_worker_mapping.items():
            ours = _WORKERS.get(worker.__ray_metadata__.modified_class.__ray_actor_class__)
            if ours is not None:
                self.role_worker_mapping[role] = ray.remote(ours)

    def _reissue_inflight_prompts(self, *args, **kwargs) -> int:
        """As verl's, the first that any of its trainers asks to be sampled; before it an earlier start's dump of these
        steps, which this run does again, is set aside.
        """
        if self.tapo.dump_dir:
            moved = set_aside(self.tapo.dump_dir, self.global_steps)
            if moved:
                print(
                    f"TAPO: {moved} files of tapo.dump_dir from step {self.global_steps} on lie in replaced/",
                    flush=True,
                )
        return super()._reissue_inflight_prompts(*args, **kwargs)

    def on_step_begin(self) -> None:
        """As verl's; ends a run that no longer constructs, once the metrics of its last step have been logged."""
        super().on_step_begin()
        self.step_watch.check()

    def on_sample_begin(self) -> None:
        """As verl's; from here on the step waits for rollouts and constructions."""
        super().on_sample_begin()
        if self.local_trigger_step == 0:
            self._waited_from = time.time()

    def _balance_batch(self, batch: KVBatchMeta, *args, **kwargs) -> KVBatchMeta:
        if not reflected_keys(batch):
            return super()._balance_batch(batch, *args, **kwargs)

        ranks, steps = 1, self._optimizer_steps(batch)

        def multiple(dp_size: int) -> int:
            nonlocal ranks
            ranks = dp_size
            return batch_multiple(self.config, dp_size, self.use_reference_policy and not self.ref_in_actor, steps)

        # verl asks this method for the multiple without saying for which batch: for this call it is ours.
        self._get_required_batch_multiple = multiple
        try:
            batch = super()._balance_batch(batch, *args, **kwargs)
        finally:
            del self._get_required_batch_multiple
        deal_batch(batch, ranks, steps)
        return batch

    def _optimizer_steps(self, batch: KVBatchMeta) -> int:
        return num_mini_batch(self.config, len(rollout_keys(batch)))

    def _compute_old_log_prob(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        batch = super()._compute_old_log_prob(batch, metrics)
        if reflected_keys(batch):
            metrics.update(batch_metrics.diagnose_rollouts(batch, self.config.actor_rollout_ref))
        return batch

    def _compute_advantage(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        if self.tapo.opsd.enable:
            batch = super()._compute_advantage(batch, metrics)
            metrics.update(put_distillation_advantages(batch))
            return batch
        rollouts, padding, reflected = rollout_keys(batch), padding_keys(batch), reflected_keys(batch)
        if not reflected:
            return super()._compute_advantage(batch, metrics)
        if self.config.algorithm.use_kl_in_reward:
            self._put_penalized_rewards(reflected + padding, batch.partition_id)
        # Constructed rows have no sampler log-probs of their own: verl corrects, diagnoses and adapts β on rollouts
        # alone, as in a batch of GRPO, which has no padding either.
        graded = super()._compute_advantage(batch.select_keys(rollouts), metrics)
        self._put_weights(batch, reflected, metrics)
        corrected = rollouts if VERL_TOKEN_FACTOR in (graded.fields or []) else []
        _put_factors(corrected, padding if corrected else rollouts + padding, batch.partition_id)
        return self._put_group_advantages(batch)

    def _put_penalized_rewards(self, keys: list[str], partition: str | None) -> None:
        """r − β KL of other rows, as verl writes it for rollouts; call it before verl adapts β."""
        data = get_columns(keys, [SCORES, OLD_LOG_PROBS, REF_LOG_PROB, RESPONSE_MASK], partition)
        log_probs, reference = data[OLD_LOG_PROBS].values, data[REF_LOG_PROB].values
        divergence = (
            batch_metrics.kl_estimate(log_probs, reference, self.config.algorithm.kl_penalty)
            * data[RESPONSE_MASK].values
        )
        rewards = data[SCORES].values - self.kl_ctrl_in_reward.value * divergence
        put_columns(keys, {REWARDS: data[SCORES].like(rewards)}, partition)

    def _put_group_advantages(self, batch: KVBatchMeta) -> KVBatchMeta:
        """Writes the advantages of all rows, G_orig and G_ref normalised as ``tapo.advantage.mode`` says."""
        rewards_field = REWARDS if self.config.algorithm.use_kl_in_reward else SCORES
        data = get_columns(batch.keys, [RESPONSE_MASK, rewards_field], batch.partition_id)
        # As verl's GRPO: a session's last output stands for the session, and its other outputs get what it gets,
        # which is nothing where no token of it is trained on.
        finals, final_B = torch.tensor(final_rows(batch.keys)).unique(return_inverse=True)
        uid_F = np.array(get_uids(batch.keys, batch.partition_id))[finals.numpy()]
        mask_BT = data[RESPONSE_MASK].padded()
        advantages_FT, _ = get_adv_estimator_fn(ESTIMATOR_OF_MODE[self.tapo.advantage.mode])(
            token_level_rewards=data[rewards_field].padded()[finals],
            response_mask=mask_BT[finals],
            index=uid_F,
            config=self.config.algorithm,
        )
        advantages_F = advantages_FT[:, 0] * mask_BT.bool().any(dim=-1)[finals]
        advantages = data[RESPONSE_MASK].of_rows(advantages_F[final_B])
        return put_columns(batch.keys, {ADVANTAGES: advantages, RETURNS: advantages}, batch.partition_id)

    def _put_weights(self, batch: KVBatchMeta, reflected: list[str], metrics: dict) -> None:
        """Writes Eq. 7's weights of constructed rows, those of the turn spared as ``ots.spare_turn`` says."""
        data = get_columns(reflected, [OLD_LOG_PROBS, ENTROPY, RESPONSE_MASK], batch.partition_id)
        column = data[OLD_LOG_PROBS]
        weights = torch.ones_like(column.values)
        if self.tapo.ots.enable:
            limits = {"w_min": self.tapo.ots.w_min, "w_max": self.tapo.ots.w_max}
            weights = ots_weights(column.values, data[ENTROPY].values, **limits)
            kept_B = prefix_lengths(batch)
            turns, ends = (column.offsets[:-1] + kept_B)[kept_B > 0], column.offsets[1:][kept_B > 0]
            metrics.update(turn_metrics(weights[turns]))
            weights = spare_turns(weights, turns, ends, self.tapo.ots.spare_turn)
            metrics.update(weight_metrics(weights[data[RESPONSE_MASK].values.bool()], **limits))
            self._dump_weights(batch, reflected, weights)
        put_columns(reflected, {TOKEN_FACTOR: column.like(weights)}, batch.partition_id)

    def _dump_weights(self, batch: KVBatchMeta, keys: list[str], weights: torch.Tensor) -> None:
        if self.tapo.dump_dir:
            responses = get_columns(keys, [RESPONSES], batch.partition_id)[RESPONSES]
            # verl's thread for dumps: it waits for them before the run ends, and the step does not.
            writing = self._dump_executor.submit(
                write_weights,
                self.tapo.dump_dir,
                self.tokenizer,
                self.global_steps,
                keys,
                [uid_of_key(key) for key in keys],
                responses.nested(),
                responses.like(weights).nested(),
            )
            self._dump_futures.append(writing)

    def _update_actor(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        if reflected_keys(batch):
            plan = make_plan(self.config, self.tapo, len(batch), self._optimizer_steps(batch), _group_sizes(batch))
            plan.rows_per_mini_batch()  # raises where the batch was not padded for the plan
            batch.extra_info = {**(batch.extra_info or {}), PLAN_KEY: plan.to_plain()}
        return super()._update_actor(batch, metrics)

    def _compute_metrics(self, batch: KVBatchMeta, metrics: dict, *args, **kwargs) -> None:
        """verl's metrics over rollouts alone, as in a batch of GRPO; ours under ``tapo/``."""
        of_rollouts = batch.select_keys(rollout_keys(batch)) if reflected_keys(batch) else batch
        super()._compute_metrics(of_rollouts, metrics, *args, **kwargs)
        if not self.tapo.enable:
            return
        if self.tapo.opsd.enable:
            metrics.update(take_report_metrics())
            self.step_watch.add(teaching_counts(metrics))
            return
        metrics.update(batch_metrics.of_step(batch, self._waited_from, self.use_reference_policy))
        self.step_watch.add(construction_counts(metrics))
        if reflected_keys(batch) and self.verl_mode != TRAINER_MODES[TRAINER_MODE]:
            # One version of the weights for each step: this step began with that of the last one.
            metrics.update(staleness_metrics(self.global_steps - 1, row_versions(batch)))


@register_trainer(TRAINER_MODE)
class TapoTrainer(TapoOverrides, PPOTrainerSync):
    """Registered as ``trainer.v1.trainer_mode=tapo``."""

    verl_mode = TRAINER_MODES[TRAINER_MODE]


@register_trainer(COLOCATE_ASYNC)
class TapoColocateAsyncTrainer(TapoOverrides, PPOTrainerColocateAsync):
    """Registered as ``trainer.v1.trainer_mode=tapo_colocate_async``; docs/asynchronous.md says what is meant by it."""

    verl_mode = TRAINER_MODES[COLOCATE_ASYNC]


@register_trainer(SEPARATE_ASYNC)
class TapoSeparateAsyncTrainer(TapoOverrides, PPOTrainerSeparateAsync):
    """Registered as ``trainer.v1.trainer_mode=tapo_separate_async``."""

    verl_mode = TRAINER_MODES[SEPARATE_ASYNC]


def _put_factors(corrected: list[str], others: list[str], partition: str | None) -> None:
    """Writes the factors of rollouts and padding: verl's rollout correction where there is one, else 1."""
    if corrected:
        factor = get_columns(corrected, [VERL_TOKEN_FACTOR], partition)[VERL_TOKEN_FACTOR]
        put_columns(corrected, {TOKEN_FACTOR: factor}, partition)
    if others:
        mask = get_columns(others, [RESPONSE_MASK], partition)[RESPONSE_MASK]
        put_columns(others, {TOKEN_FACTOR: mask.of_rows(torch.ones(len(others)))}, partition)


def _group_sizes(batch: KVBatchMeta) -> GroupSizes:
    """What both groups train on in the whole batch."""
    mask = get_columns(batch.keys, [LOSS_MASK], batch.partition_id)[LOSS_MASK]
    is_reflection_B = torch.tensor([row.is_reflection for row in rows_of(batch)])
    return GroupSizes(*group_sizes(mask.padded(), is_reflection_B).tolist())
