"""A sum over rows, and its gradient, a few rows at a time.

autograd keeps the intermediate results of a formula until backward, a dozen tensors of shape (B, T) for the policy
loss. Here some rows go forward and backward before the next do, and only their gradient is kept.
"""

from collections.abc import Callable

import torch

CHUNK_TOKENS = 2**17  # what a dozen such tensors need fits a CPU's cache; on a GPU a micro-batch is seldom more


def sum_over_rows(
    sums_of_rows: Callable[[slice, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    log_probs_BT: torch.Tensor,
    *,
    chunk_tokens: int = CHUNK_TOKENS,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Adds up what a function says of each chunk of rows.

    Args:
        sums_of_rows: Given which rows, and their log-probabilities, returns their share of the loss (a scalar)
            and of any other sums (a vector, used without gradient).
        log_probs_BT: Where the gradient goes.
        chunk_tokens: Rows are taken together up to so many tokens; a longer row goes alone.

    Returns:
        The loss, which can go backward once, and the other sums. Of one chunk these are the function's own numbers,
        of several they are sums in another order; the gradient is the same to the bit.
    """
    rows, tokens = log_probs_BT.shape
    rows_per_chunk = max(1, chunk_tokens // max(1, tokens))
    with_gradient = torch.is_grad_enabled() and log_probs_BT.requires_grad
    gradient_BT = torch.empty_like(log_probs_BT) if with_gradient else None
    losses, others = [], []
    for start in range(0, rows, rows_per_chunk):
        chunk = slice(start, start + rows_per_chunk)
        log_probs = log_probs_BT[chunk].detach().requires_grad_(with_gradient)
        loss, other = sums_of_rows(chunk, log_probs)
        if gradient_BT is not None:
            (gradient_BT[chunk],) = torch.autograd.grad(loss, log_probs)
        losses.append(loss.detach())
        others.append(other.detach())
    total = torch.stack(losses).sum()
    if gradient_BT is not None:
        total = _KnownGradient.apply(log_probs_BT, total, gradient_BT)
    return total, torch.stack(others).sum(dim=0)


class _KnownGradient(torch.autograd.Function):
    """A scalar whose gradient is there already."""

    @staticmethod
    def forward(ctx, log_probs_BT: torch.Tensor, value: torch.Tensor, gradient_BT: torch.Tensor) -> torch.Tensor:
        ctx.gradient_BT = gradient_BT
        return value.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, outer: torch.Tensor) -> tuple[torch.Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if ctx.gradient_BT is None:
            raise RuntimeError("the policy loss goes backward once: its gradient is handed over, not copied")
        gradient_BT, ctx.gradient_BT = ctx.gradient_BT, None
        return gradient_BT.mul_(outer), None, None
