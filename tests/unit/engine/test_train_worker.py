"""The scaling of token weights inside verl's training worker, on verl's own nested batches."""

import pytest
import torch
from tensordict import NonTensorStack, TensorDict
from verl.utils import tensordict_utils as tu

from recipe_tapo.engine.rows import TOKEN_FACTOR
from recipe_tapo.engine.train_worker import TapoActorRolloutRefWorker, TapoTrainingWorker
from recipe_tapo.engine.update_plan import PLAN_KEY, UpdatePlan


def jagged(rows, dtype=torch.float32):
    return torch.nested.as_nested_tensor([torch.tensor(row, dtype=dtype) for row in rows], layout=torch.jagged)


class Engine:
    def __init__(self, dp_size=1):
        self.dp_size = dp_size

    def get_data_parallel_size(self):
        return self.dp_size

    def get_data_parallel_group(self):
        return None


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
    worker()._put_verl_factors(data, UpdatePlan(4, 1, "token-mean", lambda_ref=2.0, normalization="per_group"))
    # 6 trained tokens: 5 original, 1 constructed -> 6/5 = 1.2 on originals, 2 * 6/1 = 12 times w on the constructed.
    rows = [row.tolist() for row in data["rollout_is_weights"].unbind()]
    expected = [[1.2, 1.2, 1.2], [6.0, 24.0], [1.2, 1.2], [1.2]]
    for row, want in zip(rows, expected, strict=True):
        torch.testing.assert_close(torch.tensor(row), torch.tensor(want))


def test_sequence_means_count_rows_that_train():
    data = mini_batch()
    tu.assign_non_tensor(data, global_batch_size=4)
    worker()._put_verl_factors(data, UpdatePlan(4, 1, "seq-mean-token-mean", 1.0, "per_group"))
    # verl divides by 4 rows: 2 originals -> 4/2, 1 construction -> 4/1; the padding row counts nowhere.
    rows = [row.tolist() for row in data["rollout_is_weights"].unbind()]
    assert rows == [[2.0, 2.0, 2.0], [2.0, 8.0], [2.0, 2.0], [2.0]]


def test_the_plan_sets_the_size_of_mini_batches(monkeypatch):
    seen = {}

    def train_mini_batch(self, data):
        seen.update(mini=tu.get(data, "mini_batch_size"), rows=tu.get(data, "global_batch_size"))

    monkeypatch.setattr(TapoTrainingWorker.__mro__[1], "train_mini_batch", train_mini_batch)
    data = mini_batch()
    tu.assign_non_tensor(data, mini_batch_size=64, global_batch_size=64)
    worker(dp_size=2).train_mini_batch(data)
    assert seen == {"mini": 64, "rows": 64}  # no plan: verl's own
    tu.assign_non_tensor_data(data, PLAN_KEY, UpdatePlan(8, 4, "token-mean", 1.0, "per_group").to_plain())
    worker(dp_size=2).train_mini_batch(data)
    assert seen == {"mini": 2, "rows": 2}  # 2 ranks x 4 rows in 4 optimizer steps


def test_trainer_and_worker_must_agree_on_the_rows():
    data = mini_batch()
    tu.assign_non_tensor_data(data, PLAN_KEY, UpdatePlan(6, 2, "token-mean", 1.0, "per_group").to_plain())
    with pytest.raises(ValueError, match="planned for 6 rows, the ranks have 8"):
        worker(dp_size=2).train_mini_batch(data)
    with pytest.raises(ValueError, match="9 rows are no 2 mini-batches"):
        UpdatePlan(9, 2, "token-mean", 1.0, "per_group").rows_per_mini_batch()


def test_the_hybrid_worker_builds_tapos_training_worker():
    assert TapoActorRolloutRefWorker.actor_worker_cls is TapoTrainingWorker
