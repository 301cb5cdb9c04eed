"""verl's rows in TransferQueue: how a rollout's is named, how a column per token is written."""

from collections.abc import Mapping
from typing import Any

import torch
import transfer_queue as tq
from tensordict import TensorDict
from transfer_queue import KVBatchMeta


def row_key(fields: Mapping[str, Any]) -> str:
    """The key of a rollout with a single output, given the fields it is stored with."""
    return f"{fields['uid']}_{fields['session_id']}_0"


def put_jagged(batch: KVBatchMeta, keys: list[str], field: str, values: torch.Tensor, offsets: torch.Tensor) -> None:
    """Writes one value per token into a field of some of a batch's rows.

    Args:
        batch: Tells the partition.
        keys: The rows.
        field: Its name.
        values: Of all rows' tokens one after the other.
        offsets: Where each row begins in them, and where the last one ends.
    """
    nested = torch.nested.nested_tensor_from_jagged(values, offsets=offsets)
    tq.kv_batch_put(
        keys=keys, partition_id=batch.partition_id, fields=TensorDict({field: nested}, batch_size=[len(keys)])
    )
