"""Two steps of TAPO and of GRPO on a GPU, with verl's defaults there, on the demo's model of half a million parameters.

The command is that of the CPU's end-to-end tests: the recipe `cpu` is empty where there is an accelerator. So the path
is rehearsed on a CPU with `REHEARSE_GPU_TESTS=1 python -m pytest -m gpu tests/gpu/test_training.py`. Nothing is
downloaded.
"""

import math
import os

import pytest
import torch
from engine import ROOT, Run, plain_and_switched_off

from examples.cpu_demo import questions as demo_questions
from recipe_tapo.records.attempts import read_dump

ON_GPU = torch.cuda.is_available()
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(not ON_GPU and not os.environ.get("REHEARSE_GPU_TESTS"), reason="needs a GPU"),
]

# bf16 kernels add in no fixed order.
RELATIVE, ABSOLUTE = (2e-2, 1e-4) if ON_GPU else (1e-3, 1e-6)

COMMON = (
    *("trainer.n_gpus_per_node=1", "trainer.total_training_steps=2", "actor_rollout_ref.actor.ppo_mini_batch_size=4"),
    *("actor_rollout_ref.rollout.gpu_memory_utilization=0.3", "actor_rollout_ref.rollout.agent.num_workers=1"),
    *("reward.num_workers=1", "transfer_queue.backend.SimpleStorage.num_data_storage_units=1"),
    "ray_kwargs.ray_init.num_cpus=5",  # exactly what verl's processes ask for: see recipe_tapo/engine/ray_cpus.py
    f"reward.custom_reward_function.path={ROOT}/recipe_tapo/reward.py",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data")
    demo_questions.main(["--output_dir", str(directory), "--train_size", "64", "--val_size", "8"])
    return directory


def test_switched_off_it_is_plain_grpo_on_the_same_rollouts(tmp_path, data):
    plain, off = plain_and_switched_off(tmp_path, data, *COMMON)
    assert "TAPO is OFF" in off.log()
    for step in (1, 2):
        assert off.rows(step) == plain.rows(step)
        ours, verls = off.metrics()[step], plain.metrics()[step]
        for name in ("critic/score/mean", "critic/advantages/mean", "response_length/mean"):
            assert ours[name] == pytest.approx(verls[name], rel=1e-6, abs=1e-6), (step, name)
        for name in ("actor/pg_loss", "actor/entropy", "actor/grad_norm"):
            assert ours[name] == pytest.approx(verls[name], rel=RELATIVE, abs=ABSOLUTE), (step, name)


def test_tapo_constructs_and_trains_on_what_it_constructs(tmp_path, data):
    run = Run(tmp_path, "tapo")
    run.start(
        data,
        *("+recipe=[tapo,cpu]", "tapo.selection.n_pos=1", "tapo.selection.n_neg=1", "tapo.synthesis.min_new_tokens=5"),
        f"tapo.dump_dir={tmp_path}/dump",
        *COMMON,
    )
    assert "is ACTIVE" in run.log()
    metrics = run.metrics()
    assert sorted(metrics) == [1, 2]
    records = list(read_dump(tmp_path / "dump"))
    for step, values in metrics.items():
        assert values["tapo/attempts"] == sum(record["step"] == step for record in records) > 0
        assert values["tapo/rows"] == sum(record["step"] == step and bool(record["key"]) for record in records) > 0
        assert not any(values[f"tapo/rejected/{why}"] for why in ("request_failed", "timed_out", "internal_error"))
        assert 0.01 * (1 - 1e-2) <= values["tapo/ots_weight/min"] <= values["tapo/ots_weight/mean"] <= 10 * (1 + 1e-2)
        assert values["training/rollout_actor_probs_pearson_corr"] > 0.98
        for name in ("tapo/nll", "tapo/entropy", "actor/pg_loss", "actor/grad_norm"):
            assert math.isfinite(values[name]), name
