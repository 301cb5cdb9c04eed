"""What the policy thinks of a constructed trajectory as an answer to the plain question."""

from dataclasses import asdict, dataclass
from typing import Any

from recipe_tapo.algorithm.token_weights import ots_weights
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.attempt import Attempt
from recipe_tapo.preview.policy import PreviewPolicy, answered

# The tokens after the preserved prefix in which the turn is made.
TURN_TOKENS = 12


@dataclass(frozen=True)
class MeasurableRow:
    """A constructed row as training has it.

    Attributes:
        prompt_ids: The plain question.
        response_ids: The trajectory.
        prefix_length: How many of its tokens are y⁻'s own.
    """

    prompt_ids: list[int]
    response_ids: list[int]
    prefix_length: int


def measurable(attempt: Attempt) -> dict[str, Any] | None:
    """The row of an attempt, as plain data; None for one that gave nothing to train on."""
    trajectory = attempt.trajectory
    if attempt.record.reason is not None or trajectory is None:
        return None
    return asdict(MeasurableRow(attempt.error.prompt_ids, trajectory.response_ids, trajectory.prefix_length))


async def measure(row: MeasurableRow, tapo: TapoConfig, policy: PreviewPolicy) -> dict[str, float] | None:
    """Likelihood and weights (Eq. 7) past the preserved prefix.

    Returns:
        ``nll`` and ``turn_nll`` in nats per token, and ``at_w_min``, the share of tokens at the lower bound of w; None
        where prompt and trajectory are longer than the context.

    Raises:
        InputError: The engine fails.
    """
    import torch

    token_ids = [*row.prompt_ids, *row.response_ids]
    if len(token_ids) >= policy.max_model_len:
        return None
    likelihood = await answered(policy.likelihood(token_ids))
    start = len(row.prompt_ids) + row.prefix_length
    log_probs, entropies = torch.tensor(likelihood.log_probs), torch.tensor(likelihood.entropies)
    weights = ots_weights(log_probs, entropies, w_min=tapo.ots.w_min, w_max=tapo.ots.w_max)[start:]
    return {
        "nll": float(-log_probs[start:].mean()),
        "turn_nll": float(-log_probs[start : start + TURN_TOKENS].mean()),
        "at_w_min": float((weights <= tapo.ots.w_min).float().mean()),
    }
