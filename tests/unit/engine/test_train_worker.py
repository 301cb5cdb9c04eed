"""The scaling of token weights inside verl's training worker, on verl's own nested batches."""

from collections import Counter
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from tensordict import NonTensorStack, TensorDict
from verl.utils import tensordict_utils as tu

from recipe_tapo.algorithm.loss import GroupSizes
from recipe_tapo.engine.rows import TOKEN_FACTOR
from recipe_tapo.engine.train_worker import TapoTrainingWorker
from recipe_tapo.engine.update_plan import PLAN_KEY, UpdatePlan


def jagged(rows, dtype=torch.float32):
    return torch.nested.as_nested_tensor([torch.tensor(row, dtype=dtype) for row in rows], layout=torch.jagged)


def plan(rows=4, steps=1, mode="token-mean", lambda_ref=1.0, normalization="per_group", sizes=None):
    # What mini_batch() trains on: 5 original and 1 constructed token, in 2 and 1 rows.
    return UpdatePlan(rows, steps, sizes or GroupSizes(5, 1, 2, 1), mode, lambda_ref, normalization)


class Engine:
    def __init__(self, dp_size=1):
        self.dp_size = dp_size

    def get_data_parallel_size(self):
        return self.dp_size

    def get_data_parallel_rank(self):
        return 0

    def get_data_parallel_group(self):
        return None

    def is_mp_src_rank_with_outputs(self):
        return False

    def train_mode(self, **_):
        return nullcontext()


def worker(dp_size=1):
    instance = object.__new__(TapoTrainingWorker)
    instance.engine = Engine(dp_size)
    return instance


def mini_batch():
    # Rows: an original of 3 tokens, a construction of 2 with its first token masked, an original of 2, padding.
    mask = jagged([[1, 1, 1], [0, 1], [1, 1], [0]], torch.int64)
    return TensorDict(
        {
            "uid": NonTensorStack("a", "a_reflected", "a", "pad0"),
            "response_mask": mask,
            "loss_mask": mask.clone(),
            TOKEN_FACTOR: jagged([[1, 1, 1], [0.5, 2.0], [1, 1], [1]]),
        },
        batch_size=4,
    )


def test_weights_become_eq_6s_coefficients():
    data = mini_batch()
    tu.assign_non_tensor(data, global_batch_size=4)
    worker()._put_verl_factors(data, plan(lambda_ref=2.0))
    # 6 trained tokens: 5 original, 1 constructed -> 6/5 = 1.2 on originals, 2 * 6/1 = 12 times w on the constructed.
    rows = [row.tolist() for row in data["rollout_is_weights"].unbind()]
    expected = [[1.2, 1.2, 1.2], [6.0, 24.0], [1.2, 1.2], [1.2]]
    for row, want in zip(rows, expected, strict=True):
        torch.testing.assert_close(torch.tensor(row), torch.tensor(want))


def test_sequence_means_count_rows_that_train():
    data = mini_batch()
    tu.assign_non_tensor(data, global_batch_size=4)
    worker()._put_verl_factors(data, plan(mode="seq-mean-token-mean"))
    # verl divides by 4 rows: 2 originals -> 4/2, 1 construction -> 4/1; the padding row counts nowhere.
    rows = [row.tolist() for row in data["rollout_is_weights"].unbind()]
    assert rows == [[2.0, 2.0, 2.0], [2.0, 8.0], [2.0, 2.0], [2.0]]


def test_one_step_of_several_takes_its_part_of_the_batchs_constructed_tokens():
    sizes = GroupSizes(original_tokens=20, reflection_tokens=6, original_sequences=8, reflection_sequences=5)
    # Four steps: G_ref's part is 6/4 = 1.5 tokens, so its coefficient is 6/1.5 = 4; originals have 6/5 as before.
    data = mini_batch()
    worker()._put_verl_factors(data, plan(rows=16, steps=4, sizes=sizes))
    expected = [[1.2, 1.2, 1.2], [2.0, 8.0], [1.2, 1.2], [1.2]]
    for row, want in zip(data["rollout_is_weights"].unbind(), expected, strict=True):
        torch.testing.assert_close(row, torch.tensor(want))
    # joint: all 6 tokens of the mini-batch, which is what verl divides by.
    data = mini_batch()
    worker()._put_verl_factors(data, plan(rows=16, steps=4, sizes=sizes, normalization="joint"))
    assert [row.tolist() for row in data["rollout_is_weights"].unbind()] == [[1, 1, 1], [0.5, 2.0], [1, 1], [1]]


def test_the_denominators_count_the_tokens_that_verls_does():
    # A rollout of 3 tokens that the response mask has lost since it was stored: verl still divides by all 6.
    data = mini_batch()
    data["response_mask"] = jagged([[0, 0, 0], [0, 1], [1, 1], [0]], torch.int64)
    worker()._put_verl_factors(data, plan())
    originals = [row.tolist() for row in data["rollout_is_weights"].unbind()][2]
    assert originals == pytest.approx([6 / 5] * 2)


def test_the_plan_travels_as_plain_types():
    assert UpdatePlan.from_plain(plan().to_plain()) == plan()


class Recorder(TapoTrainingWorker):
    """verl's training worker down to the mini-batches, whose group ids it notes."""

    def __init__(self):
        self.engine = Engine()
        self.profiler = SimpleNamespace(step=lambda: None)
        self.seen = []

    def train_batch(self, data):
        self.seen.append(list(data["uid"]))


def shuffled(with_plan, shuffle=True, epochs=2):
    """Mini-batches of two steps and two epochs on eight rows, dealt as 2 originals, a construction and padding."""
    uids = ["a", "b", "a_reflected", "pad0", "c", "d", "c_reflected", "pad1"]
    mask = jagged([[int(not uid.startswith("pad"))] for uid in uids], torch.int64)
    fields = {"uid": NonTensorStack(*uids), "loss_mask": mask, "row": torch.arange(8)}
    data = TensorDict(fields, batch_size=8)
    tu.assign_non_tensor(
        data, epochs=epochs, seed=1, mini_batch_size=4, global_batch_size=4, dataloader_kwargs={"shuffle": shuffle}
    )
    if with_plan:
        tu.assign_non_tensor_data(data, PLAN_KEY, plan(rows=8, steps=2).to_plain())
    recorder = Recorder()
    recorder.train_mini_batch(data)
    return recorder.seen


def kinds(uids):
    return Counter("padding" if uid[:3] == "pad" else uid[1:] or "original" for uid in uids)


def test_verls_shuffle_keeps_the_share_of_every_mini_batch():
    share = {"original": 2, "_reflected": 1, "padding": 1}
    seen = shuffled(with_plan=True)
    assert [kinds(uids) for uids in seen] == [share] * 4
    epochs = [seen[0] + seen[1], seen[2] + seen[3]]
    assert sorted(epochs[0]) == sorted(epochs[1]) and epochs[0] != epochs[1]
    assert seen == shuffled(with_plan=True)  # the seed decides
    # verl's own shuffle does not keep it; without one the rows stay where they were dealt.
    assert any(kinds(uids) != share for uids in shuffled(with_plan=False))
    assert shuffled(with_plan=True, shuffle=False, epochs=1) == [
        ["a", "b", "a_reflected", "pad0"],
        ["c", "d", "c_reflected", "pad1"],
    ]


def test_the_plan_sets_the_size_of_mini_batches(monkeypatch):
    seen = {}

    def train_mini_batch(self, data):
        seen.update(mini=tu.get(data, "mini_batch_size"), rows=tu.get(data, "global_batch_size"))

    monkeypatch.setattr(TapoTrainingWorker.__mro__[1], "train_mini_batch", train_mini_batch)
    data = mini_batch()
    tu.assign_non_tensor(data, mini_batch_size=64, global_batch_size=64)
    worker(dp_size=2).train_mini_batch(data)
    assert seen == {"mini": 64, "rows": 64}  # no plan: verl's own
    tu.assign_non_tensor_data(data, PLAN_KEY, plan(rows=8, steps=4).to_plain())
    worker(dp_size=2).train_mini_batch(data)
    assert seen == {"mini": 2, "rows": 2}  # 2 ranks x 4 rows in 4 optimizer steps


def test_trainer_and_worker_must_agree_on_the_rows():
    data = mini_batch()
    tu.assign_non_tensor_data(data, PLAN_KEY, plan(rows=6, steps=2).to_plain())
    with pytest.raises(ValueError, match="planned for 6 rows, the ranks have 8"):
        worker(dp_size=2).train_mini_batch(data)
    with pytest.raises(ValueError, match="9 rows are no 2 mini-batches"):
        plan(rows=9, steps=2).rows_per_mini_batch()
