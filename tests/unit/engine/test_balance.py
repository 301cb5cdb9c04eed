"""The order of a batch's rows after verl has balanced it over ranks."""

import pytest
from transfer_queue import KVBatchMeta

from recipe_tapo.engine import rows
from recipe_tapo.engine.balance import deal_batch


def stored(originals, constructed, padding):
    """A batch in the order of storing: rollouts, then constructed rows, then the padding that verl appends."""
    keys = [f"q_{n}_0" for n in range(originals + constructed)] + [f"pad_{n}_0" for n in range(padding)]
    tags = [{}] * originals + [{rows.UID_TAG: rows.reflected_uid("q")}] * constructed
    tags += [{rows.PADDING_TAG: True}] * padding
    return KVBatchMeta(keys=keys, tags=tags, partition_id=rows.TRAIN_PARTITION, extra_info={})


def shares(batch, steps):
    size = len(batch.keys) // steps
    found = []
    for start in range(0, len(batch.keys), size):
        part = KVBatchMeta(keys=batch.keys[start : start + size], tags=batch.tags[start : start + size])
        padding = sum(row.is_padding for row in rows.rows_of(part))
        constructed = len(rows.reflected_keys(part))
        found.append((size - constructed - padding, constructed, padding))
    return found


@pytest.mark.parametrize(
    ("counts", "before", "after"),
    [
        # 256 rollouts, 28 constructed, 4 of padding in four steps of 72: the last step had 27 of the 28.
        ((256, 28, 4), [(72, 0, 0), (72, 0, 0), (72, 0, 0), (40, 28, 4)], [(64, 7, 1)] * 4),
        # A single constructed row: one step has it. Its denominator is a quarter of the row, in whichever step it is.
        ((15, 1, 0), [(4, 0, 0), (4, 0, 0), (4, 0, 0), (3, 1, 0)], [(3, 1, 0), (4, 0, 0), (4, 0, 0), (4, 0, 0)]),
    ],
)
def test_every_step_has_its_share(counts, before, after):
    batch = stored(*counts)
    keys = set(batch.keys)
    assert shares(batch, 4) == before
    deal_batch(batch, dp_size=1, num_mini_batch=4)
    assert shares(batch, 4) == after
    assert set(batch.keys) == keys


def test_tags_stay_with_their_rows_and_ranks_keep_theirs():
    batch = stored(12, 6, 2)
    tag_of = dict(zip(batch.keys, map(id, batch.tags), strict=True))
    first = set(batch.keys[:10])
    deal_batch(batch, dp_size=2, num_mini_batch=5)
    assert {key: id(tag) for key, tag in zip(batch.keys, batch.tags, strict=True)} == tag_of
    assert set(batch.keys[:10]) == first
