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
from tensordict import NonTensorStack, TensorDict
from transfer_queue import KVBatchMeta

TRAIN_PARTITION = "train"
REFLECTED_SUFFIX = "_reflected"

# Tags: of a constructed row, and of the first row of each group (its report).
UID_TAG = "tapo_uid"
REPORT_TAG = "tapo_report"
# The oldest version of the weights that wrote the y⁻ of a constructed row.
SOURCE_VERSION_TAG = "tapo_source_version"
# How many leading tokens of a constructed row are y⁻'s own.
PREFIX_LENGTH_TAG = "tapo_prefix_length"
# verl's own.
PADDING_TAG = "is_padding"
# The versions of the weights that wrote a row: of a constructed row its synthesis.
OLDEST_VERSION_TAG, NEWEST_VERSION_TAG = "min_global_steps", "max_global_steps"

# Fields: verl's names, and one of ours.
UID = "uid"
RESPONSES = "responses"
RESPONSE_MASK = "response_mask"
# The response mask as it was stored. verl divides the loss by the tokens of this one, whatever becomes of the other.
LOSS_MASK = "loss_mask"
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


def final_rows(keys: Sequence[str]) -> list[int]:
    """For each row the index of its session's last output, which is the row that verl's GRPO grades the session by."""
    last: dict[str, tuple[int, int]] = {}
    for index, key in enumerate(keys):
        session, _, output = key.rpartition("_")
        last[session] = max(last.get(session, (-1, -1)), (int(output), index))
    return [last[key.rpartition("_")[0]][1] for key in keys]


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


def padding_keys(batch: KVBatchMeta) -> list[str]:
    """Keys of the rows that verl added to fill the batch."""
    return [row.key for row in rows_of(batch) if row.is_padding]


def rollout_keys(batch: KVBatchMeta) -> list[str]:
    """Keys of the rollouts alone."""
    return [row.key for row in rows_of(batch) if not (row.is_reflection or row.is_padding)]


def row_versions(batch: KVBatchMeta) -> list[tuple[int, int, int]]:
    """For each constructed row the oldest version of the weights that wrote y⁻, and the oldest and newest of its own.

    Rows whose servers do not say which weights they have are left out.
    """
    versions = []
    for row, tag in zip(rows_of(batch), batch.tags, strict=True):
        if row.is_reflection:
            of_row = tuple(tag.get(name) for name in (SOURCE_VERSION_TAG, OLDEST_VERSION_TAG, NEWEST_VERSION_TAG))
            if None not in of_row:
                versions.append(of_row)
    return versions


def prefix_lengths(batch: KVBatchMeta) -> torch.Tensor:
    """How many leading tokens of each constructed row are y⁻'s own, in the order of ``reflected_keys``."""
    rows = zip(rows_of(batch), batch.tags, strict=True)
    return torch.tensor([tag[PREFIX_LENGTH_TAG] for row, tag in rows if row.is_reflection])


def uid_field(uid: str) -> TensorDict:
    """The ``uid`` field of one row, in the form in which verl stores what is no tensor."""
    return TensorDict({UID: NonTensorStack(uid)}, batch_size=[1])  # pyright: ignore[reportAbstractUsage, reportCallIssue]


@dataclass(frozen=True)
class Column:
    """One value per token of some rows, as verl stores it: one row after the other.

    Attributes:
        values: Of all rows' tokens, shape (tokens,).
        offsets: Where each row begins in them, and where the last one ends, shape (B + 1,).
    """

    values: torch.Tensor
    offsets: torch.Tensor

    @classmethod
    def of(cls, nested: Any) -> "Column":
        """Reads a jagged nested tensor."""
        return cls(nested.values(), nested.offsets())

    @property
    def lengths_B(self) -> torch.Tensor:
        """Tokens of each row."""
        return self.offsets.diff()

    def nested(self) -> torch.Tensor:
        """As a jagged nested tensor."""
        return torch.nested.nested_tensor_from_jagged(self.values, offsets=self.offsets)

    def padded(self) -> torch.Tensor:
        """As a tensor of shape (B, T), short rows filled up with zeros."""
        longest = int(self.lengths_B.max())  # unless told, torch pads to the sum of the lengths
        nested = torch.nested.nested_tensor_from_jagged(self.values, offsets=self.offsets, max_seqlen=longest)
        return nested.to_padded_tensor(0)

    def like(self, values: torch.Tensor) -> "Column":
        """Other values of the same tokens."""
        return Column(values, self.offsets)

    def of_rows(self, values_B: torch.Tensor) -> "Column":
        """Gives each token its row's value."""
        return self.like(torch.repeat_interleave(values_B, self.lengths_B))


def get_columns(keys: list[str], fields: Sequence[str], partition: str | None) -> dict[str, Column]:
    """Fetches fields with a value per token, in the order of the keys."""
    data: Any = tq.kv_batch_get(keys=keys, partition_id=partition or TRAIN_PARTITION, select_fields=list(fields))
    return {field: Column.of(data[field]) for field in fields}


def get_uids(keys: list[str], partition: str | None) -> list[str]:
    """Fetches the group id of each row, in the order of the keys."""
    data: Any = tq.kv_batch_get(keys=keys, partition_id=partition or TRAIN_PARTITION, select_fields=[UID])
    return list(data[UID])  # tensordict hands non-tensors out as a plain list


def put_columns(keys: list[str], columns: Mapping[str, Column], partition: str | None) -> KVBatchMeta:
    """Writes fields with a value per token, in the order of the keys."""
    fields = TensorDict({name: column.nested() for name, column in columns.items()}, batch_size=[len(keys)])
    return tq.kv_batch_put(keys=keys, partition_id=partition or TRAIN_PARTITION, fields=fields)
