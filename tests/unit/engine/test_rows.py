"""The schema of rows: what tells a constructed row from a rollout and from padding."""

import numpy as np
import torch
from transfer_queue import KVBatchMeta

from recipe_tapo.engine import rows


def test_the_suffix_marks_constructed_rows():
    assert rows.reflected_uid("7f") == "7f_reflected"
    uid_B, is_reflection_B = rows.split_uids(np.array(["7f", "7f_reflected", "pad1"], dtype=object))
    assert uid_B.tolist() == ["7f", "7f", "pad1"]
    assert is_reflection_B.tolist() == [False, True, False]


def test_a_key_leads_back_to_its_question():
    key = rows.row_key("7f", 12)
    assert key == "7f_12_0"
    assert rows.uid_of_key(key) == "7f"


def test_the_row_of_a_session_is_its_last_output_whatever_the_order():
    # Sessions a_0 with outputs 1 and 0, a_1 with 2, 10 and 1 (10 is the last, not "2"), b_0 with one.
    keys = ["a_0_1", "a_0_0", "a_1_2", "a_1_10", "b_0_0", "a_1_1"]
    assert rows.final_rows(keys) == [0, 0, 3, 3, 4, 3]


def test_a_batch_tells_its_rows_apart_by_their_tags():
    reflected = {rows.UID_TAG: rows.reflected_uid("a")}
    batch = KVBatchMeta(
        keys=["a_0_0", "a_8_0", "pad_0_0"],
        # verl makes padding of a copy of a row's tag, here of a constructed one that carries a report.
        tags=[{rows.REPORT_TAG: {"attempts": 1}}, reflected, {**reflected, rows.REPORT_TAG: {}, "is_padding": True}],
    )
    assert rows.reflected_keys(batch) == ["a_8_0"]
    assert rows.padding_keys(batch) == ["pad_0_0"]
    assert rows.rollout_keys(batch) == ["a_0_0"]
    assert [row.report for row in rows.rows_of(batch)] == [{"attempts": 1}, None, None]


def test_a_column_keeps_its_rows_apart():
    column = rows.Column.of(torch.nested.as_nested_tensor([torch.ones(2), torch.ones(1)], layout=torch.jagged))
    assert column.lengths_B.tolist() == [2, 1]
    assert column.padded().tolist() == [[1.0, 1.0], [1.0, 0.0]]
    assert column.of_rows(torch.tensor([3.0, 5.0])).values.tolist() == [3.0, 3.0, 5.0]
    assert [row.tolist() for row in column.like(torch.tensor([7, 8, 9])).nested().unbind()] == [[7, 8], [9]]
