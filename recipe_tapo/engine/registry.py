"""TAPO's advantage estimators and policy loss in verl's registries; importing this module registers them.

The trainer's and the training worker's modules import it, so that it is registered wherever verl looks it up.
"""

from typing import Any

import numpy as np
import torch
from verl.trainer.ppo import core_algos
from verl.utils.torch_functional import masked_sum

from recipe_tapo.algorithm.advantages import AdvantageMode, token_advantages
from recipe_tapo.algorithm.loss import clipped_surrogate
from recipe_tapo.algorithm.row_chunks import sum_over_rows
from recipe_tapo.engine.names import LOSS_MODE
from recipe_tapo.engine.rows import split_uids

ESTIMATOR_OF_MODE: dict[AdvantageMode, str] = {
    "decoupled": "tapo",
    "joint": "tapo_joint",
    "anchored": "tapo_anchored",
}


def _make_estimator(mode: AdvantageMode):
    def estimator(
        token_level_rewards: torch.Tensor,
        index: np.ndarray,
        config: Any = None,
        **_: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        norm_by_std = True if config is None else config.get("norm_adv_by_std_in_grpo", True)
        advantages = token_advantages(token_level_rewards, *split_uids(index), mode=mode, norm_by_std=norm_by_std)
        return advantages, advantages

    estimator.__doc__ = f"Advantages (and returns, the same) of shape (B, T); see ``token_advantages``, mode {mode}."
    return estimator


for _mode, _name in ESTIMATOR_OF_MODE.items():
    if _name not in core_algos.ADV_ESTIMATOR_REGISTRY:  # verl refuses a second function of one name
        core_algos.register_adv_est(_name)(_make_estimator(_mode))


@core_algos.register_policy_loss(LOSS_MODE)
def compute_policy_loss_tapo(
    old_log_prob: torch.Tensor,
    log_prob: torch.Tensor,
    advantages: torch.Tensor,
    response_mask: torch.Tensor,
    loss_agg_mode: str = "token-mean",
    config: Any = None,
    rollout_is_weights: torch.Tensor | None = None,
) -> tuple[torch.Tensor, dict[str, float]]:
    """L_GRPO(G_orig) + λ L_ref(G_ref) (Eqs. 6, 8) over one micro-batch; all tensors of shape (B, T).

    OTS weights, λ and the per-group denominators arrive as one factor per token in ``rollout_is_weights``
    (see ``recipe_tapo.algorithm.loss``). Without it this is verl's ``vanilla`` loss.
    """
    clip_low = config.clip_ratio if config.clip_ratio_low is None else config.clip_ratio_low
    clip_high = config.clip_ratio if config.clip_ratio_high is None else config.clip_ratio_high
    clip_dual = config.get("clip_ratio_c", 3.0)
    tokens_B = response_mask.sum(dim=-1)
    batch_info = _global_batch_info(config.global_batch_info, tokens_B)

    def loss_and_metrics(rows: slice, log_prob: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        advantage, mask = advantages[rows], response_mask[rows]
        log_ratio = torch.clamp(log_prob - old_log_prob[rows], min=-20.0, max=20.0)
        ratio = log_ratio.exp()
        losses = clipped_surrogate(ratio, advantage, clip_low=clip_low, clip_high=clip_high, clip_dual=clip_dual)
        if rollout_is_weights is not None:
            losses = losses * rollout_is_weights[rows]
        loss = core_algos.agg_loss(loss_mat=losses, loss_mask=mask, loss_agg_mode=loss_agg_mode, **batch_info)
        with torch.no_grad():
            positive, negative = advantage > 0, advantage < 0
            clipped = (positive & (ratio > 1 + clip_high)) | (negative & (ratio < 1 - clip_low))
            clipped_by_dual = negative & (ratio > clip_dual)
            return loss, torch.stack([masked_sum(x, mask) for x in (clipped, -log_ratio, clipped_by_dual)])

    loss, sums = sum_over_rows(loss_and_metrics, log_prob)
    names = ("actor/pg_clipfrac", "actor/ppo_kl", "actor/pg_clipfrac_lower")
    return loss, dict(zip(names, (sums / (tokens_B.sum() + 1e-8)).tolist(), strict=True))


def _global_batch_info(given: dict[str, Any], tokens_B: torch.Tensor) -> dict[str, Any]:
    """verl's denominators; where it gives none, those of this micro-batch, which ``agg_loss`` would count."""
    known = {key: value for key, value in given.items() if value is not None}
    if known.get("dp_size", 1) > 1:
        return known
    return {"batch_num_tokens": tokens_B.sum(), "global_batch_size": (tokens_B > 0).sum(), **known}
