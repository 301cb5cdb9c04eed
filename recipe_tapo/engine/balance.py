"""The order of a batch's rows: verl balances lengths over ranks; here every mini-batch gets its share of each kind."""

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler
from transfer_queue import KVBatchMeta

from recipe_tapo.algorithm.mini_batches import RowKind, deal_rows, shuffle_within_kinds
from recipe_tapo.engine.rows import Row, rows_of


def deal_batch(batch: KVBatchMeta, dp_size: int, num_mini_batch: int) -> None:
    """Reorders a batch that verl has balanced, in place; each rank keeps its rows.

    verl hands rows out in the order in which they were stored and cuts each rank's into mini-batches one after the
    other: constructed rows and padding, which are stored last, would gather in the last ones.
    """
    batch.reorder(deal_rows([_kind(row) for row in rows_of(batch)], dp_size, num_mini_batch))


def _kind(row: Row) -> RowKind:
    if row.is_padding:
        return RowKind.PADDING
    return RowKind.CONSTRUCTED if row.is_reflection else RowKind.ORIGINAL


class ShuffleWithinKinds(Sampler[int]):
    """Another order of one rank's rows in each epoch, in which every mini-batch keeps its share of each kind."""

    def __init__(self, kind_B: torch.Tensor, seed: int):
        self._kind_B = kind_B
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[int]:
        return iter(shuffle_within_kinds(self._kind_B, self._generator).tolist())

    def __len__(self) -> int:
        return len(self._kind_B)
