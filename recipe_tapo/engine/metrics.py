"""The ``tapo/`` metrics: yields with reasons, hidden time, weights, and how constructed rows differ."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from recipe_tapo.construction.failed_steps import StepCounts
from recipe_tapo.construction.reports import GroupReport
from recipe_tapo.reasons import Recovery, RejectReason


def yield_metrics(reports: Sequence[GroupReport]) -> dict[str, float]:
    """Counts over the groups of one step; every reject reason is always present, so that curves have no holes.

    Reasons for sampling anew are present where they occur.
    """
    rejected = sum((report.rejected for report in reports), Counter[str]())
    retried = sum((report.retried for report in reports), Counter[str]())
    recovered = sum((report.recovered for report in reports), Counter[str]())
    attempts = sum(report.attempts for report in reports)
    parsed = sum(report.parsed for report in reports)
    right = sum(report.right for report in reports)
    metrics: dict[str, float] = {
        "tapo/groups": len(reports),
        "tapo/eligible_groups": sum(report.eligible for report in reports),
        "tapo/attempts": attempts,
        "tapo/parsed": parsed,
        "tapo/right": right,
        "tapo/retries": retried.total(),
        "tapo/synthesis_tokens": sum(report.synthesis_tokens for report in reports),
        "tapo/leaks": sum(report.leaks for report in reports),
        **{f"tapo/recovered/{how.value}": recovered[how.value] for how in Recovery},
        **{f"tapo/rejected/{reason.value}": rejected[reason.value] for reason in RejectReason},
        **{f"tapo/retried/{reason}": count for reason, count in retried.items()},
    }
    if reports:
        metrics["tapo/eligible_fraction"] = metrics["tapo/eligible_groups"] / len(reports)
    if attempts:
        metrics["tapo/parsed_fraction"] = parsed / attempts
    if parsed:
        metrics["tapo/right_fraction"] = right / parsed
        metrics["tapo/doubt_fraction"] = sum(report.doubts for report in reports) / parsed
        metrics |= _spread("tapo/new_tokens", [n for report in reports for n in report.new_tokens])
        metrics |= _spread("tapo/prefix_length", [n for report in reports for n in report.prefix_lengths])
        fractions = [share for report in reports for share in report.prefix_fractions]
        metrics["tapo/prefix_fraction/mean"] = float(np.mean(fractions))
        metrics["tapo/prefix_fraction/zero"] = float(np.mean(np.array(fractions) == 0))
    return metrics


def construction_counts(metrics: Mapping[str, float]) -> StepCounts:
    """What the metrics of a step say of its constructions."""
    return StepCounts(
        eligible=int(metrics["tapo/eligible_groups"]),
        attempts=int(metrics["tapo/attempts"]),
        usable=int(metrics["tapo/rows"]),
        rejected={reason.value: int(metrics[f"tapo/rejected/{reason.value}"]) for reason in RejectReason},
        right=int(metrics["tapo/right"]),
    )


def teaching_counts(metrics: Mapping[str, float]) -> StepCounts:
    """What the metrics of a step say of OPSD's scorings."""
    rollouts, rejected = int(metrics["tapo/opsd/rollouts"]), "tapo/opsd/rejected/"
    return StepCounts(
        eligible=rollouts,
        attempts=rollouts,
        usable=int(metrics["tapo/opsd/scored"]),
        rejected={name[len(rejected) :]: int(n) for name, n in metrics.items() if name.startswith(rejected)},
    )


def timing_metrics(reports: Sequence[GroupReport], waited_from: float = 0.0) -> dict[str, float]:
    """Seconds spent constructing and how much was hidden behind other groups' generation and training.

    A group's construction runs from its last rollout's end; the part before the last rollout of the
    whole batch ended is hidden, the rest is waited for. Group times overlap each other, so their sum
    exceeds wall-clock time; ``exposed_s`` is wall-clock.

    Args:
        reports: Those of one step's groups.
        waited_from: Wall clock when the trainer began to wait for them; what an asynchronous trainer's rollout servers
            constructed before, while it trained, is hidden too.
    """
    if not reports:
        return {}
    generation_end = max(waited_from, *(report.rollout_end for report in reports))
    spans = [(report.rollout_end, report.construction_end) for report in reports if report.attempts]
    total = sum(end - start for start, end in spans)
    hidden = sum(max(0.0, min(end, generation_end) - start) for start, end in spans)
    metrics = {
        "tapo/construction_s": total,
        "tapo/construction_exposed_s": max(0.0, max((end for _, end in spans), default=0.0) - generation_end),
    }
    if total > 0:
        metrics["tapo/construction_hidden_fraction"] = hidden / total
    return metrics


def staleness_metrics(current: int, versions: Sequence[tuple[int, int, int]]) -> dict[str, float]:
    """How old the weights are that wrote constructed rows, counted in versions: one for each training step.

    Args:
        current: The version that this step began with.
        versions: For each row the oldest version that wrote y⁻, and the oldest and newest that wrote the synthesis.
    """
    if not versions:
        return {}
    source_B, oldest_B, newest_B = np.array(versions).T
    return {
        "tapo/staleness/source/mean": float(np.mean(current - source_B)),
        "tapo/staleness/source/max": float(np.max(current - source_B)),
        "tapo/staleness/synthesis/mean": float(np.mean(current - oldest_B)),
        "tapo/staleness/synthesis/max": float(np.max(current - oldest_B)),
        "tapo/staleness/several_versions_fraction": float(np.mean(newest_B > oldest_B)),
        "tapo/staleness/newer_than_source_fraction": float(np.mean(newest_B > source_B)),
    }


def weight_metrics(weights: torch.Tensor, w_min: float, w_max: float) -> dict[str, float]:
    """Distribution of w_t over the trained tokens of constructed rows.

    A falling mean is the alarm for constructions that the policy would not write itself.

    Args:
        weights: Shape (N,).
        w_min: Lower clamp.
        w_max: Upper clamp.
    """
    if not weights.numel():
        return {}
    return {
        **_spread("tapo/ots_weight", weights.tolist()),
        "tapo/ots_weight/at_lower_bound": (weights <= w_min).float().mean().item(),
        "tapo/ots_weight/at_upper_bound": (weights >= w_max).float().mean().item(),
    }


def turn_metrics(weights_B: torch.Tensor) -> dict[str, float]:
    """What Eq. 7 leaves of the token that begins the reflection, the first one after the preserved prefix.

    Args:
        weights_B: Its weight in each constructed row that preserves something, before ``ots.spare_turn``.
    """
    return {"tapo/ots_weight/turn": weights_B.mean().item()} if weights_B.numel() else {}


def rollout_metrics(rewards_B: torch.Tensor, uid_B: Sequence[str]) -> dict[str, float]:
    """What rollouts bring to the update.

    A group whose rollouts all have the same reward does not say which of them to prefer: its advantages are 0.

    Args:
        rewards_B: The reward function's score of each rollout.
        uid_B: Their group ids.
    """
    if not len(uid_B):
        return {}
    _, group_B = np.unique(np.asarray(uid_B).astype(str), return_inverse=True)
    lowest_G, highest_G = np.full(group_B.max() + 1, np.inf), np.full(group_B.max() + 1, -np.inf)
    np.minimum.at(lowest_G, group_B, rewards_B.numpy())
    np.maximum.at(highest_G, group_B, rewards_B.numpy())
    return {"tapo/zero_variance_rollout_groups_fraction": float((lowest_G == highest_G).mean())}


def reflection_metrics(
    advantages_BT: torch.Tensor, mask_BT: torch.Tensor, uid_B: np.ndarray, lengths_B: torch.Tensor
) -> dict[str, float]:
    """What constructed rows bring to the update.

    Args:
        advantages_BT: Their advantages.
        mask_BT: Their trained tokens.
        uid_B: Their group ids.
        lengths_B: Their response lengths in tokens.
    """
    _, group_B = np.unique(np.asarray(uid_B).astype(str), return_inverse=True)
    size_B = (advantages_BT * mask_BT).abs().amax(dim=-1).numpy()
    largest_G = np.zeros(group_B.max() + 1)
    np.maximum.at(largest_G, group_B, size_B)
    return {
        "tapo/extra_tokens": float(mask_BT.sum()),
        "tapo/zero_advantage_groups_fraction": float((largest_G == 0).mean()),
        **_spread("tapo/response_length", lengths_B.tolist()),
    }


def distribution_metrics(
    mask_BT: torch.Tensor,
    entropy_BT: torch.Tensor,
    log_probs_BT: torch.Tensor,
    divergence_BT: torch.Tensor | None = None,
) -> dict[str, float]:
    """How far constructed rows are from what the policy would write.

    Args:
        mask_BT: Their trained tokens.
        entropy_BT: The old policy's entropies, in nats.
        log_probs_BT: The old policy's log-probabilities.
        divergence_BT: KL estimates to the reference policy, where there is one.
    """
    metrics = {"tapo/entropy": masked_mean(entropy_BT, mask_BT), "tapo/nll": masked_mean(-log_probs_BT, mask_BT)}
    if divergence_BT is not None:
        metrics["tapo/kl_to_reference"] = masked_mean(divergence_BT, mask_BT)
    return metrics


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> float:
    """Mean over unmasked tokens; NaN where there is none."""
    return float((values * mask).sum() / mask.sum()) if mask.sum() else float("nan")


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    return {
        f"{name}/mean": float(np.mean(values)),
        f"{name}/min": float(np.min(values)),
        f"{name}/max": float(np.max(values)),
    }
