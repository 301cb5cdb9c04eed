"""On-policy self-distillation (OPSD), the paper's baseline (§4): the policy is its own teacher, shown a right sibling.

The objective is the reverse KL on the student's own rollouts, estimated on its sampled tokens:

    KL(π_θ(· | x, y_<t) ‖ π_θ(· | x, y⁺, y_<t)) ≈ log π_θ(y_t | x, y_<t) − log π_θ(y_t | x, y⁺, y_<t)

Its policy gradient is the clipped surrogate with the negative estimate as each token's advantage, as in verl's
own distillation with ``use_policy_gradient`` and ``k1``. No reward and no group baseline enter.
"""

import random
from collections.abc import Sequence

import torch


def choose_siblings(correct_G: Sequence[bool], rng: random.Random) -> list[int | None]:
    """For each rollout of a group the right one to show the teacher, drawn uniformly; never the rollout itself.

    Returns:
        Positions in the group; None where no other rollout is right, so that this rollout has no teacher.
    """
    positives = [i for i, correct in enumerate(correct_G) if correct]
    others = [[i for i in positives if i != rollout] for rollout in range(len(correct_G))]
    return [rng.choice(candidates) if candidates else None for candidates in others]


def distillation_advantages(
    teacher_log_probs: torch.Tensor, student_log_probs: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """log π_T − log π_θ per token, 0 where masked. Three tensors of one shape; without gradient.

    Args:
        teacher_log_probs: log π_θ(y_t | x, y⁺, y_<t).
        student_log_probs: log π_θ(y_t | x, y_<t), the old policy's.
        mask: 1 on trained tokens.
    """
    with torch.no_grad():
        return (teacher_log_probs - student_log_probs) * mask
