"""The study's curves by hand, and that its figure survives whatever has finished."""

import pytest
from matplotlib.image import imread

from examples.study.arms import ARMS
from examples.study.figures import MAX_CURVES, colour, curve_over_seeds, draw_study, is_method
from examples.study.summary import DYNAMICS
from examples.study.table import make_rows


def run(arm, seed, accuracy, curve=None, rl_seed=0):
    record = {"arm": arm, "seed": seed, "rl_seed": rl_seed, "sampled_accuracy": accuracy, "greedy_accuracy": accuracy}
    record |= {"pass_at": {"8": accuracy}, "response_length": 40.0, "entropy": 0.2}
    return record if curve is None else record | {"curve": {"held_out": curve, "training": curve}}


def test_a_curve_has_a_point_where_all_runs_have_one():
    records = [run("tapo", 0, 0.5, {"0": 0.2, "10": 0.4, "20": 0.6}), run("tapo", 1, 0.5, {"0": 0.4, "10": 0.4})]
    points = curve_over_seeds(records, "tapo", "held_out")
    # Step 0: (0.2 + 0.4) / 2, sd 0.1414, se 0.1; step 20 has one run of two.
    assert list(points) == [0, 10]
    assert points[0] == (pytest.approx(0.3), pytest.approx(0.1))
    assert points[10] == (pytest.approx(0.4), 0.0)
    assert curve_over_seeds(records, "grpo", "held_out") == {}


def test_a_curve_is_smoothed_run_by_run():
    points = curve_over_seeds([run("tapo", 0, 0.5, {"1": 0.0, "2": 0.3, "3": 0.9})], "tapo", "training", smoothing=3)
    assert [value for value, _ in points.values()] == pytest.approx([0.15, 0.4, 0.6])  # 0.3 / 2, 1.2 / 3, 1.2 / 2


def with_curve(records):
    return [record["arm"] for record in records if "curve" in record]


CURVE = {"0": 0.3, "10": 0.5}
EVERYTHING = [
    run(name, seed, 0.5 if arm.kind == "engine" else 0.05, CURVE if arm.kind == "engine" else None)
    for name, arm in ARMS.items()
    for seed in (0, 1)
]


@pytest.mark.parametrize(
    "records",
    [
        [run("cold_start", 0, 0.3, rl_seed=None)],
        [run("grpo", 0, 0.5, CURVE)],
        [run("grpo", 0, 0.5, CURVE), run("tapo", 0, 0.6, CURVE), run("sft", 0, 0.05)],
        EVERYTHING,
    ],
    ids=["before any training", "GRPO alone", "one seed", "everything"],
)
def test_the_figure_is_drawn_whatever_has_finished(records, tmp_path):
    paths = draw_study(records, make_rows(records), tmp_path / "figure")
    assert [path.name for path in paths] == ["figure.png", "figure.svg"]
    assert imread(paths[0]).std() > 0.01  # something is drawn
    # Matplotlib writes every text as a comment beside its outlines: each arm with a curve is in the legend.
    svg = paths[1].read_text()
    assert all(f"<!-- {ARMS[arm].title}" in svg for arm in with_curve(records) if is_method(ARMS[arm]))


def test_curves_drawn_together_can_be_told_apart():
    methods = [arm for arm in ARMS.values() if is_method(arm)]
    assert len({(colour(arm), arm.start) for arm in methods}) == len(methods) == MAX_CURVES
    assert colour(ARMS["opsd_opsd_start"]) == colour(ARMS["opsd"]) != colour(ARMS["sft"])


def test_every_trained_arm_is_in_one_figure_of_training_dynamics():
    shown = [name for names in DYNAMICS.values() for name in names]
    assert sorted(shown) == sorted(name for name, arm in ARMS.items() if arm.kind == "engine")
