"""Decoupled advantage estimation (DAE; paper §3.4, Eqs. 4-5)."""

from typing import Literal

import numpy as np
import torch

AdvantageMode = Literal["decoupled", "joint", "anchored"]


def group_advantages(
    scores_B: torch.Tensor,
    uid_B: np.ndarray,
    is_reflection_B: np.ndarray | None = None,
    *,
    mode: AdvantageMode = "decoupled",
    norm_by_std: bool = True,
    epsilon: float = 1e-6,
) -> torch.Tensor:
    """A = (r - μ_G) / (σ_G + ε) within each group (Eq. 5), one scalar per row.

    As in verl's GRPO, σ is the sample standard deviation (the paper's Eq. 1 divides by K instead of
    K - 1) and a group of one has μ = 0, σ = 1, so A = r. A group without variance has A = 0.

    Args:
        scores_B: Outcome rewards r, shape (B,).
        uid_B: The query that each row answers, shape (B,).
        is_reflection_B: Which rows are constructed, shape (B,), bool: G_ref beside G_orig (Eq. 4). None: no row is.
        mode: ``decoupled`` normalises G_orig and G_ref apart (the paper); ``joint`` together (its
            ablation); ``anchored`` (ours) normalises G_ref by G_orig's μ and σ and leaves G_orig as it is,
            which keeps a signal where all constructions are right. A G_ref without G_orig is decoupled.
        norm_by_std: Whether to divide by σ + ε (verl's ``norm_adv_by_std_in_grpo``).
        epsilon: verl's ε.

    Returns:
        Advantages, shape (B,).

    Raises:
        ValueError: An unknown mode.
    """
    if mode not in ("decoupled", "joint", "anchored"):
        raise ValueError(f"unknown advantage mode {mode!r}; use decoupled, joint or anchored")
    _, query_B = np.unique(np.asarray(uid_B).astype(str), return_inverse=True)
    reflected_B = torch.zeros_like(scores_B, dtype=torch.bool)
    if is_reflection_B is not None:
        reflected_B = torch.from_numpy(np.asarray(is_reflection_B, dtype=bool)).to(scores_B.device)
    group_B = torch.from_numpy(query_B).to(scores_B.device)
    if mode == "decoupled":
        group_B = 2 * group_B + reflected_B
    counted_B = torch.ones_like(scores_B, dtype=torch.bool)
    if mode == "anchored":
        counted_B = ~reflected_B
        counted_B |= _group_sum(counted_B.float(), group_B)[group_B] == 0

    mean_G, std_G, constant_G = _statistics(scores_B, group_B, counted_B)
    advantages_B = scores_B - mean_G[group_B]
    if norm_by_std:
        advantages_B = advantages_B / (std_G[group_B] + epsilon)
    return advantages_B.masked_fill(constant_G[group_B], 0.0)


def _group_sum(values_B: torch.Tensor, group_B: torch.Tensor) -> torch.Tensor:
    groups = int(group_B.max()) + 1 if group_B.numel() else 0
    return values_B.new_zeros(groups).index_add_(0, group_B, values_B)


def _statistics(
    scores_B: torch.Tensor, group_B: torch.Tensor, counted_B: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean, sample standard deviation and "has no variance" per group, over the counted rows."""
    counted = counted_B.to(scores_B.dtype)
    count_G = _group_sum(counted, group_B)
    mean_G = _group_sum(scores_B * counted, group_B) / count_G.clamp(min=1)
    squared_G = _group_sum(((scores_B - mean_G[group_B]) ** 2) * counted, group_B)
    std_G = (squared_G / (count_G - 1).clamp(min=1)).sqrt()

    single_G = count_G == 1
    mean_G = mean_G.masked_fill(single_G, 0.0)
    std_G = std_G.masked_fill(single_G, 1.0)

    low_G = torch.full_like(count_G, torch.inf).scatter_reduce(
        0, group_B, scores_B.masked_fill(~counted_B, torch.inf), "amin"
    )
    high_G = torch.full_like(count_G, -torch.inf).scatter_reduce(
        0, group_B, scores_B.masked_fill(~counted_B, -torch.inf), "amax"
    )
    return mean_G, std_G, (low_G == high_G) & ~single_G


def token_advantages(
    token_level_rewards_BT: torch.Tensor,
    uid_B: np.ndarray,
    is_reflection_B: np.ndarray | None = None,
    *,
    mode: AdvantageMode = "decoupled",
    norm_by_std: bool = True,
    epsilon: float = 1e-6,
) -> torch.Tensor:
    """Gives every token its row's advantage.

    Returns:
        Shape (B, T), a view of B numbers, not to be written to: at training size the tensor itself would cost more
        than everything else here. Masked tokens have their row's advantage too; whatever reads advantages masks.
    """
    with torch.no_grad():
        scores_B = token_level_rewards_BT.sum(dim=-1)
        advantages_B = group_advantages(
            scores_B, uid_B, is_reflection_B, mode=mode, norm_by_std=norm_by_std, epsilon=epsilon
        )
        return advantages_B.unsqueeze(-1).expand_as(token_level_rewards_BT)
