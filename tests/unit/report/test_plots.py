import json

import numpy as np
import pytest
from matplotlib.image import imread

from recipe_tapo.cli import main as tapo
from recipe_tapo.cli.run import run_command
from recipe_tapo.records.training_log import Run, read_run, read_runs
from recipe_tapo.report.plots import Panel, curve, group_by_seed, metric_of, series_of


def write_run(folder, values, name="tapo/ots_weight/mean"):
    folder.mkdir(parents=True)
    lines = [
        json.dumps({"step": step, "data": {name: value, "actor/grad_norm": 1.0}}) for step, value in values.items()
    ]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 9, "da')
    return folder


def exit_code(*arguments):
    try:
        run_command(lambda: tapo.run(["plot", *map(str, arguments)]))
    except SystemExit as stop:
        return stop.code
    return 0


def test_seeds_of_one_arm_become_a_mean_and_a_band(tmp_path):
    runs = [read_run(write_run(tmp_path / f"tapo-seed{i}", {1: 0.5 + i, 2: 1.0})) for i in (0, 1)]
    runs.append(read_run(write_run(tmp_path / "grpo", {1: 3.0})))
    groups = group_by_seed(runs)
    assert {label: len(members) for label, members in groups.items()} == {"tapo": 2, "grpo": 1}
    steps, mean, deviation = curve(groups["tapo"], "tapo/ots_weight/mean")
    assert steps.tolist() == [1, 2]
    np.testing.assert_allclose(mean, [1.0, 1.0])  # (0.5 + 1.5) / 2 and 1
    np.testing.assert_allclose(deviation, [0.5 * 2**0.5, 0.0])  # sqrt((0.5² + 0.5²) / (2 - 1))


def test_a_metric_that_is_missing_leaves_a_gap_and_the_pictures_are_written(tmp_path, capsys):
    run = write_run(tmp_path / "tapo", {1: 0.5, 2: 0.7})
    assert metric_of([read_run(run)], Panel("none", ("no/such",))) is None
    assert curve([read_run(run)], "no/such") is None
    assert exit_code(run, "--output", tmp_path / "out" / "figure") == 0
    assert capsys.readouterr().out.count("figure.") == 2


def test_a_picture_shows_the_values_of_its_run(tmp_path):
    pictures = []
    for number, values in enumerate(({1: 0.5, 2: 0.7}, {1: 0.5, 2: 0.7}, {1: 0.5, 2: 0.2})):
        run = write_run(tmp_path / str(number) / "tapo", values)
        assert exit_code(run, "--output", tmp_path / f"figure{number}") == 0
        pictures.append(imread(tmp_path / f"figure{number}.png"))
    same, other = pictures[1:]
    np.testing.assert_array_equal(pictures[0], same)
    assert (pictures[0] != other).any()


@pytest.mark.parametrize(
    "content", [None, "", "not json\n", '{"step": 1, "data": {"text": "no number"}}\n', '{"step": 1, "data": [1]}']
)
def test_what_holds_no_metrics_gets_one_line_and_exit_code_2(tmp_path, capsys, content):
    path = tmp_path / "run.jsonl"
    if content is not None:
        path.write_text(content)
    assert exit_code(path, "--output", tmp_path / "figure") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(path) in error
    assert not list(tmp_path.glob("figure*"))


def test_what_holds_no_metrics_is_passed_over_in_a_folder(tmp_path):
    run = write_run(tmp_path / "run", {1: 0.5})
    (run / "metrics.jsonl").rename(run / "other.jsonl")
    (run / "a.jsonl").write_bytes(b"\xff\xfe\xff\n")
    (run / "b.jsonl").write_text("[" * 100_000)
    (run / "d.jsonl").mkdir()
    (run / "e.jsonl").symlink_to(run / "nowhere")
    assert read_run(run).series["tapo/ots_weight/mean"] == {1: 0.5}


def test_a_run_that_was_interrupted_is_one_curve(tmp_path):
    """Each start has a file of its own. What the second trained again, or never reached, does not count twice."""
    folder = tmp_path / "tapo"
    folder.mkdir()

    def lines(file, accuracy):
        entries = [json.dumps({"step": step, "data": {"accuracy": value}}) for step, value in accuracy.items()]
        (folder / file).write_text("\n".join(entries) + "\n")

    lines("metrics-from-step-0.jsonl", {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4})
    lines("metrics-from-step-2.jsonl", {3: 0.5})
    assert read_run(folder).series["accuracy"] == {1: 0.1, 2: 0.2, 3: 0.5}
    lines("metrics-from-step-10.jsonl", {11: 0.9})  # by number: 10 comes behind 2
    assert read_run(folder).series["accuracy"] == {1: 0.1, 2: 0.2, 3: 0.5, 11: 0.9}
    assert read_run(folder).label == "tapo"


def test_files_of_verls_logger_are_called_by_their_folders_and_runs_of_one_name_by_their_paths(tmp_path):
    paths = [write_run(tmp_path / name, {1: 0.5}) for name in ("a/out", "b/out", "grpo")]
    assert [run.label for run in read_runs([*paths[:2], paths[2] / "metrics.jsonl"])] == [
        *map(str, paths[:2]),
        "grpo",
    ]
    assert len(group_by_seed(read_runs(paths))) == 3


def test_a_metric_of_which_nothing_is_left_is_none(tmp_path):
    """Tested at step 3, then trained again from step 2 and not tested yet."""
    folder = tmp_path / "tapo"
    folder.mkdir()
    data = {1: {"loss": 0.1}, 3: {"loss": 0.3, "val": 0.5}}
    text = "".join(json.dumps({"step": step, "data": values}) + "\n" for step, values in data.items())
    (folder / "metrics-from-step-0.jsonl").write_text(text)
    (folder / "metrics-from-step-2.jsonl").write_text(json.dumps({"step": 3, "data": {"loss": 0.2}}) + "\n")
    assert read_run(folder).series == {"loss": {1: 0.1, 3: 0.2}}
    assert exit_code(folder, "--output", tmp_path / "figure") == 0


def run(label, **series):
    return Run(label, {name.replace("__", "/"): values for name, values in series.items()})


@pytest.mark.parametrize(
    ("label", "group"),
    [
        *[("tapo-seed1", "tapo"), ("tapo_seed=12", "tapo"), ("tapo-s3", "tapo"), ("tapo-seed0-1", "tapo")],
        *[("thresholds_2_2_2", "thresholds_2_2_2"), ("thresholds_2_2_2-seed0-1", "thresholds_2_2_2")],
        *[("adamw_lr1e-5", "adamw_lr1e-5"), ("steps60", "steps60"), ("seed1", "seed1")],
    ],
)
def test_only_a_trailing_seed_is_left_out_of_a_runs_name(label, group):
    assert list(group_by_seed([Run(label)])) == [group]


def test_all_runs_of_a_panel_show_the_same_metric():
    panel = Panel("KL", ("actor/kl_loss", "actor/ppo_kl"))
    both = run("a", actor__ppo_kl={1: 0.1}, actor__kl_loss={1: 0.2})
    one = run("b", actor__ppo_kl={1: 0.3})
    assert metric_of([one, both], panel) == "actor/kl_loss"
    assert metric_of([one], panel) == "actor/ppo_kl"


def test_a_yield_is_a_ratio_and_has_no_point_where_nothing_was_attempted():
    values = run("a", tapo__right={1: 3, 2: 0, 3: 1}, tapo__attempts={1: 4, 2: 0, 3: 2})
    assert series_of(values, ("tapo/right", "tapo/attempts")) == {1: 0.75, 3: 0.5}
    assert metric_of([run("grpo")], Panel("yield", (("tapo/right", "tapo/attempts"),))) is None


def test_each_run_is_smoothed_before_the_band_is_taken():
    runs = [run("a", x={1: 0.0, 2: 3.0, 3: 6.0}), run("a", x={1: 2.0, 2: 2.0, 3: 2.0})]
    _, mean, deviation = curve(runs, "x", smoothing=3)
    # First run: (0 + 3) / 2 = 1.5, (0 + 3 + 6) / 3 = 3, (3 + 6) / 2 = 4.5; second: 2 everywhere.
    np.testing.assert_allclose(mean, [1.75, 2.5, 3.25])
    # Of two values it is their distance, 0.5, 1 and 2.5, divided by the root of 2.
    np.testing.assert_allclose(deviation, np.array([0.5, 1.0, 2.5]) / 2**0.5)


def test_a_seed_that_is_missing_at_a_step_does_not_move_the_mean():
    constant = run("a", x=dict.fromkeys(range(1, 9), 0.2))
    sparse = run("a", x=dict.fromkeys((2, 3, 6), 0.8))
    steps, mean, deviation = curve([constant, sparse], "x")
    assert steps.tolist() == [2, 3, 4, 5, 6]  # those that both have, or pass between values
    np.testing.assert_allclose(mean, 0.5)
    np.testing.assert_allclose(deviation, 0.6 / 2**0.5)
    assert curve([run("a", x={1: 0.2}), run("a", x={2: 0.2})], "x") is None


def test_a_smoothing_below_one_is_refused(tmp_path, capsys):
    assert exit_code(write_run(tmp_path / "tapo", {1: 0.5}), "--smoothing", 0) == 2
    assert "--smoothing 0" in capsys.readouterr().err
