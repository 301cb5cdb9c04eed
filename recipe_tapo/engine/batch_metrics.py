"""Metrics of a batch whose fields lie in TransferQueue: which rows count, which fields are fetched for them."""

from typing import cast

import numpy as np
import torch
from omegaconf import DictConfig
from transfer_queue import KVBatchMeta
from verl.protocol import DataProto
from verl.trainer.ppo.core_algos import agg_loss, kl_penalty
from verl.utils.debug.metrics import calculate_debug_metrics

from recipe_tapo.construction.reports import GroupReport
from recipe_tapo.engine.metrics import (
    distribution_metrics,
    reflection_metrics,
    rollout_metrics,
    timing_metrics,
    yield_metrics,
)
from recipe_tapo.engine.rows import (
    ADVANTAGES,
    ENTROPY,
    OLD_LOG_PROBS,
    REF_LOG_PROB,
    RESPONSE_MASK,
    RESPONSES,
    SCORES,
    get_columns,
    get_uids,
    reflected_keys,
    rollout_keys,
    rows_of,
    uid_of_key,
)


def diagnose_rollouts(batch: KVBatchMeta, model: DictConfig) -> dict[str, float]:
    """verl's entropy and rollout-vs-actor metrics, of rollouts alone.

    Args:
        batch: A batch with old log-probs.
        model: verl's ``actor_rollout_ref``.
    """
    fields = [ENTROPY, RESPONSE_MASK, OLD_LOG_PROBS]
    compare = model.rollout.calculate_log_probs
    if compare:
        fields += [RESPONSES, "rollout_log_probs"]
    columns = get_columns(rollout_keys(batch), fields, batch.partition_id)
    data = {name: column.padded() for name, column in columns.items()}
    entropy = agg_loss(
        loss_mat=data[ENTROPY],
        loss_mask=data[RESPONSE_MASK],
        loss_agg_mode=model.actor.loss_agg_mode,
        loss_scale_factor=model.actor.loss_scale_factor,
    )
    metrics = {"actor/entropy": entropy.item()}
    if compare:
        metrics |= calculate_debug_metrics(DataProto.from_dict(tensors=data))
    return metrics


def of_step(batch: KVBatchMeta, waited_from: float, reference: bool) -> dict[str, float]:
    """What became of the step's groups, how its rollouts spread, and how its constructed rows differ from them.

    Args:
        batch: A batch with advantages.
        waited_from: When the step began to wait for rollouts and constructions, in seconds of ``time.time``.
        reference: Whether a reference policy has scored the batch.
    """
    reports = [GroupReport.from_plain(row.report) for row in rows_of(batch) if row.report is not None]
    constructed = reflected_keys(batch)
    return {
        **yield_metrics(reports),
        **timing_metrics(reports, waited_from),
        **of_rollouts(batch),
        "tapo/rows": len(constructed),
        **(of_reflections(batch, reference) if constructed else {}),
    }


def of_rollouts(batch: KVBatchMeta) -> dict[str, float]:
    """How the rewards of the batch's rollouts spread within their groups."""
    keys = rollout_keys(batch)
    rewards_B = get_columns(keys, [SCORES], batch.partition_id)[SCORES].padded().sum(dim=-1)
    return rollout_metrics(rewards_B, [uid_of_key(key) for key in keys])


def of_reflections(batch: KVBatchMeta, reference: bool) -> dict[str, float]:
    """How the batch's constructed rows differ from rollouts.

    Args:
        batch: A batch with advantages and at least one constructed row.
        reference: Whether a reference policy has scored it.
    """
    keys = reflected_keys(batch)
    fields = [ADVANTAGES, RESPONSE_MASK, ENTROPY, OLD_LOG_PROBS, *([REF_LOG_PROB] if reference else [])]
    columns = get_columns(keys, fields, batch.partition_id)
    data = {name: column.padded() for name, column in columns.items()}
    divergence = kl_estimate(data[OLD_LOG_PROBS], data[REF_LOG_PROB], "low_var_kl") if reference else None
    uids = np.array(get_uids(keys, batch.partition_id))
    return {
        **reflection_metrics(data[ADVANTAGES], data[RESPONSE_MASK], uids, columns[RESPONSE_MASK].lengths_B),
        **distribution_metrics(data[RESPONSE_MASK], data[ENTROPY], data[OLD_LOG_PROBS], divergence),
    }


def kl_estimate(log_probs: torch.Tensor, reference: torch.Tensor, kind: str) -> torch.Tensor:
    """verl's KL estimate per token, whose annotations ask for CUDA's or the CPU's float tensors by name."""
    return kl_penalty(cast(torch.FloatTensor, log_probs), cast(torch.FloatTensor, reference), kind)
