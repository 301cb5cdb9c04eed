"""Several optimizer steps on one rollout batch: each gets its share of the constructed rows.

With S steps, step s trains on the s-th slice of every rank's rows. L_GRPO is the mean over the slice's own tokens, as
in GRPO. L_ref is divided by an S-th of the *batch's* constructed tokens (or sequences) in every step, so that

    Σ_s L_s = Σ_s L_GRPO,s + S λ L_ref(the whole batch)

and the mean over the steps is Eq. 6's objective, however many constructed rows a slice holds.
"""

from collections import Counter
from collections.abc import Sequence
from enum import IntEnum

import torch


class RowKind(IntEnum):
    """What a row is to the loss; the values are the order in which kinds are dealt."""

    CONSTRUCTED = 0
    PADDING = 1
    ORIGINAL = 2


def deal_rows(kind_B: Sequence[RowKind], ranks: int, steps: int) -> list[int]:
    """Orders each rank's rows so that every one of its mini-batches has an even share of each kind.

    A rank keeps its rows, which were dealt to it by their lengths, and rows of one kind keep their order. Within a
    rank the mini-batches differ by at most one row of each kind. One rank's odd constructed rows go where the rank
    before it left off, so that whole mini-batches, all ranks together, differ by at most one constructed row too.

    Args:
        kind_B: The kind of each row; rank r has the r-th slice of B / ranks rows.
        ranks: Ranks of data parallelism.
        steps: Mini-batches of each rank. With one, the order stays as it is.

    Returns:
        Indices of rows: position i of the new order takes row ``order[i]``.

    Raises:
        ValueError: The rows are no whole mini-batches.
    """
    if len(kind_B) % (ranks * steps):
        raise ValueError(f"{len(kind_B)} rows are no {steps} mini-batches of one size on {ranks} ranks")
    size = len(kind_B) // ranks
    order: list[int] = []
    constructed = 0
    for rank in range(ranks):
        rows = range(rank * size, (rank + 1) * size)
        step_of = _deal_steps([kind_B[row] for row in rows], steps, first=constructed)
        order += sorted(rows, key=lambda row: step_of[row - rows.start])
        constructed += sum(kind_B[row] == RowKind.CONSTRUCTED for row in rows)
    return order


def _deal_steps(kind_B: Sequence[RowKind], steps: int, first: int) -> list[int]:
    """The mini-batch of each row of one rank; ``first`` is the one that gets the first odd constructed row.

    Dealing round the table, one kind after the other, gives shares that differ by at most one and mini-batches of
    one size. Which rows of a kind go where follows their order: the first ones to the first mini-batch.
    """
    shares: dict[RowKind, list[int]] = {}
    place = first
    counts = Counter(kind_B)
    for kind in RowKind:
        dealt = Counter((place + i) % steps for i in range(counts[kind]))
        shares[kind] = [step for step in range(steps) for _ in range(dealt[step])]
        place += counts[kind]
    next_of = {kind: iter(share) for kind, share in shares.items()}
    return [next(next_of[kind]) for kind in kind_B]


def shuffle_within_kinds(kind_B: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A random order of rows in which every place keeps the kind that it has.

    Args:
        kind_B: The kind of each row in the dealt order, shape (B,).
        generator: Drawn from once for each kind.

    Returns:
        Indices of rows, shape (B,): place i takes row ``order[i]``, uniformly among the rows of its kind.
    """
    order = torch.arange(len(kind_B))
    for kind in kind_B.unique():
        (places,) = (kind_B == kind).nonzero(as_tuple=True)
        order[places] = places[torch.randperm(len(places), generator=generator)]
    return order
