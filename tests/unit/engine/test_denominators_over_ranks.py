"""The denominators of Eq. 6 on two ranks: real processes, gloo, verl's own worker class; compared with one process."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.multiprocessing
from tensordict import NonTensorStack, TensorDict
from verl.utils import tensordict_utils as tu

from recipe_tapo.algorithm.loss import GroupSizes
from recipe_tapo.engine.rows import LOSS_MASK, TOKEN_FACTOR, UID, VERL_TOKEN_FACTOR
from recipe_tapo.engine.train_worker import TapoTrainingWorker
from recipe_tapo.engine.update_plan import UpdatePlan

# Two ranks with three rows each; the constructed rows lie on the second one but for a single one.
UIDS = ["a", "a", "b_reflected", "b", "a_reflected", "pad0"]
MASKS = [[1, 1, 1], [1, 1], [0, 1], [1], [0, 1, 1, 1], [0]]
SIZES = GroupSizes(original_tokens=13, reflection_tokens=6, original_sequences=7, reflection_sequences=4)
CASES = [
    (mode, normalization)
    for mode in ("token-mean", "seq-mean-token-mean", "token-sum")
    for normalization in ("per_group", "joint")
]


def factors(rows, group, case):
    """What the worker makes of these rows, in a group of ranks or alone."""
    mode, normalization = case
    mask = torch.nested.as_nested_tensor([torch.tensor(MASKS[row]) for row in rows], layout=torch.jagged)
    ones = torch.nested.as_nested_tensor([torch.ones(len(MASKS[row])) for row in rows], layout=torch.jagged)
    fields = {UID: NonTensorStack(*(UIDS[row] for row in rows)), LOSS_MASK: mask, TOKEN_FACTOR: ones}
    data = TensorDict(fields, batch_size=len(rows))
    tu.assign_non_tensor(data, global_batch_size=len(UIDS))
    worker = object.__new__(TapoTrainingWorker)
    worker.engine = SimpleNamespace(get_data_parallel_group=lambda: group)
    worker._put_verl_factors(data, UpdatePlan(12, 2, SIZES, mode, 0.5, normalization))
    return [row.tolist() for row in data[VERL_TOKEN_FACTOR].unbind()]


def run_rank(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    rows = range(3 * rank, 3 * rank + 3)
    torch.save([factors(rows, torch.distributed.group.WORLD, case) for case in CASES], f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def of_ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERL_PLATFORM", "cpu")  # also where there is a GPU: the ranks talk over gloo
        torch.multiprocessing.spawn(run_rank, args=(str(folder),), nprocs=2)
    return [torch.load(Path(folder) / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.parametrize("number", range(len(CASES)), ids=map(str, CASES))
def test_two_ranks_have_the_factors_of_one_process(of_ranks, number):
    together = [row for rank in of_ranks for row in rank[number]]
    assert together == factors(range(6), None, CASES[number])


def test_the_factors_of_two_ranks_by_hand(of_ranks):
    # Trained on both ranks: 6 original tokens and 1 + 3 constructed ones, so verl divides by 10. Of two steps on the
    # batch's 6 constructed tokens each takes 3. Originals: 10/6; constructed: 0.5 · 10/3.
    first = [row for rank in of_ranks for row in rank[CASES.index(("token-mean", "per_group"))]]
    for uid, row in zip(UIDS, first, strict=True):
        assert row == pytest.approx([0.5 * 10 / 3 if uid.endswith("_reflected") else 10 / 6] * len(row))
