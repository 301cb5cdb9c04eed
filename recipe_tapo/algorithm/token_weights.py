"""OOD token suppression (OTS; paper §3.4, Eq. 7)."""

import torch


def ots_weights(
    log_probs: torch.Tensor, entropies: torch.Tensor, *, w_min: float = 0.01, w_max: float = 10.0
) -> torch.Tensor:
    """w_t = clamp(exp(log π(y_t | x, y_<t) + H[π(· | x, y_<t)]), w_min, w_max), detached.

    A token about as likely as its distribution's typical token has w ≈ 1; one the policy would hardly
    write has w near w_min. Both inputs must come from the policy under the plain query x, never under
    the synthesis prompt; here they are the old policy's, which verl computes for every row.

    Args:
        log_probs: Log-probabilities of the trajectory's tokens, any shape.
        entropies: Entropies (nats) of the distributions they were drawn from, same shape.
        w_min: Lower clamp.
        w_max: Upper clamp.

    Returns:
        Weights of the same shape, without gradient. A NaN input gives w_min.
    """
    with torch.no_grad():
        return (log_probs + entropies).exp_().nan_to_num_(nan=w_min).clamp_(w_min, w_max)


def spare_turns(weights_N: torch.Tensor, turns: torch.Tensor, ends: torch.Tensor, tokens: int) -> torch.Tensor:
    """Raises the weights of a turn's first tokens to at least 1 (ours; ``tapo.ots.spare_turn``).

    A policy that does not reflect would hardly write "Wait", so that Eq. 7 leaves next to nothing of the one token
    that begins a reflection, while what comes after it weighs about 1.

    Args:
        weights_N: Of some trajectories' tokens, one trajectory after the other.
        turns: For each trajectory where its turn begins in them, the first token after the preserved prefix, (B,).
        ends: For each where it ends in them, (B,).
        tokens: Of each turn so many are spared, fewer where the trajectory ends before; 0: none.

    Returns:
        New weights of the same shape.
    """
    indices = turns[:, None] + torch.arange(min(tokens, weights_N.numel()))
    spared = indices[indices < ends[:, None]]
    weights_N = weights_N.clone()
    weights_N[spared] = weights_N[spared].clamp(min=1.0)
    return weights_N
