"""Two arms of the study for two steps each on the real engine, and the table's arithmetic against their logs."""

import json

import pytest
import yaml

from examples.arithmetic.question_files import ACCURACY
from examples.study import __main__ as command

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

FLAGS = ["--regime", "demo", "--seeds", "0", "--rl_seeds", "0", "--steps", "2", "--test_freq", "1"]
ARMS = ["--arms", "cold_start", "grpo", "tapo"]
ROLLOUTS = 128


def steps_of(folder):
    entries = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {entry["step"]: entry["data"] for entry in entries}


def flat(node, prefix=""):
    if not isinstance(node, dict):
        return {prefix: node}
    return {name: value for key, child in node.items() for name, value in flat(child, f"{prefix}.{key}").items()}


def test_two_arms_end_to_end_and_the_table_against_their_logs(tmp_path, capsys):
    study = tmp_path / "study"
    command.main(["--output_dir", str(study), *ARMS, *FLAGS])
    records = {r["arm"]: r for r in map(json.loads, (study / "results.jsonl").read_text().splitlines())}
    assert list(records) == ["cold_start", "grpo", "tapo"]

    for arm in ("grpo", "tapo"):
        folder, record = study / "runs" / f"{arm}-seed0-0", records[arm]
        assert ("TAPO is OFF" if arm == "grpo" else "is ACTIVE") in (folder / "train.log").read_text(errors="replace")
        steps = steps_of(folder)
        assert sorted(steps) == [0, 1, 2]
        # The pass over the saved model and verl's own validation of the same weights agree on greedy answers.
        assert record["greedy_accuracy"] == pytest.approx(steps[2][ACCURACY], abs=2 / 256)
        assert record["curve"]["held_out"] == {str(step): steps[step][ACCURACY] for step in (0, 1, 2)}
        constructed = [steps[step].get("tapo/rows", 0) for step in (1, 2)]
        assert record["rows_per_step"] == ROLLOUTS + sum(constructed) / 2
        assert (sum(constructed) > 0) == (arm == "tapo")
        assert record["seconds_per_step"] == pytest.approx(
            steps[2]["timing_s/step"] - steps[2]["timing_s/save_checkpoint"]
        )
    steps = steps_of(study / "runs" / "tapo-seed0-0")
    attempts = sum(steps[step]["tapo/attempts"] for step in (1, 2))
    assert records["tapo"]["parsed"] == sum(steps[step]["tapo/parsed"] for step in (1, 2)) / attempts
    # Both start from the cold start, which the pass measured and verl validated.
    assert records["cold_start"]["greedy_accuracy"] == pytest.approx(steps[0][ACCURACY], abs=2 / 256)

    table = (study / "table.md").read_text()
    for arm, title in (("grpo", "GRPO"), ("tapo", "TAPO")):
        greedy, sampled = records[arm]["greedy_accuracy"], records[arm]["sampled_accuracy"]
        to_grpo = [
            f"{100 * (records[arm][name] - records['grpo'][name]):+.1f}" if arm == "tapo" else "–"
            for name in ("greedy_accuracy", "sampled_accuracy")
        ]
        row = f"| {title} | 1 / 1 | {100 * greedy:.1f} | {to_grpo[0]} | {100 * sampled:.1f} | {to_grpo[1]} |"
        assert row in table

    # Settings differ in what the arm is, and in where files go.
    configs = [
        flat(yaml.safe_load((study / "runs" / f"{arm}-seed0-0" / "hydra" / ".hydra" / "config.yaml").read_text()))
        for arm in ("grpo", "tapo")
    ]
    different = {name for name in configs[0] if configs[0][name] != configs[1].get(name)}
    paths = {".tapo.dump_dir", ".trainer.default_local_dir", ".trainer.experiment_name"}
    assert different == {".tapo.enable", *paths}
    for name in ("learning_curves", "training_dynamics"):
        assert (study / f"{name}.png").stat().st_size > 10_000
        assert (study / f"{name}.svg").is_file()

    # A second time there is nothing to do.
    before = (study / "results.jsonl").read_text()
    assert "grpo, seed 0/0: done in" in capsys.readouterr().out
    command.main(["--output_dir", str(study), *ARMS, *FLAGS])
    assert (study / "results.jsonl").read_text() == before
    assert "done in" not in capsys.readouterr().out
