"""TAPO's advantage estimator and policy loss in the form verl's registries call them."""

from typing import Any

import numpy as np
import torch
from verl.trainer.ppo import core_algos
from verl.utils.torch_functional import masked_mean

from recipe_tapo.advantages import AdvantageMode, token_advantages
from recipe_tapo.loss import clipped_surrogate

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
        advantages = token_advantages(token_level_rewards, index, mode=mode, norm_by_std=norm_by_std)
        return advantages, advantages

    estimator.__doc__ = f"Advantages (and returns, the same) of shape (B, T); see ``token_advantages``, mode {mode}."
    return estimator


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
    (see ``recipe_tapo.loss``). Without it this is verl's ``vanilla`` loss.
    """
    clip_low = config.clip_ratio if config.clip_ratio_low is None else config.clip_ratio_low
    clip_high = config.clip_ratio if config.clip_ratio_high is None else config.clip_ratio_high
    clip_dual = config.get("clip_ratio_c", 3.0)
    log_ratio = torch.clamp(log_prob - old_log_prob, min=-20.0, max=20.0)
    ratio = log_ratio.exp()
    losses = clipped_surrogate(ratio, advantages, clip_low=clip_low, clip_high=clip_high, clip_dual=clip_dual)
    if rollout_is_weights is not None:
        losses = losses * rollout_is_weights
    loss = core_algos.agg_loss(
        loss_mat=losses, loss_mask=response_mask, loss_agg_mode=loss_agg_mode, **config.global_batch_info
    )

    with torch.no_grad():
        positive, negative = advantages > 0, advantages < 0
        clipped = (positive & (ratio > 1 + clip_high)) | (negative & (ratio < 1 - clip_low))
        metrics = {
            "actor/pg_clipfrac": masked_mean(clipped, response_mask).item(),
            "actor/ppo_kl": masked_mean(-log_ratio, response_mask).item(),
            "actor/pg_clipfrac_lower": masked_mean(negative & (ratio > clip_dual), response_mask).item(),
        }
    return loss, metrics


def register() -> None:
    """Registers the estimators and the loss; a second call changes nothing."""
    for mode, name in ESTIMATOR_OF_MODE.items():
        if name not in core_algos.ADV_ESTIMATOR_REGISTRY:
            core_algos.register_adv_est(name)(_make_estimator(mode))
    core_algos.register_policy_loss("tapo")(compute_policy_loss_tapo)
