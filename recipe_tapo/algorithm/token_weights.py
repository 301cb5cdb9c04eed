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
