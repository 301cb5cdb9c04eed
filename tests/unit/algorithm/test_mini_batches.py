"""Several optimizer steps on one rollout batch: shares of every mini-batch, and the sum of the steps' losses."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from verl.trainer.ppo.core_algos import agg_loss

from recipe_tapo.algorithm.loss import GroupSizes, group_coefficients, group_sizes
from recipe_tapo.algorithm.mini_batches import RowKind, deal_rows, shuffle_within_kinds

CONSTRUCTED, PADDING, ORIGINAL = RowKind
MODES = ["token-mean", "token-sum", "seq-mean-token-sum", "seq-mean-token-sum-norm", "seq-mean-token-mean"]


@st.composite
def batches(draw, most_rows=12):
    """Kinds of a batch's rows in any order, as many as ranks × steps × rows of a mini-batch."""
    ranks, steps = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    size = draw(st.integers(1, most_rows))
    count = ranks * steps * size
    kinds = draw(st.lists(st.sampled_from(RowKind), min_size=count, max_size=count))
    return kinds, ranks, steps


def mini_batches(order, ranks, steps):
    """Rows by rank and step, as verl cuts them."""
    return np.array(order).reshape(ranks, steps, -1)


def test_a_batch_stored_last_to_last_is_dealt_by_hand():
    # One rank, three steps of four: seven rollouts, then three constructed rows, then two of padding.
    kinds = [ORIGINAL] * 7 + [CONSTRUCTED] * 3 + [PADDING] * 2
    # Round the table from step 0: constructed 0 1 2, padding 0 1, originals 2 0 1 2 0 1 2: shares 2, 2 and 3.
    # Each kind's rows fill the shares in their order.
    assert deal_rows(kinds, ranks=1, steps=3) == [0, 1, 7, 10, 2, 3, 8, 11, 4, 5, 6, 9]


def test_the_next_rank_begins_where_the_one_before_it_left_off():
    rank = [CONSTRUCTED, ORIGINAL, ORIGINAL]
    order = mini_batches(deal_rows(rank * 3, ranks=3, steps=3), 3, 3)
    # One constructed row on each of three ranks: one in each of the three steps.
    constructed = [[row % 3 == 0 for row in rows] for rows in order[:, :, 0]]
    assert constructed == [[True, False, False], [False, True, False], [False, False, True]]


@given(batches())
def test_every_mini_batch_of_every_rank_has_its_share(batch):
    kinds, ranks, steps = batch
    order = deal_rows(kinds, ranks, steps)
    assert sorted(order) == list(range(len(kinds)))
    dealt = mini_batches(order, ranks, steps)
    for rank, of_rank in enumerate(dealt):
        size = len(kinds) // ranks
        assert sorted(of_rank.ravel()) == list(range(rank * size, (rank + 1) * size))  # what verl balanced stays
        counts = [Counter(kinds[row] for row in rows) for rows in of_rank]
        for kind in RowKind:
            assert max(c[kind] for c in counts) - min(c[kind] for c in counts) <= 1
            rows = [row for row in of_rank.ravel() if kinds[row] == kind]
            assert rows == sorted(rows)  # rows of a kind keep their order
    constructed = [sum(kinds[row] == CONSTRUCTED for row in dealt[:, step].ravel()) for step in range(steps)]
    assert max(constructed) - min(constructed) <= 1


@given(batches())
def test_one_step_leaves_the_order(batch):
    kinds, ranks, _ = batch
    assert deal_rows(kinds, ranks, steps=1) == list(range(len(kinds)))


def test_rows_that_are_no_whole_mini_batches_are_refused():
    with pytest.raises(ValueError, match="7 rows are no 2 mini-batches of one size on 3 ranks"):
        deal_rows([ORIGINAL] * 7, ranks=3, steps=2)


@given(batches(), st.integers(0, 2**31))
def test_a_shuffle_within_kinds_keeps_the_kind_of_every_place(batch, seed):
    kinds = torch.tensor(batch[0])
    order = shuffle_within_kinds(kinds, torch.Generator().manual_seed(seed))
    assert sorted(order.tolist()) == list(range(len(kinds)))
    assert torch.equal(kinds[order], kinds)


def test_a_shuffle_within_kinds_takes_every_order_equally_often():
    generator = torch.Generator().manual_seed(0)
    kinds = torch.tensor([2, 0, 2, 0, 2])
    orders = Counter(tuple(shuffle_within_kinds(kinds, generator).tolist()) for _ in range(6000))
    # 3! orders of the originals × 2! of the constructed rows: each of the 12 takes 500 of 6000 draws, with a standard
    # deviation of sqrt(6000 · 1/12 · 11/12) = 21.
    assert len(orders) == 12
    assert all(abs(count - 500) < 5 * 21.5 for count in orders.values())


def group_loss(losses_BT, mask_BT, mode, horizon):
    """One group's loss by itself, in float64; of an empty group 0."""
    mask_BT = mask_BT.double()
    tokens_B = mask_BT.sum(-1)
    if not tokens_B.sum():
        return torch.zeros((), dtype=torch.float64)
    sums_B = (losses_BT * mask_BT).sum(-1)
    sequences = (tokens_B > 0).sum()
    return {
        "token-mean": sums_B.sum() / tokens_B.sum(),
        "token-sum": sums_B.sum(),
        "seq-mean-token-sum": sums_B.sum() / sequences,
        "seq-mean-token-sum-norm": sums_B.sum() / sequences / horizon,
        "seq-mean-token-mean": (sums_B / tokens_B.clamp(min=1)).sum() / sequences,
    }[mode]


@pytest.mark.parametrize("normalization", ["per_group", "joint"])
@pytest.mark.parametrize("mode", MODES)
@given(batch=batches(most_rows=4), micro_batch=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_ranks_micro_batches_and_steps_add_up_to_the_stated_loss(mode, normalization, batch, micro_batch, seed):
    kinds, ranks, steps = batch
    generator = torch.Generator().manual_seed(seed)
    rows, horizon, lambda_ref = len(kinds), 5, 0.7
    is_reflection_B = torch.tensor([kind == CONSTRUCTED for kind in kinds])
    lengths_B = torch.randint(1, horizon + 1, (rows,), generator=generator)
    mask_BT = (torch.arange(horizon) < lengths_B[:, None]).long()
    mask_BT[[kind == PADDING for kind in kinds]] = 0
    losses_BT = torch.randn(rows, horizon, generator=generator, dtype=torch.float64)
    dealt = mini_batches(deal_rows(kinds, ranks, steps), ranks, steps)
    whole = GroupSizes(*group_sizes(mask_BT, is_reflection_B).tolist())

    total = expected = 0.0
    for step in range(steps):
        of_step = torch.from_numpy(dealt[:, step].ravel().copy())
        mask, reflection = mask_BT[of_step], is_reflection_B[of_step]
        tokens = mask.sum().item()
        original, reflection_factor = group_coefficients(
            GroupSizes(*group_sizes(mask, reflection).tolist()),
            whole,
            tokens if mode == "token-mean" else len(of_step),
            loss_agg_mode=mode,
            steps=steps,
            lambda_ref=lambda_ref,
            normalization=normalization,
        )
        coefficients = torch.tensor([reflection_factor, original], dtype=torch.float64)
        # What verl does: every rank sums its micro-batches, and gradients are averaged over ranks.
        for rank in range(ranks):
            for part in torch.from_numpy(dealt[rank, step].copy()).split(micro_batch):
                factor_B1 = torch.where(is_reflection_B[part], *coefficients)[:, None]
                if mask_BT[part].any():  # verl divides by the tokens of all ranks, which may still be none
                    loss = agg_loss(
                        loss_mat=losses_BT[part] * factor_B1,
                        loss_mask=mask_BT[part],
                        loss_agg_mode=mode,
                        dp_size=ranks,
                        batch_num_tokens=tokens,
                        global_batch_size=len(of_step),
                        loss_scale_factor=horizon,
                    )
                    total = total + loss / ranks
        if normalization == "per_group":
            expected = expected + group_loss(losses_BT[of_step], mask * ~reflection[:, None], mode, horizon)
        else:
            weighted = (
                losses_BT[of_step]
                * torch.where(reflection, *torch.tensor([lambda_ref, 1.0], dtype=torch.float64))[:, None]
            )
            expected = expected + group_loss(weighted, mask, mode, horizon)
    if normalization == "per_group":
        # Σ_s L_s = Σ_s L_GRPO,s + S λ L_ref(batch); a sum has no denominator, and the batch's is the sum of the steps'.
        times = 1 if mode == "token-sum" else steps
        whole_ref = group_loss(losses_BT, mask_BT * is_reflection_B[:, None], mode, horizon)
        expected = expected + times * lambda_ref * whole_ref
    # verl adds 1e-8 to a sequence's length before it divides.
    tolerance = 1e-6 if mode == "seq-mean-token-mean" else 1e-10
    torch.testing.assert_close(
        torch.as_tensor(total).double(), torch.as_tensor(expected).double(), atol=tolerance, rtol=tolerance
    )
