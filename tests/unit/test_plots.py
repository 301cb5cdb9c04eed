import json

import numpy as np
import pytest

from recipe_tapo.plots import PANELS, Panel, curve, group_by_seed, main, read_run


def write_run(folder, values, name="tapo/ots_weight/mean"):
    folder.mkdir(parents=True)
    lines = [
        json.dumps({"step": step, "data": {name: value, "actor/grad_norm": 1.0}}) for step, value in values.items()
    ]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 9, "da')
    return folder


def test_seeds_of_one_arm_become_a_mean_and_a_band(tmp_path):
    runs = [read_run(write_run(tmp_path / f"tapo-seed{i}", {1: 0.5 + i, 2: 1.0})) for i in (0, 1)]
    runs.append(read_run(write_run(tmp_path / "grpo", {1: 3.0})))
    groups = group_by_seed(runs)
    assert {label: len(members) for label, members in groups.items()} == {"tapo": 2, "grpo": 1}
    steps, mean, deviation = curve(groups["tapo"], PANELS[0])
    assert steps.tolist() == [1, 2]
    np.testing.assert_allclose(mean, [1.0, 1.0])  # (0.5 + 1.5) / 2 and 1
    np.testing.assert_allclose(deviation, [0.5, 0.0])


def test_a_metric_that_is_missing_leaves_a_gap_and_the_pictures_are_written(tmp_path, capsys):
    run = write_run(tmp_path / "tapo", {1: 0.5, 2: 0.7})
    assert curve([read_run(run)], Panel("none", ("no/such",))) is None
    assert main([str(run), "--output", str(tmp_path / "out" / "figure")]) == 0
    assert (tmp_path / "out" / "figure.png").stat().st_size > 10_000
    assert capsys.readouterr().out.count("figure.") == 2


@pytest.mark.parametrize("content", [None, "", "not json\n", '{"step": 1, "data": {"text": "no number"}}\n'])
def test_what_holds_no_metrics_gets_one_line_and_exit_code_2(tmp_path, capsys, content):
    path = tmp_path / "run.jsonl"
    if content is not None:
        path.write_text(content)
    assert main([str(path), "--output", str(tmp_path / "figure")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(path) in error
    assert not list(tmp_path.glob("figure*"))
