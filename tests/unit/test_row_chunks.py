"""The policy loss, computed a few rows at a time, is the loss computed at once; its gradient to the bit."""

from functools import partial

import pytest
import torch

from examples.benchmark.kernels import calls, make_batch
from examples.benchmark.memory import peak_extra_bytes
from recipe_tapo import verl_algorithms
from recipe_tapo.row_chunks import sum_over_rows

close = torch.testing.assert_close


def squares(log_probs_BT, seen=None):
    """A sum of squares with the number of rows as its other sum."""

    def of_rows(rows, log_probs):
        if seen is not None:
            seen.append((rows, log_probs.shape[0]))
        return log_probs.square().sum(), torch.tensor([float(log_probs.shape[0])])

    return partial(sum_over_rows, of_rows, log_probs_BT)


@pytest.mark.parametrize("mode", ["token-mean", "token-sum", "seq-mean-token-sum-norm", "seq-mean-token-mean"])
@pytest.mark.parametrize(
    "global_sizes", [{}, {"dp_size": 2, "batch_num_tokens": 999, "global_batch_size": 77}], ids=str
)
def test_chunks_change_neither_gradient_nor_metrics(monkeypatch, mode, global_sizes):
    batch = make_batch(rows=16, tokens=12)
    weights = torch.linspace(0.1, 2.0, 16 * 12).reshape(16, 12)
    results = []
    for chunk_tokens in (1, 3 * 12, 16 * 12):
        monkeypatch.setattr(verl_algorithms, "sum_over_rows", partial(sum_over_rows, chunk_tokens=chunk_tokens))
        batch.log_probs.grad = None
        loss, metrics = verl_algorithms.compute_policy_loss_tapo(
            old_log_prob=batch.old_log_probs - 0.3,
            log_prob=batch.log_probs,
            advantages=batch.advantages,
            response_mask=batch.mask,
            loss_agg_mode=mode,
            config=actor_config(global_sizes),
            rollout_is_weights=weights,
        )
        (3 * loss).backward()
        results.append((loss.detach(), batch.log_probs.grad.clone(), metrics))
    whole_loss, whole_gradient, whole_metrics = results.pop()
    assert whole_metrics["actor/pg_clipfrac"] > 0 and whole_gradient.abs().sum() > 0
    for loss, gradient, metrics in results:
        close(loss, whole_loss)
        assert torch.equal(gradient, whole_gradient)
        assert metrics == pytest.approx(whole_metrics)


def actor_config(global_sizes):
    from verl.workers.config import ActorConfig, PolicyLossConfig

    config = ActorConfig(
        strategy="fsdp2", rollout_n=1, ppo_micro_batch_size_per_gpu=1, policy_loss=PolicyLossConfig(loss_mode="tapo")
    )
    config.global_batch_info.update(global_sizes)
    return config


def test_rows_are_taken_up_to_the_limit_and_a_longer_one_alone():
    log_probs, seen = torch.ones(5, 4), []
    squares(log_probs, seen)(chunk_tokens=11)
    assert [rows for _, rows in seen] == [2, 2, 1]  # 2 rows have 8 tokens, 3 would have 12
    seen.clear()
    loss, others = squares(log_probs, seen)(chunk_tokens=3)
    assert [rows for _, rows in seen] == [1] * 5
    assert loss.item() == 20 and others.tolist() == [5]


def test_the_gradient_passes_through_what_verl_adds_and_scales():
    log_probs = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    loss, _ = squares(log_probs)(chunk_tokens=2)
    loss -= 0.5 * log_probs.sum()  # in place, as verl takes off the entropy
    (loss * 2).backward()
    close(log_probs.grad, 2 * (2 * log_probs.detach() - 0.5))  # d/dx of 2 (x² - x / 2)


def test_a_second_backward_is_refused_instead_of_wrong():
    log_probs = torch.ones(2, 2, requires_grad=True)
    loss, _ = squares(log_probs)()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="backward once"):
        loss.backward()


def test_no_gradient_where_none_is_asked_for():
    assert not squares(torch.ones(2, 2))()[0].requires_grad
    with torch.no_grad():
        loss, _ = squares(torch.ones(2, 2, requires_grad=True))()
    assert loss.item() == 4 and not loss.requires_grad


@pytest.fixture
def one_thread():
    """Threads that wait for each other take minutes on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_the_loss_needs_less_than_two_tensors_of_rows_by_tokens():
    verl_algorithms.register()
    rows, tokens = 4096, 2048
    _, ours = calls(make_batch(rows, tokens))["loss, forward and backward"]
    ours()
    peak = peak_extra_bytes(ours)
    if peak is None:
        pytest.skip("Linux only")
    assert peak < 2 * 4 * rows * tokens  # one of them is the gradient
