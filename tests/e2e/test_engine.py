"""The real engine (Ray, FSDP2, vLLM, TransferQueue) end to end on the CPU."""

import math
import re

import pytest
from engine import ROOT, Run, adam_steps, plain_and_switched_off

from examples.cpu_demo import questions as demo_questions
from recipe_tapo.records.attempts import read_dump
from recipe_tapo.records.token_weights import join_weights

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data")
    demo_questions.main(["--output_dir", str(directory), "--train_size", "64", "--val_size", "8"])
    return directory


def test_switched_off_it_is_plain_grpo_with_verls_own_trainer(tmp_path, data):
    plain, off = plain_and_switched_off(tmp_path, data)
    assert "TAPO is OFF" in off.log()
    for step in (1, 2):
        assert off.rows(step) == plain.rows(step)
        assert len(off.rows(step)) == 32
        ours, verls = off.metrics()[step], plain.metrics()[step]
        assert not any(name.startswith("tapo/") for name in ours)
        for name in (
            *("critic/score/mean", "critic/advantages/max", "critic/advantages/min", "critic/advantages/mean"),
            *("actor/pg_loss", "actor/entropy", "actor/grad_norm", "actor/pg_clipfrac", "response_length/mean"),
        ):
            assert ours[name] == pytest.approx(verls[name], rel=1e-3, abs=1e-6), (step, name)


def test_tapo_trains_survives_faults_and_resumes(tmp_path, data):
    dump = tmp_path / "dump"
    common = (
        *("+recipe=[tapo,cpu]", "tapo.synthesis.min_new_tokens=5"),
        *("actor_rollout_ref.actor.ppo_mini_batch_size=2", f"tapo.dump_dir={dump}"),
        # Two steps an epoch; as in the run scripts, the steps alone end the run.
        *("data.train_max_samples=8", "trainer.total_training_steps=5"),
        "trainer.total_epochs=${trainer.total_training_steps}",
    )
    selection = ("tapo.selection.n_pos=1", "tapo.selection.n_neg=1", "trainer.save_freq=2")

    # The reward function raises on constructions of half of the questions. Killed after the second step's checkpoint.
    first = Run(tmp_path, "first")
    first.start_and_kill(
        data,
        *common,
        *selection,
        f"reward.custom_reward_function.path={ROOT}/tests/e2e/rewards.py",
        "reward.custom_reward_function.name=raises_on_some_constructions",
        "+reward.custom_reward_function.reward_kwargs.time_limit=7",
        checkpoint=2,
    )
    assert "is ACTIVE" in first.log() and str(dump) in first.log()
    metrics = {step: values for step, values in first.metrics().items() if step <= 2}
    assert sorted(metrics) == [1, 2]
    records = list(read_dump(dump))
    for step, values in metrics.items():
        constructed = [record for record in records if record["step"] == step]
        rows = [record for record in constructed if record["key"]]
        assert values["tapo/attempts"] == len(constructed) > 0
        assert values["tapo/rows"] == len(rows) > 0
        assert len(first.rows(step)) == 32 + len(rows)
        assert values["tapo/right"] == sum(bool(record["right"]) for record in constructed)
        assert values["tapo/attempts"] == values["tapo/rows"] + sum(
            value for name, value in values.items() if name.startswith("tapo/rejected/")
        )
        least, mean = values["tapo/ots_weight/min"], values["tapo/ots_weight/mean"]
        assert 0.01 * (1 - 1e-6) <= least <= mean <= 10  # the clamp in float32
        for name in ("tapo/nll", "tapo/entropy", "actor/pg_loss", "actor/grad_norm"):
            assert math.isfinite(values[name]), name
        # Headlines are on-policy: their mean score is that of the 32 rollouts.
        all_scores = sum(score for _, _, score in first.rows(step))
        assert values["critic/score/mean"] == pytest.approx((all_scores - sum(r["reward"] for r in rows)) / 32)
        # A group with constructions has right and wrong rollouts, so they do not change which questions have one score.
        scores = {
            question: {score for q, _, score in first.rows(step) if q == question} for question, *_ in first.rows(step)
        }
        without_variance = sum(len(values) == 1 for values in scores.values()) / len(scores)
        assert values["tapo/zero_variance_rollout_groups_fraction"] == without_variance
        # On-policy diagnostics see rollouts alone: sampler and actor agree.
        assert values["training/rollout_actor_probs_pearson_corr"] > 0.99
    # Every constructed row's tokens are in the dump with their OTS weights.
    for row in join_weights([record for record in records if record["key"] and record["step"] <= 2], dump):
        assert "".join(row["tokens"]) == row["reconstruction"]
        assert len(row["weights"]) == len(row["tokens"])
    assert sum(values["tapo/rejected/reward_failed"] for values in metrics.values()) > 0
    assert {record["reason"] for record in records if record["reward"] is None} >= {"reward_failed"}
    # Four questions in mini-batches of two: two optimizer steps per rollout batch, whatever was constructed.
    assert adam_steps(tmp_path / "checkpoints" / "global_step_2") == {4}

    # Resumed from step 2; every synthesis request times out and costs nothing but itself.
    second = Run(tmp_path, "second")
    second.start(data, *common, *selection, "trainer.test_freq=4", "tapo.synthesis.timeout_s=0.001")
    assert re.search(r"setting global step to 2\b", second.log())
    metrics = second.metrics()
    assert sorted(metrics) == [3, 4, 5]
    for values in metrics.values():
        assert values["tapo/rejected/timed_out"] == values["tapo/attempts"]
        assert values["tapo/rows"] == 0
        assert math.isfinite(values["actor/grad_norm"])
    assert adam_steps(tmp_path / "checkpoints" / "global_step_4") == {8}
    # In the third epoch, at no multiple of save_freq or test_freq: the last step is saved and validated.
    assert (tmp_path / "checkpoints" / "latest_checkpointed_iteration.txt").read_text() == "5"
    assert adam_steps(tmp_path / "checkpoints" / "global_step_5") == {10}
    validated = [step for step in metrics if any(name.startswith("val-") for name in metrics[step])]
    assert validated == [4, 5]
