"""The schema of verl's rows: keys, tags, fields, and how a constructed row is told from a rollout.

verl keeps a training row in TransferQueue under ``<uid>_<session>_<output>`` and finds a group's rows by what stands
before the first underscore. Advantages are normalised over rows with the same ``uid`` field, which may differ from the
key: the field of a constructed row is ``<uid>_reflected`` (Eq. 4), and nothing else marks it. The trainer, which sees
keys and tags alone until it fetches fields, finds the same text in the tag ``tapo_uid``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transfer_queue as tq
from tensordict import TensorDict
from transfer_queue import KVBatchMeta

TRAIN_PARTITION = "train"
REFLECTED_SUFFIX = "_reflected"

# Tags: of a constructed row, and of the first row of each group (its report).
UID_TAG = "tapo_uid"
REPORT_TAG = "tapo_report"
# verl's own.
PADDING_TAG = "is_padding"

# Fields: verl's names, and one of ours.
UID = "uid"
RESPONSES = "responses"
RESPONSE_MASK = "response_mask"
OLD_LOG_PROBS = "old_log_probs"
REF_LOG_PROB = "ref_log_prob"
ENTROPY = "entropy"
SCORES = "rm_scores"
REWARDS = "token_level_rewards"
ADVANTAGES = "advantages"
RETURNS = "returns"
# What a token's term of the loss is multiplied by: w_t (Eq. 7) in constructed rows, verl's rollout correction or 1 in
# the others; the training worker multiplies λ and the group's denominator in.
TOKEN_FACTOR = "tapo_token_factor"
# The name under which verl's loss functions take a factor per token.
VERL_TOKEN_FACTOR = "rollout_is_weights"

# What a reward function sees of a constructed row in ``extra_info``.
REWARD_INFO = "is_reflection"


def row_key(uid: str, session_id: int) -> str:
    """The key of the row of a rollout with a single output."""
    return f"{uid}_{session_id}_0"


def uid_of_key(key: str) -> str:
    """The question's uid, which a constructed row's key shares with its rollouts'."""
    return key.split("_")[0]


def reflected_uid(uid: str) -> str:
    """The group id of the trajectories constructed for query ``uid``: G_ref beside G_orig (Eq. 4)."""
    return uid + REFLECTED_SUFFIX


def split_uids(uid_B: Sequence[str] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The query's uid of each row, and whether the row is constructed; both of shape (B,)."""
    uid_B = np.asarray(uid_B).astype(str)
    is_reflection_B = np.char.endswith(uid_B, REFLECTED_SUFFIX)
    query_B = np.where(is_reflection_B, np.char.replace(uid_B, REFLECTED_SUFFIX, ""), uid_B)
    return query_B, is_reflection_B


@dataclass(frozen=True)
class Row:
    """What a batch says of one of its rows.

    Attributes:
        key: Its key.
        is_padding: Whether verl added it to fill the batch.
        is_reflection: Whether it is a constructed trajectory.
        report: The account of its group, on the group's first row alone.
    """

    key: str
    is_padding: bool
    is_reflection: bool
    report: dict[str, Any] | None

    @classmethod
    def of(cls, key: str, tag: Mapping[str, Any]) -> "Row":
        """Reads a row's tag. verl copies a tag when it makes padding, so padding is never constructed."""
        padding = bool(tag.get(PADDING_TAG, False))
        reflection = not padding and str(tag.get(UID_TAG, "")).endswith(REFLECTED_SUFFIX)
        return cls(key, padding, reflection, None if padding else tag.get(REPORT_TAG))


def rows_of(batch: KVBatchMeta) -> list[Row]:
    """The rows of a batch, in its order."""
    return [Row.of(key, tag) for key, tag in zip(batch.keys, batch.tags, strict=True)]


def reflected_keys(batch: KVBatchMeta) -> list[str]:
    """Keys of the constructed rows."""
    return [row.key for row in rows_of(batch) if row.is_reflection]


def on_policy_keys(batch: KVBatchMeta) -> list[str]:
    """Keys of the rollouts and of padding."""
    return [row.key for row in rows_of(batch) if not row.is_reflection]


def get_fields(keys: list[str], fields: list[str], partition: str | None = TRAIN_PARTITION) -> TensorDict:
    """Fetches fields of some rows, in the order of the keys; columns per token are jagged."""
    return tq.kv_batch_get(keys=keys, partition_id=partition, select_fields=fields)


def put_fields(
    keys: list[str], fields: dict[str, torch.Tensor], partition: str | None = TRAIN_PARTITION
) -> KVBatchMeta:
    """Writes columns of some rows, in the order of the keys; columns per token are jagged."""
    return tq.kv_batch_put(keys=keys, partition_id=partition, fields=TensorDict(fields, batch_size=[len(keys)]))


def like(column: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """A jagged column of other values, one after the other, in the shape of a known one."""
    return torch.nested.nested_tensor_from_jagged(values, offsets=column.offsets())


def per_row(column: torch.Tensor, values_B: torch.Tensor) -> torch.Tensor:
    """A jagged column in which each token has its row's value, in the shape of a known one."""
    return like(column, torch.repeat_interleave(values_B, column.offsets().diff()))
