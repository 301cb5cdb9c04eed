"""Eqs. 6 and 8: the objective as written against the way it reaches verl (coefficients, ranks, micro-batches)."""

import itertools
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from verl.trainer.ppo.core_algos import agg_loss, get_policy_loss_fn
from verl.workers.config import ActorConfig, PolicyLossConfig

from recipe_tapo.algorithm.loss import GroupSizes, clipped_surrogate, group_coefficients, group_sizes
from recipe_tapo.algorithm.row_chunks import sum_over_rows
from recipe_tapo.engine import registry as verl_algorithms
from recipe_tapo.engine.registry import compute_policy_loss_tapo

close = torch.testing.assert_close
MODES = ["token-mean", "token-sum", "seq-mean-token-sum", "seq-mean-token-sum-norm", "seq-mean-token-mean"]
CLIP = {"clip_low": 0.2, "clip_high": 0.2, "clip_dual": 3.0}


def actor_config(loss_agg_mode="token-mean", **batch_info):
    config = ActorConfig(
        strategy="fsdp2",
        rollout_n=1,
        ppo_micro_batch_size_per_gpu=1,
        loss_agg_mode=loss_agg_mode,
        policy_loss=PolicyLossConfig(loss_mode="tapo"),
    )
    config.global_batch_info.update(batch_info)
    return config


def test_the_clipped_surrogate_by_hand():
    # ratio 1.5, A = 1: -min(1.5, 1.2) = -1.2;  ratio 0.5, A = 1: -min(0.5, 0.8) = -0.5
    # ratio 1.5, A = -1: -min(-1.5, -1.2) = 1.5; ratio 0.5, A = -1: -min(-0.5, -0.8) = 0.8
    # ratio 5, A = -1: 5, but the dual clip stops at 3
    ratio = torch.tensor([1.5, 0.5, 1.5, 0.5, 5.0])
    advantages = torch.tensor([1.0, 1.0, -1.0, -1.0, -1.0])
    losses = clipped_surrogate(ratio, advantages, **CLIP)
    close(losses, torch.tensor([-1.2, -0.5, 1.5, 0.8, 3.0]))


def test_sizes_count_trained_tokens_and_sequences_but_no_padding():
    mask_BT = torch.tensor([[1, 1, 1], [0, 1, 1], [0, 0, 0], [1, 0, 0]])
    is_reflection_B = torch.tensor([False, True, False, True])
    assert group_sizes(mask_BT, is_reflection_B).tolist() == [3, 3, 1, 2]


@pytest.mark.parametrize(
    ("mode", "normalization", "expected"),
    [
        # D = 12 tokens: 12/9 and 0.5 * 12/3
        ("token-mean", "per_group", (12 / 9, 2.0)),
        ("token-mean", "joint", (1.0, 0.5)),
        # verl divides by 8 rows, of which 2 are padding: 8/4 and 0.5 * 8/2; jointly 8/6
        ("seq-mean-token-mean", "per_group", (2.0, 2.0)),
        ("seq-mean-token-sum", "joint", (8 / 6, 0.5 * 8 / 6)),
        ("token-sum", "per_group", (1.0, 0.5)),
    ],
)
def test_coefficients_by_hand(mode, normalization, expected):
    sizes = GroupSizes(original_tokens=9, reflection_tokens=3, original_sequences=4, reflection_sequences=2)
    denominator = 12 if mode.startswith("token") else 8
    result = group_coefficients(
        sizes, sizes, denominator, loss_agg_mode=mode, lambda_ref=0.5, normalization=normalization
    )
    assert result == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mode", "normalization", "expected"),
    [
        # The mini-batch's D = 12 tokens over its own 9; over a quarter of the batch's 20 constructed ones, 0.5 · 12/5.
        ("token-mean", "per_group", (12 / 9, 1.2)),
        # All 12 tokens of the mini-batch, whatever the batch holds.
        ("token-mean", "joint", (1.0, 0.5)),
        # 8 rows over 4; over a quarter of the batch's 6 constructed sequences, 0.5 · 8/1.5.
        ("seq-mean-token-mean", "per_group", (2.0, 0.5 * 8 / 1.5)),
        ("token-sum", "per_group", (1.0, 0.5)),
    ],
)
def test_coefficients_of_one_step_of_four_by_hand(mode, normalization, expected):
    mini_batch, batch = GroupSizes(9, 3, 4, 2), GroupSizes(40, 20, 16, 6)
    denominator = 12 if mode.startswith("token") else 8
    options = {"loss_agg_mode": mode, "steps": 4, "lambda_ref": 0.5, "normalization": normalization}
    assert group_coefficients(mini_batch, batch, denominator, **options) == pytest.approx(expected)


def test_an_empty_group_has_no_coefficient_and_an_unknown_mode_is_refused():
    sizes = GroupSizes(5, 0, 2, 0)
    assert group_coefficients(sizes, sizes, 5, loss_agg_mode="token-mean") == (1.0, 0.0)
    with pytest.raises(ValueError, match="loss_agg_mode"):
        group_coefficients(sizes, sizes, 1, loss_agg_mode="median")


def make_batch(rows=12, tokens=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, tokens + 1, (rows,), generator=generator)
    mask = (torch.arange(tokens) < lengths[:, None]).long()
    mask[3] = 0  # a padding row
    mask[5, :2] = 0  # a masked prefix
    return SimpleNamespace(
        log_prob=torch.randn(rows, tokens, generator=generator, dtype=torch.float64) * 0.3 - 1,
        old_log_prob=torch.randn(rows, tokens, generator=generator, dtype=torch.float64) * 0.3 - 1,
        advantages=torch.randn(rows, 1, generator=generator, dtype=torch.float64) * mask,
        mask=mask,
        weights=torch.rand(rows, tokens, generator=generator, dtype=torch.float64) * 3,
        is_reflection=torch.arange(rows) % 3 == 2,
    )


def objective_as_written(batch, mode, lambda_ref, horizon):
    """L_GRPO(G_orig) + λ L_ref(G_ref), each group aggregated by itself (Eqs. 6, 8)."""
    losses = clipped_surrogate(torch.exp(batch.log_prob - batch.old_log_prob), batch.advantages, **CLIP)
    total = 0.0
    for rows, factor, weights in (
        (~batch.is_reflection, 1.0, torch.ones_like(batch.weights)),
        (batch.is_reflection, lambda_ref, batch.weights),
    ):
        mask = batch.mask[rows].double()
        weighted = losses[rows] * weights[rows] * mask
        sequences = (mask.sum(-1) > 0).sum()
        per_row = weighted.sum(-1)
        value = {
            "token-mean": weighted.sum() / mask.sum(),
            "token-sum": weighted.sum(),
            "seq-mean-token-sum": per_row.sum() / sequences,
            "seq-mean-token-sum-norm": per_row.sum() / sequences / horizon,
            "seq-mean-token-mean": (per_row / mask.sum(-1).clamp(min=1)).sum() / sequences,
        }[mode]
        total = total + factor * value
    return total


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("splits", [[[12]], [[4, 8]], [[3, 3], [1, 5]], [[6], [6]]], ids=str)
def test_the_loss_is_eq_6_whatever_the_ranks_and_micro_batches(mode, splits):
    """Each inner list is a data-parallel rank with its micro-batch sizes; verl averages gradients over ranks."""
    batch, lambda_ref = make_batch(), 0.7
    rows, horizon = len(batch.mask), batch.mask.shape[1]
    dp_size = len(splits)
    batch_num_tokens = batch.mask.sum().item()
    sizes = GroupSizes(*group_sizes(batch.mask, batch.is_reflection).tolist())
    coefficients = group_coefficients(
        sizes,
        sizes,
        batch_num_tokens if mode == "token-mean" else rows,
        loss_agg_mode=mode,
        lambda_ref=lambda_ref,
    )
    factor_B = torch.where(batch.is_reflection, coefficients[1], coefficients[0]).double()
    token_weights = torch.where(batch.is_reflection[:, None], batch.weights, 1.0) * factor_B[:, None]

    config = actor_config(
        mode,
        dp_size=dp_size,
        batch_num_tokens=batch_num_tokens,
        global_batch_size=rows,
        loss_scale_factor=horizon,
    )
    offset, total = 0, 0.0
    for size in itertools.chain.from_iterable(splits):
        part = slice(offset, offset + size)
        offset += size
        loss, _ = compute_policy_loss_tapo(
            old_log_prob=batch.old_log_prob[part],
            log_prob=batch.log_prob[part],
            advantages=batch.advantages[part],
            response_mask=batch.mask[part],
            loss_agg_mode=mode,
            config=config,
            rollout_is_weights=token_weights[part],
        )
        total += loss / dp_size
    close(total, objective_as_written(batch, mode, lambda_ref, horizon), atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_without_constructed_rows_loss_gradient_and_metrics_are_verls_vanilla(mode):
    batch = make_batch(seed=1)
    config = actor_config(mode, dp_size=1, batch_num_tokens=None, global_batch_size=None, loss_scale_factor=None)
    results = []
    for function in (compute_policy_loss_tapo, get_policy_loss_fn("vanilla")):
        log_prob = (batch.log_prob.float() * 3).requires_grad_()
        loss, metrics = function(
            old_log_prob=batch.old_log_prob.float() * 3,
            log_prob=log_prob,
            advantages=batch.advantages.float(),
            response_mask=batch.mask,
            loss_agg_mode=mode,
            config=config,
        )
        loss.backward()
        results.append((loss, log_prob.grad, metrics))
    (ours, our_gradient, our_metrics), (verls, verls_gradient, verls_metrics) = results
    assert torch.equal(ours, verls)
    assert torch.equal(our_gradient, verls_gradient)
    assert our_metrics == pytest.approx(verls_metrics)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "global_sizes", [{}, {"dp_size": 2, "batch_num_tokens": 999, "global_batch_size": 77}], ids=str
)
def test_chunks_change_neither_gradient_nor_metrics(monkeypatch, mode, global_sizes):
    batch = make_batch()
    results = []
    for chunk_tokens in (1, 3 * 7, 12 * 7):
        monkeypatch.setattr(verl_algorithms, "sum_over_rows", partial(sum_over_rows, chunk_tokens=chunk_tokens))
        log_prob = batch.log_prob.clone().requires_grad_()
        loss, metrics = compute_policy_loss_tapo(
            old_log_prob=batch.old_log_prob,
            log_prob=log_prob,
            advantages=batch.advantages,
            response_mask=batch.mask,
            loss_agg_mode=mode,
            config=actor_config(mode, **global_sizes),
            rollout_is_weights=batch.weights,
        )
        (3 * loss).backward()
        results.append((loss.detach(), log_prob.grad, metrics))
    whole_loss, whole_gradient, whole_metrics = results.pop()
    assert whole_metrics["actor/pg_clipfrac"] > 0 and whole_gradient.abs().sum() > 0
    for loss, gradient, metrics in results:
        close(loss, whole_loss)
        assert torch.equal(gradient, whole_gradient)
        assert metrics == pytest.approx(whole_metrics)


@pytest.mark.parametrize("mode", MODES)
def test_the_advantage_of_a_masked_token_changes_nothing(mode):
    """Estimators give masked tokens their row's advantage, where verl's give them 0."""
    batch = make_batch(seed=2)
    config = actor_config(mode, dp_size=1, batch_num_tokens=None, global_batch_size=None, loss_scale_factor=None)
    row_B = batch.advantages.sum(-1, keepdim=True) / batch.mask.sum(-1, keepdim=True).clamp(min=1)
    results = []
    for advantages in (row_B * batch.mask, row_B.expand_as(batch.mask)):
        log_prob = batch.log_prob.clone().requires_grad_()
        loss, metrics = compute_policy_loss_tapo(
            old_log_prob=batch.old_log_prob,
            log_prob=log_prob,
            advantages=advantages,
            response_mask=batch.mask,
            loss_agg_mode=mode,
            config=config,
            rollout_is_weights=batch.weights,
        )
        loss.backward()
        results.append((loss.item(), log_prob.grad, metrics))
    (masked, masked_gradient, masked_metrics), (view, view_gradient, view_metrics) = results
    assert view == masked and torch.equal(view_gradient, masked_gradient) and view_metrics == masked_metrics
    assert masked_gradient.abs().sum() > 0


def test_verls_agg_loss_divides_as_the_coefficients_assume():
    losses, mask = torch.ones(4, 3), torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 0]])
    common = {"loss_mat": losses, "loss_mask": mask, "dp_size": 2, "batch_num_tokens": 12, "global_batch_size": 8}
    assert agg_loss(**common, loss_agg_mode="token-mean").item() == pytest.approx(2 * 6 / 12)
    assert agg_loss(**common, loss_agg_mode="seq-mean-token-sum").item() == pytest.approx(2 * 6 / 8)
    assert agg_loss(**common, loss_agg_mode="seq-mean-token-mean").item() == pytest.approx(2 * 3 / 8)
    assert agg_loss(**common, loss_agg_mode="token-sum").item() == pytest.approx(2 * 6)
