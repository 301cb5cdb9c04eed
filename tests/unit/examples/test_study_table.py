"""The study's arithmetic: means, standard errors and paired differences from small logs, by hand."""

import json
import math

import pytest

from examples.cpu_demo.display import ACCURACY
from examples.study.equal_tokens import accuracy_after, difference_at_equal_tokens
from examples.study.results import read_records, training_record, write_record, write_results
from examples.study.seed_statistics import deviation_between_rl_seeds, mean_over_seeds, paired_difference
from examples.study.table import (
    EQUAL_TOKENS,
    HELD_OUT,
    RESPONSES_AND_COST,
    TRAINING,
    cells,
    headings,
    make_rows,
    markdown,
    with_values,
)


def test_cold_starts_are_averaged_first_and_are_the_sample():
    mean = mean_over_seeds({(0, 0): 0.40, (0, 1): 0.50, (1, 0): 0.55, (1, 1): 0.55})
    # Cold starts: (0.40 + 0.50) / 2 = 0.45 and 0.55; mean 0.50;
    # sd = sqrt((0.05² + 0.05²) / 1) = 0.0707; se = 0.0707 / sqrt(2) = 0.05.
    assert mean.value == pytest.approx(0.50)
    assert mean.stderr == pytest.approx(0.05)
    assert (mean.cold_starts, mean.runs) == (2, 4)


def test_the_interval_is_that_of_the_cold_starts():
    # Three cold starts: t of two degrees of freedom is 4.303, however many RL seeds each has.
    mean = mean_over_seeds({(seed, rl): 0.1 * seed for seed in (0, 1, 2) for rl in (0, 1, 2)})
    assert mean.half_width == pytest.approx(4.303 * 0.1 / math.sqrt(3))
    # One cold start with three RL seeds: the same t over these.
    mean = mean_over_seeds({(0, rl): 0.1 * rl for rl in (0, 1, 2)})
    assert mean.half_width == pytest.approx(4.303 * 0.1 / math.sqrt(3))
    assert mean_over_seeds({(0, 0): 0.3}).half_width is None


def test_every_cold_start_counts_alike_however_many_runs_it_has():
    assert mean_over_seeds({(0, 0): 0.0, (1, 0): 1.0, (1, 1): 0.6}).value == pytest.approx(0.4)  # (0 + 0.8) / 2


def test_rl_seeds_are_the_sample_where_there_is_one_cold_start():
    mean = mean_over_seeds({(0, 0): 0.3, (0, 1): 0.5, (0, 2): 0.7})
    # sd = sqrt((0.2² + 0 + 0.2²) / 2) = 0.2; se = 0.2 / sqrt(3).
    assert (mean.value, mean.stderr) == (pytest.approx(0.5), pytest.approx(0.2 / math.sqrt(3)))
    assert mean_over_seeds({(0, 0): 0.3}).stderr is None
    with pytest.raises(ValueError, match="no run"):
        mean_over_seeds({})


def test_differences_are_paired_so_that_what_a_seed_shares_cancels():
    baseline = {(0, 0): 0.50, (1, 0): 0.70, (2, 0): 0.90}
    difference = paired_difference({(0, 0): 0.53, (1, 0): 0.72, (2, 0): 0.91}, baseline)
    # 0.03, 0.02, 0.01: mean 0.02, sd 0.01, se 0.01 / sqrt(3); unpaired the se would be thirty times as large.
    assert difference.value == pytest.approx(0.02)
    assert difference.stderr == pytest.approx(0.01 / math.sqrt(3))


def test_seeds_that_only_one_side_has_do_not_count():
    difference = paired_difference({(0, 0): 0.6, (5, 0): 0.0}, {(0, 0): 0.5, (1, 0): 0.9})
    assert (difference.value, difference.stderr, difference.runs) == (pytest.approx(0.1), None, 1)
    assert paired_difference({(5, 0): 0.0}, {(0, 0): 0.5}) is None
    assert paired_difference({}, {(0, 0): 0.5}) is None


def test_what_has_no_rl_seed_is_compared_with_every_run_of_its_cold_start():
    difference = paired_difference({(0, None): 0.4}, {(0, 0): 0.5, (0, 1): 0.7})
    assert difference.value == pytest.approx(-0.2)  # (-0.1 - 0.3) / 2
    assert difference.stderr == pytest.approx(0.1)  # sd = 0.1414, / sqrt(2)


def test_the_scatter_between_rl_seeds_is_pooled_over_arms_and_cold_starts():
    arms = [{(0, 0): 0.4, (0, 1): 0.6, (1, 0): 0.9}, {(0, 0): 0.5, (0, 1): 0.5}, {(0, None): 0.3}]
    # Squares (0.1² + 0.1²) + 0 + 0, degrees of freedom 1 + 0 + 1 + 0: sqrt(0.02 / 2).
    assert deviation_between_rl_seeds(arms) == (pytest.approx(0.1), 2)
    assert deviation_between_rl_seeds([{(0, 0): 0.4, (1, 0): 0.6}]) is None
    assert deviation_between_rl_seeds([]) is None


STEP = {"training/global_step": 1, "actor/entropy": 0.5, "critic/score/mean": 0.5, "response_length/mean": 40.5}
LOG = [
    (0, {ACCURACY: 0.30}),
    (1, STEP | {"timing_s/step": 60.0, "tapo/groups": 16, "tapo/eligible_groups": 8, "tapo/attempts": 32}),
    (
        2,
        STEP
        | {"training/rollout_probs_diff_max": 3e-6}
        | {"timing_s/step": 5.0, "tapo/groups": 16, "tapo/eligible_groups": 4, "tapo/attempts": 16, "tapo/parsed": 12}
        | {"tapo/synthesis_tokens": 816}
        | {"tapo/right": 9, "tapo/rows": 12, "tapo/zero_advantage_groups_fraction": 0.25, "actor/entropy": 0.3},
    ),
    (
        3,
        STEP
        | {"timing_s/step": 9.0, "timing_s/save_checkpoint": 2.0, ACCURACY: 0.45, "tapo/groups": 16}
        | {"tapo/eligible_groups": 0, "tapo/attempts": 0, "tapo/rows": 0, "actor/entropy": float("nan")}
        | {"critic/score/mean": 0.8, "training/rollout_probs_diff_max": 2e-6},
    ),
]


def write_log(path, log=LOG):
    path.write_text("".join(json.dumps({"step": step, "data": data}) + "\n" for step, data in log) + '{"step": 4, "d')
    return path


def test_a_runs_log_in_numbers(tmp_path):
    record = training_record(write_log(tmp_path / "metrics.jsonl"), rollouts_per_step=128)
    assert record["steps_done"] == 3
    assert record["seconds_per_step"] == pytest.approx(6.0)  # (5 + (9 - 2)) / 2: no first step, no saving
    assert record["rows_per_step"] == pytest.approx(132.0)  # 128 + (0 + 12 + 0) / 3
    assert record["eligible"] == pytest.approx(12 / 48)
    assert record["attempts_per_step"] == pytest.approx(48 / 3)
    assert record["parsed"] == pytest.approx(12 / 48)
    assert record["right"] == pytest.approx(9 / 12)
    assert record["zero_advantage_groups"] == pytest.approx(0.25)
    assert record["training_entropy"] == pytest.approx(0.4)  # (0.5 + 0.3) / 2, what is not a number is left out
    assert record["training_accuracy"] == pytest.approx(0.6)  # (0.5 + 0.5 + 0.8) / 3
    assert record["curve"]["held_out"] == {"0": 0.30, "3": 0.45}
    # 128 × 40.5 = 5184 of rollouts in each step, and 816 of synthesis in the second.
    assert record["curve"]["generated_tokens"] == [5184, 11184, 16368]
    assert record["sampler_gap"] == 3e-6
    assert record["ots_weight"] is None


def test_a_log_without_a_step_gives_no_numbers(tmp_path):
    assert training_record(write_log(tmp_path / "metrics.jsonl", LOG[:1]), 128) == {}
    assert training_record(tmp_path / "none.jsonl", 128) == {}


def record(arm, seed, rl_seed, sampled, **more):
    return {
        **{"arm": arm, "seed": seed, "rl_seed": rl_seed, "greedy_accuracy": sampled + 0.1},
        **{"sampled_accuracy": sampled, "pass_at": {"1": sampled, "8": 0.9}, "response_length": 50.0, "entropy": 0.25},
        **more,
    }


RECORDS = [
    record("cold_start", 0, None, 0.30),
    record("cold_start", 1, None, 0.40),
    record("grpo", 0, 0, 0.60, rows_per_step=128.0, seconds_per_step=5.0),
    record("grpo", 1, 0, 0.70, rows_per_step=128.0, seconds_per_step=5.5),
    record("tapo", 0, 0, 0.65, rows_per_step=140.0, seconds_per_step=6.0, right=0.7),
    record("tapo", 1, 0, 0.71, rows_per_step=142.0, seconds_per_step=7.0, right=0.8),
]


def test_the_table_of_two_seeds_by_hand():
    rows = {row.arm.name: row for row in make_rows(RECORDS)}
    assert list(rows) == ["cold_start", "grpo", "tapo"]
    names = headings(HELD_OUT)
    tapo = dict(zip(names[:4], cells(rows["tapo"], HELD_OUT)[:4], strict=True))
    # Greedy 0.75 and 0.81: 78 ± 3; to GRPO 0.05 and 0.01: 3 ± 2, and t of one degree of freedom is 12.7: 25.4.
    to_grpo = "+3.0 [-22.4, +28.4]"
    assert tapo == {"arm": "TAPO", "cold starts / runs": "2 / 2", "greedy, %": "78.0 ± 3.0", "to GRPO": to_grpo}
    assert cells(rows["grpo"], HELD_OUT)[4:6] == ["65.0 ± 5.0", "–"]
    assert cells(rows["cold_start"], HELD_OUT)[4:6] == [
        "35.0 ± 5.0",
        "-30.0 [-30.0, -30.0]",
    ]  # 0.30 - 0.60, 0.40 - 0.70
    training = dict(zip(headings(TRAINING), cells(rows["tapo"], TRAINING), strict=True))
    assert (training["right, %"], training["eligible, %"]) == ("75.0 ± 5.0", "–")
    cost = dict(zip(headings(RESPONSES_AND_COST), cells(rows["tapo"], RESPONSES_AND_COST), strict=True))
    assert (cost["rows a step"], cost["seconds a step"]) == ("141.0 ± 1.0", "6.50 ± 0.50")


def with_tokens(arm, seed, tokens, held_out):
    return record(arm, seed, 0, 0.5, curve={"generated_tokens": tokens, "held_out": held_out})


def test_the_second_reading_ends_where_the_shorter_run_ends():
    grpo = with_tokens("grpo", 0, [1000, 2000], {"0": 0.30, "2": 0.50})
    tapo = with_tokens("tapo", 0, [1500, 2500], {"0": 0.30, "1": 0.45, "2": 0.65})
    assert accuracy_after(tapo, 750) == pytest.approx(0.375)  # half way to 1500: (0.30 + 0.45) / 2
    # GRPO ends at 2000, where TAPO is half way from 1500 to 2500: 0.55 - 0.50; and the other way round.
    assert difference_at_equal_tokens(tapo, grpo) == pytest.approx(0.05)
    assert difference_at_equal_tokens(grpo, tapo) == pytest.approx(-0.05)
    assert difference_at_equal_tokens(tapo, record("grpo", 0, 0, 0.6)) is None
    not_validated = with_tokens("grpo", 0, [1000, 2000], {"0": 0.30})
    assert difference_at_equal_tokens(tapo, not_validated) is None

    rows = make_rows([grpo, tapo, record("grpo", 1, 0, 0.6)])
    assert headings(EQUAL_TOKENS)[-2:] == ["greedy at the end, %", "to GRPO at equal tokens"]
    assert cells(rows[1], EQUAL_TOKENS)[2:] == ["2.5", "+0.5", "65.0", "+5.0"]


def test_a_column_without_any_value_is_left_out():
    rows = make_rows([*RECORDS[:-1], RECORDS[-1] | {"effective_reflection_rate": 0.25}])
    titles = [column.title for column in with_values(rows, RESPONSES_AND_COST)]
    assert titles == ["length, tokens", "ERR, %", "entropy, nats", "rows a step", "seconds a step"]


def test_runs_that_shared_the_machine_are_not_timed():
    rows = make_rows([*RECORDS[:-1], RECORDS[-1] | {"jobs": 2}])
    cost = dict(zip(headings(RESPONSES_AND_COST), cells(rows[-1], RESPONSES_AND_COST), strict=True))
    assert (cost["rows a step"], cost["seconds a step"]) == ("141.0 ± 1.0", "6.00")


def test_a_table_without_grpo_compares_nothing():
    rows = make_rows([entry for entry in RECORDS if entry["arm"] != "grpo"])
    assert all(not row.differences for row in rows)


def test_the_markdown_table_has_as_many_cells_in_every_line():
    lines = markdown(make_rows(RECORDS), HELD_OUT).splitlines()
    assert len(lines) == 2 + 3
    assert len({line.count("|") for line in lines}) == 1
    assert lines[1].startswith("| --- | ---:")
    only_tapo_constructs = markdown(make_rows(RECORDS), TRAINING).splitlines()[2:]
    assert [line.split(" | ")[0] for line in only_tapo_constructs] == ["| TAPO"]


def test_records_and_results_say_the_same(tmp_path):
    for entry in RECORDS:
        folder = tmp_path / "runs" / f"{entry['arm']}-seed{entry['seed']}"
        folder.mkdir(parents=True)
        write_record(folder, entry)
    (tmp_path / "runs" / "tapo-seed9").mkdir()  # not finished: no record
    found = read_records(tmp_path)
    write_results(tmp_path, found)
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert lines == found == sorted(RECORDS, key=lambda entry: (entry["arm"], entry["seed"]))
