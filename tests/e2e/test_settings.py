"""verl's settings beside the recipe's on the real engine; short runs share them out, as each takes minutes."""

import math

import pytest
from engine import Run

from examples.arithmetic.problems import REFLECTION
from examples.cpu_demo import questions as demo_questions
from examples.cpu_demo.continuing import PROMPT
from recipe_tapo.records.attempts import read_dump

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data")
    demo_questions.main(["--output_dir", str(directory), "--train_size", "64", "--val_size", "8"])
    return directory


def common(folder):
    return (
        *("+recipe=[tapo,cpu]", "tapo.selection.n_pos=1", "tapo.selection.n_neg=1", f"tapo.dump_dir={folder}/dump"),
        *("tapo.synthesis.min_new_tokens=5", "actor_rollout_ref.actor.ppo_mini_batch_size=2"),
    )


def check(run, steps):
    """Every step constructed and trained: rows in verl's dump, finite losses and weights."""
    metrics = run.metrics()
    assert sorted(metrics) == list(range(1, steps + 1))
    for step, values in metrics.items():
        assert values["tapo/rows"] > 0
        assert len(run.rows(step)) == 32 + values["tapo/rows"]
        assert values["training/rollout_actor_probs_pearson_corr"] > 0.99
        for name in ("actor/pg_loss", "actor/grad_norm", "actor/kl_loss", "tapo/kl_to_reference"):
            assert math.isfinite(values[name]), name
        assert values["actor/grad_norm"] > 0
        assert "tapo/rejected/internal_error" not in values or values["tapo/rejected/internal_error"] == 0
    return metrics


def test_a_static_reference_fixed_micro_batches_shuffled_mini_batches_and_rollout_correction(tmp_path, data):
    """Two mini-batches in each of two epochs, none of whose numbers of rows divide one another.

    And the arm that a judge locates for: the policy chooses a number on verl's own server.
    """
    (tmp_path / "prompt.txt").write_text(PROMPT + "\n")  # see the next test
    run = Run(tmp_path, "fixed")
    run.start(
        data,
        *common(tmp_path),
        *("+arm=turning", "tapo.advantage.mode=anchored", f"tapo.synthesis.prompt_path={tmp_path}/prompt.txt"),
        "trainer.total_training_steps=1",
        *("actor_rollout_ref.actor.use_dynamic_bsz=false", "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=3"),
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=4",
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=5",
        *("actor_rollout_ref.actor.use_kl_loss=true", "actor_rollout_ref.actor.shuffle=true"),
        *("actor_rollout_ref.actor.ppo_epochs=2", "algorithm.rollout_correction.rollout_is=token"),
    )
    (values,) = check(run, steps=1).values()
    # Before the first optimizer step the policy is the reference.
    assert values["tapo/kl_to_reference"] == pytest.approx(0, abs=1e-5)
    # The correction runs on rollouts alone, whose sampler and actor agree.
    assert values["rollout_corr/rollout_is_mean"] == pytest.approx(1, abs=0.05)
    assert all(record["located_step"] for record in read_dump(tmp_path / "dump") if record["key"])


def test_lora_whose_reference_is_the_actor_a_joint_denominator_and_a_located_continuation(tmp_path, data):
    # The demo's model never saw continuation's own prompt: what it knows is a solution followed by the question.
    (tmp_path / "prompt.txt").write_text(PROMPT + "\n")
    (tmp_path / "phrase.txt").write_text(REFLECTION + "\n")
    run = Run(tmp_path, "lora")
    run.start(
        data,
        *common(tmp_path),
        "trainer.total_training_steps=2",
        *("actor_rollout_ref.model.lora_rank=4", "actor_rollout_ref.model.lora_alpha=8"),
        *("actor_rollout_ref.actor.use_kl_loss=true", "actor_rollout_ref.actor.optim.lr=1e-2"),
        *("tapo.loss_normalization=joint", "tapo.synthesis.mode=continuation", "tapo.synthesis.locate=answer"),
        *("tapo.synthesis.transition=begun", f"tapo.synthesis.transitions_path={tmp_path}/phrase.txt"),
        f"tapo.synthesis.prompt_path={tmp_path}/prompt.txt",
    )
    metrics = check(run, steps=2)
    # The adapter starts at nothing, and has been trained and has reached the sampler when the second step begins.
    assert metrics[1]["tapo/kl_to_reference"] == pytest.approx(0, abs=1e-5)
    assert metrics[2]["tapo/kl_to_reference"] > 1e-6
    rows = [record for record in read_dump(tmp_path / "dump") if record["key"]]
    assert all(record["located_step"] and REFLECTION in record["reconstruction"] for record in rows)
