"""The TAPO objective (paper §3.4, Eqs. 6 and 8).

    L = L_GRPO(G_orig) + λ · L_ref(G_ref)

Both terms are the clipped surrogate; L_ref multiplies each token's term by its OTS weight w_t. Each
group has a denominator of its own. verl divides a whole mini-batch by a single one, so the per-group
denominators enter as coefficients: with D verl's denominator and D_G the group's,

    (1/D) Σ_t (D/D_orig) l_t [t ∈ G_orig]  +  (1/D) Σ_t λ (D/D_ref) w_t l_t [t ∈ G_ref]

is the objective above, whatever the split into ranks and micro-batches. With several optimizer steps on one batch of
rollouts D_orig is the mini-batch's and D_ref the batch's share for each step (``recipe_tapo.algorithm.mini_batches``).
"""

from dataclasses import dataclass
from typing import Literal

import torch

LossNormalization = Literal["per_group", "joint"]

SEQUENCE_MEAN_MODES = ("seq-mean-token-sum", "seq-mean-token-sum-norm", "seq-mean-token-mean")


def clipped_surrogate(
    ratio: torch.Tensor, advantages: torch.Tensor, *, clip_low: float, clip_high: float, clip_dual: float
) -> torch.Tensor:
    """-min(ρ A, clip(ρ, 1 - ε_low, 1 + ε_high) A) per token, as verl's ``vanilla`` loss computes it.

    For A ≥ 0 the minimum stops ρ at 1 + ε_high alone, for A < 0 at 1 - ε_low alone, and there verl's dual clip
    stops it at the other end: so it is -A times a ρ kept within bounds, in a third of the passes over memory.

    Args:
        ratio: ρ = π_θ / π_old, any shape; carries the gradient.
        advantages: A, same shape.
        clip_low: ε_low.
        clip_high: ε_high.
        clip_dual: verl's dual clip: for A < 0 the loss is at most -A · clip_dual.

    Returns:
        The loss of each token, same shape, unmasked.
    """
    negative = advantages < 0
    low = torch.where(negative, ratio.new_full((), 1 - clip_low), 0.0)
    high = torch.where(negative, ratio.new_full((), clip_dual), 1 + clip_high)
    return -advantages * torch.clamp(ratio, low, high)


@dataclass(frozen=True)
class GroupSizes:
    """Trained tokens, and sequences with any, of both groups, over all ranks of a mini-batch or of a whole batch."""

    original_tokens: float
    reflection_tokens: float
    original_sequences: float
    reflection_sequences: float


def group_sizes(mask_BT: torch.Tensor, is_reflection_B: torch.Tensor) -> torch.Tensor:
    """Counts for ``GroupSizes`` on this rank, in its field order, shape (4,), ready to be summed over ranks.

    Args:
        mask_BT: 1 on trained tokens. Fully masked rows (padding) count nowhere.
        is_reflection_B: Which rows are constructed.
    """
    tokens_B = mask_BT.sum(dim=-1).double()
    sequences_B = (tokens_B > 0).double()
    reflection_B = is_reflection_B.to(tokens_B.device).double()
    original_B = 1 - reflection_B
    return torch.stack(
        [
            (tokens_B * original_B).sum(),
            (tokens_B * reflection_B).sum(),
            (sequences_B * original_B).sum(),
            (sequences_B * reflection_B).sum(),
        ]
    )


def group_coefficients(
    sizes: GroupSizes,
    batch: GroupSizes,
    denominator: float,
    *,
    loss_agg_mode: str,
    steps: int = 1,
    lambda_ref: float = 1.0,
    normalization: LossNormalization = "per_group",
) -> tuple[float, float]:
    """The factors that turn verl's mean over the mini-batch into the objective (module docstring).

    ``per_group`` (Eq. 6) divides G_orig's term by the mini-batch's original tokens or rows, and G_ref's by the batch's
    constructed ones over the steps. ``joint`` divides both by all trained tokens or rows of the mini-batch, which is
    what verl would do if constructed rows were rollouts. ``token-sum`` divides by nothing, in either.

    Args:
        sizes: What each group trains on in this mini-batch.
        batch: What each group trains on in the whole batch of rollouts, over all its optimizer steps.
        denominator: What verl divides by: the mini-batch's tokens for ``token-mean``, its rows for the
            sequence means. Unused for ``token-sum``, which has none.
        loss_agg_mode: verl's ``actor.loss_agg_mode``.
        steps: Optimizer steps on the batch, S; the mini-batch is one of them.
        lambda_ref: λ.
        normalization: ``per_group`` or ``joint``.

    Returns:
        Coefficients of G_orig's and G_ref's tokens. That of an empty group is 0: it has no token.

    Raises:
        ValueError: An unknown mode.
    """
    if loss_agg_mode == "token-sum":
        return 1.0, lambda_ref
    if loss_agg_mode == "token-mean":
        original, reflection, of_batch = sizes.original_tokens, sizes.reflection_tokens, batch.reflection_tokens
    elif loss_agg_mode in SEQUENCE_MEAN_MODES:
        original, reflection = sizes.original_sequences, sizes.reflection_sequences
        of_batch = batch.reflection_sequences
    else:
        raise ValueError(f"unknown loss_agg_mode {loss_agg_mode!r}")
    if normalization == "joint":
        original = reflection = original + reflection
    else:
        reflection = of_batch / steps
    return (
        denominator / original if original else 0.0,
        lambda_ref * denominator / reflection if reflection else 0.0,
    )
