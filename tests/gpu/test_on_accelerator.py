"""The algorithm on a GPU: the same numbers as on the CPU, and what it costs at training size.

Needs torch, numpy and pytest only: `python -m pytest tests/gpu/test_on_accelerator.py -s` on a machine with a GPU.
"""

import numpy as np
import pytest
import torch

from recipe_tapo.algorithm.advantages import token_advantages
from recipe_tapo.algorithm.loss import GroupSizes, clipped_surrogate, group_coefficients, group_sizes
from recipe_tapo.algorithm.token_weights import ots_weights

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]

ROWS, TOKENS, GROUP = 4096, 4096, 8
CLIP = {"clip_low": 0.2, "clip_high": 0.2, "clip_dual": 3.0}


def make_batch(rows, tokens, device):
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(tokens) < torch.randint(1, tokens + 1, (rows, 1), generator=generator)
    uids = np.array([f"{i // GROUP}{'_reflected' if i % GROUP >= 6 else ''}" for i in range(rows)], dtype=object)
    rewards = torch.zeros(rows, tokens)
    rewards[:, 0] = torch.randint(0, 2, (rows,), generator=generator).float()
    old_log_prob = -torch.rand(rows, tokens, generator=generator)
    batch = {
        "rewards": rewards,
        "mask": mask.float(),
        "old_log_prob": old_log_prob,
        "log_prob": old_log_prob + 0.3 * torch.randn(rows, tokens, generator=generator),
        "entropy": torch.rand(rows, tokens, generator=generator),
        "is_reflection": torch.tensor([uid.endswith("_reflected") for uid in uids]),
    }
    return {name: value.to(device) for name, value in batch.items()}, uids


def objective(batch, uids):
    """Advantages, weights and Eq. 6 by coefficients; returns the scalar."""
    advantages = token_advantages(batch["rewards"], uids)
    weights = ots_weights(batch["old_log_prob"], batch["entropy"])
    sizes = GroupSizes(*group_sizes(batch["mask"], batch["is_reflection"]).tolist())
    tokens = sizes.original_tokens + sizes.reflection_tokens
    original, reflection = group_coefficients(sizes, sizes, tokens, loss_agg_mode="token-mean")
    reflected = batch["is_reflection"][:, None]
    factors = torch.where(reflected, weights * reflection, original)
    losses = clipped_surrogate(torch.exp(batch["log_prob"] - batch["old_log_prob"]), advantages, **CLIP)
    return (losses * factors * batch["mask"]).sum() / tokens


def test_gpu_and_cpu_agree():
    on_cpu = objective(*make_batch(256, 512, "cpu"))
    on_gpu = objective(*make_batch(256, 512, "cuda"))
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-4, atol=1e-6)


def test_the_estimator_costs_little_time_and_memory_at_training_size():
    batch, uids = make_batch(ROWS, TOKENS, "cuda")
    row_by_token = ROWS * TOKENS * 4
    token_advantages(batch["rewards"], uids)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    advantages = token_advantages(batch["rewards"], uids)
    end.record()
    torch.cuda.synchronize()
    extra = (torch.cuda.max_memory_allocated() - before) / row_by_token
    milliseconds = start.elapsed_time(end)
    print(f"\n{ROWS} x {TOKENS} on {torch.cuda.get_device_name()}: {milliseconds:.1f} ms, {extra:.2f} tensors extra")
    assert advantages.shape == (ROWS, TOKENS)
    assert extra < 2
