"""TAPO under verl's colocate_async on the real engine (Ray, FSDP2, vLLM, TransferQueue), on the CPU."""

import math
import re
from statistics import mean, stdev

import pytest
from engine import Run, adam_steps

from examples.cpu_demo import questions as demo_questions
from recipe_tapo.records.attempts import read_dump
from recipe_tapo.records.token_weights import join_weights

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

COMMON = (
    *("tapo.synthesis.min_new_tokens=5", "tapo.selection.n_pos=1", "tapo.selection.n_neg=1"),
    "actor_rollout_ref.actor.ppo_mini_batch_size=4",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data")
    demo_questions.main(["--output_dir", str(directory), "--train_size", "64", "--val_size", "8"])
    return directory


def check_grpos_numbers(rows, records, values):
    """A step's headline numbers are those of GRPO over its rollouts, computed here from their scores."""
    groups = {}
    for question, text, score in rows:
        constructed = next(
            (
                record
                for record in records
                if record["question"] in question and (record["reconstruction"], record["reward"]) == (text, score)
            ),
            None,
        )
        if constructed:
            records = [record for record in records if record is not constructed]
        else:
            groups.setdefault(question, []).append(score)
    assert [len(scores) for scores in groups.values()] == [8] * 4
    advantages = [(score - mean(scores)) / (stdev(scores) + 1e-6) for scores in groups.values() for score in scores]
    assert values["critic/score/mean"] == pytest.approx(mean(score for scores in groups.values() for score in scores))
    assert values["critic/advantages/max"] == pytest.approx(max(advantages), abs=1e-4)
    assert values["critic/advantages/min"] == pytest.approx(min(advantages), abs=1e-4)
    assert values["training/rollout_actor_probs_pearson_corr"] > 0.99


def test_colocate_async_constructs_from_several_versions_and_resumes(tmp_path, data):
    """A batch is prefetched and two groups are served at a time, so that training interrupts those of the next step."""
    dump = tmp_path / "dump"
    arguments = (
        *("+recipe=[tapo,cpu]", "trainer.v1.trainer_mode=tapo_colocate_async", *COMMON, f"tapo.dump_dir={dump}"),
        *("trainer.total_training_steps=10", "trainer.save_freq=2", "actor_rollout_ref.rollout.max_num_seqs=16"),
    )
    first = Run(tmp_path, "first")
    first.start_and_kill(data, *arguments, checkpoint=2)
    second = Run(tmp_path, "second")
    second.start(data, *arguments)
    assert re.search(r"setting global step to 2\b", second.log())
    assert re.search(r"Restored 4 training prompt groups from TransferQueue", second.log())
    metrics = {step: values for step, values in first.metrics().items() if step <= 2} | second.metrics()
    assert sorted(metrics) == list(range(1, 11))

    for step, values in metrics.items():
        assert len(first.rows(step)) == 32 + values["tapo/rows"], step
        rejected = sum(count for name, count in values.items() if name.startswith("tapo/rejected/"))
        assert values["tapo/attempts"] == values["tapo/rows"] + rejected
        assert math.isfinite(values["actor/grad_norm"])
    assert sum(values["tapo/rows"] for values in metrics.values()) > 0
    # y⁻ of a prefetched group is a version old.
    assert max(values.get("tapo/staleness/source/max", 0) for values in metrics.values()) >= 1

    records = [record for record in read_dump(dump) if record["key"]]
    check_grpos_numbers(first.rows(1), records, metrics[1])
    for record in records:
        for versions in (record["error_versions"], record["correct_versions"], record["versions"]):
            assert 0 <= versions[0] <= versions[1] <= 10
        # A synthesis begins when its group has ended.
        assert record["versions"][0] >= record["error_versions"][1]
    # What training interrupted was finished by the next version.
    spans = max(values["training/off_policy/trajectory_spans/max"] for values in metrics.values())
    assert spans >= 2 or any(record["versions"][0] < record["versions"][1] for record in records)
    trained = [row for row in join_weights(records, dump) if row["tokens"]]
    assert len(trained) >= sum(values["tapo/rows"] for values in metrics.values())

    # Groups in flight at the checkpoint are generated anew: no question is lost or trained on twice.
    questions = [question for step in metrics for question in {question for question, *_ in first.rows(step)}]
    assert len(questions) == len(set(questions)) == 40
    # One optimizer step for each step, as in GRPO.
    assert adam_steps(tmp_path / "checkpoints" / "global_step_10") == {10}
