"""Sums of chunks of rows by hand, and where their gradient goes."""

from functools import partial

import pytest
import torch

from recipe_tapo.algorithm.row_chunks import sum_over_rows

close = torch.testing.assert_close


def squares(log_probs_BT, seen=None):
    """A sum of squares with the number of rows as its other sum."""

    def of_rows(rows, log_probs):
        if seen is not None:
            seen.append(log_probs.shape[0])
        return log_probs.square().sum(), torch.tensor([float(log_probs.shape[0])])

    return partial(sum_over_rows, of_rows, log_probs_BT)


def test_rows_are_taken_up_to_the_limit_and_a_longer_one_alone():
    log_probs, seen = torch.ones(5, 4), []
    squares(log_probs, seen)(chunk_tokens=11)
    assert seen == [2, 2, 1]  # 2 rows have 8 tokens, 3 would have 12
    seen.clear()
    loss, others = squares(log_probs, seen)(chunk_tokens=3)
    assert seen == [1] * 5
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
