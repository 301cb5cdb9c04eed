"""Estimator, token weights and loss against verl's GRPO estimator and vanilla loss, alternating in one process."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from examples.benchmark.memory import peak_extra_bytes

GROUP = 8
NAMES = ("estimator", "token weights", "loss, forward and backward")
Call = Callable[[], object]


@dataclass(frozen=True)
class Batch:
    """One training batch as the estimator and the loss see it; tensors of shape (rows, tokens)."""

    rewards: torch.Tensor
    mask: torch.Tensor
    index: np.ndarray
    old_log_probs: torch.Tensor
    log_probs: torch.Tensor
    entropies: torch.Tensor
    advantages: torch.Tensor


def make_batch(rows: int, tokens: int, seed: int = 0) -> Batch:
    """Random rows in groups of eight, of random lengths; every third group has reflected rows."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(tokens // 8, tokens + 1, (rows,), generator=generator)
    mask = (torch.arange(tokens) < lengths[:, None]).long()
    rewards = torch.zeros(rows, tokens)
    rewards[torch.arange(rows), lengths - 1] = torch.randint(0, 2, (rows,), generator=generator).float()
    groups = [row // GROUP for row in range(rows)]
    index = np.array([f"{g - 1}_reflected" if g % 3 == 1 else str(g) for g in groups], dtype=object)
    old = -torch.rand(rows, tokens, generator=generator)
    return Batch(
        rewards=rewards,
        mask=mask,
        index=index,
        old_log_probs=old,
        log_probs=(old + 0.02 * torch.randn(rows, tokens, generator=generator)).requires_grad_(),
        entropies=torch.rand(rows, tokens, generator=generator),
        advantages=torch.randn(rows, 1, generator=generator) * mask,
    )


def calls(batch: Batch) -> dict[str, tuple[Call | None, Call]]:
    """What is timed, by name: verl's call (None where verl has no such thing) and ours."""
    from verl.trainer.ppo import core_algos
    from verl.workers.config import ActorConfig, PolicyLossConfig

    from recipe_tapo.algorithm.token_weights import ots_weights
    from recipe_tapo.engine.registry import compute_policy_loss_tapo

    config = ActorConfig(
        strategy="fsdp2", rollout_n=1, ppo_micro_batch_size_per_gpu=1, policy_loss=PolicyLossConfig(loss_mode="tapo")
    )
    config.global_batch_info.update(dp_size=1, batch_num_tokens=int(batch.mask.sum()))
    estimator = core_algos.get_adv_estimator_fn("tapo")
    weights = ots_weights(batch.old_log_probs, batch.entropies)

    def loss(function: Callable[..., Any], **more: Any) -> Call:
        def call() -> object:
            batch.log_probs.grad = None
            value, metrics = function(
                old_log_prob=batch.old_log_probs,
                log_prob=batch.log_probs,
                advantages=batch.advantages,
                response_mask=batch.mask,
                config=config,
                **more,
            )
            value.backward()
            return metrics

        return call

    pairs = (
        (
            lambda: core_algos.compute_grpo_outcome_advantage(batch.rewards, batch.mask, batch.index),
            lambda: estimator(token_level_rewards=batch.rewards, response_mask=batch.mask, index=batch.index),
        ),
        (None, lambda: ots_weights(batch.old_log_probs, batch.entropies)),
        (
            loss(core_algos.compute_policy_loss_vanilla),
            loss(compute_policy_loss_tapo, rollout_is_weights=weights),
        ),
    )
    return dict(zip(NAMES, pairs, strict=True))


def measure(rows: int, tokens: int, repeats: int) -> dict[str, Any]:
    """Times verl's and our calls in turn.

    Returns:
        By name: median seconds of both, ``verl_over_ours`` as the median of the ratios of neighbouring calls, and
        ``extra_tensors`` (verl's: ``verl_extra_tensors``), peak extra memory in float tensors of shape (rows, tokens).
    """
    batch = make_batch(rows, tokens)
    results = {}
    for name, (verls, ours) in calls(batch).items():
        pairs = []
        for number in tqdm(range(repeats + 1), desc=name, leave=False):
            pair = (None if verls is None else _seconds(verls), _seconds(ours))
            if number:  # the first warms up
                pairs.append(pair)
        tensor_bytes = 4 * rows * tokens
        results[name] = {
            "ours_s": median(mine for _, mine in pairs),
            "verl_s": None if verls is None else median(theirs for theirs, _ in pairs),
            "verl_over_ours": None if verls is None else median(theirs / mine for theirs, mine in pairs),
            "extra_tensors": _in_tensors(ours, tensor_bytes),
            "verl_extra_tensors": None if verls is None else _in_tensors(verls, tensor_bytes),
        }
    return {"rows": rows, "tokens": tokens, "threads": torch.get_num_threads(), **results}


def _in_tensors(call: Call, tensor_bytes: int) -> float | None:
    extra = peak_extra_bytes(call)
    return None if extra is None else extra / tensor_bytes


def _seconds(call: Call) -> float:
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    del result
    return seconds
