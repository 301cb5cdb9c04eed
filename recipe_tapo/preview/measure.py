"""What the policy thinks of a constructed trajectory as an answer to the plain question."""

from recipe_tapo.algorithm.token_weights import ots_weights
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.attempt import Attempt
from recipe_tapo.preview.policy import PreviewPolicy, answered

# The tokens behind the preserved prefix in which the turn is made.
TURN_TOKENS = 12


async def measure(attempt: Attempt, tapo: TapoConfig, policy: PreviewPolicy) -> dict[str, float] | None:
    """Likelihood and weights (Eq. 7) past the preserved prefix.

    Returns:
        ``nll`` and ``turn_nll`` in nats per token, and ``at_w_min``, the share of tokens at the lower bound of w; None
        for an attempt that gave nothing to train on, and where prompt and trajectory are longer than the context.

    Raises:
        InputError: The engine fails.
    """
    trajectory = attempt.trajectory
    if attempt.record.reason is not None or trajectory is None:
        return None
    import torch

    prompt_ids = attempt.error.prompt_ids
    token_ids = [*prompt_ids, *trajectory.response_ids]
    if len(token_ids) >= policy.max_model_len:
        return None
    likelihood = await answered(policy.likelihood(token_ids))
    start = len(prompt_ids) + trajectory.prefix_length
    log_probs, entropies = torch.tensor(likelihood.log_probs), torch.tensor(likelihood.entropies)
    weights = ots_weights(log_probs, entropies, w_min=tapo.ots.w_min, w_max=tapo.ots.w_max)[start:]
    return {
        "nll": float(-log_probs[start:].mean()),
        "turn_nll": float(-log_probs[start : start + TURN_TOKENS].mean()),
        "at_w_min": float((weights <= tapo.ots.w_min).float().mean()),
    }
