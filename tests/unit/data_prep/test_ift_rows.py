"""What the IFT rows of either synthesis mode teach."""

from collections import Counter

import pytest
from cold_start_engine import engine

from recipe_tapo.algorithm.prompts import fill_template, load_template

RIGHT = "Step one. Step two. \\boxed{5}"  # the engine's
LINES = "Step one.\nBad step.\n\\boxed{6}"
GOES_ON = "Wait, step two.\nFinal Answer: \\boxed{5}"


def tagged(trajectory):
    return f"<analysis>\nthe second step\n</analysis>\n<reconstruction>\n{trajectory}\n</reconstruction>"


@pytest.fixture
def rows_of(build, monkeypatch):
    """The IFT rows of one query whose wrong response has three lines, for a reconstruction and a mode."""
    monkeypatch.setattr("cold_start_engine.WRONG", LINES)

    def rows(trajectory, mode, *options):
        made, report = build(engine([3], lambda _: tagged(trajectory)), [3], "--ift_mode", mode, *options)
        return [row for row in made if row["format"] == "ift"], report

    return rows


@pytest.mark.parametrize("gap", ["\n", "\n\n", " "])
def test_continuation_teaches_to_locate_the_step_and_to_go_on_behind_it(rows_of, gap):
    trajectory = f"Step one.\nBad step.{gap}{GOES_ON}"
    rows, report = rows_of(trajectory, "continuation")
    by_answer = {row["messages"][1]["content"]: row["messages"][0]["content"] for row in rows}
    shown = {"question": "Question 0?", "correct_rollout": RIGHT}
    steps = "[1] Step one.\n[2] Bad step.\n[3] \\boxed{6}"
    assert by_answer == {
        "The first wrong step is step [2].": fill_template(load_template(mode="locate"), numbered_steps=steps, **shown),
        trajectory: fill_template(load_template(mode="continuation_own"), wrong_step="Bad step.", **shown),
    }
    assert report["rows"]["ift"]["trajectories"] == 2


def test_both_modes_rows_come_of_one_trajectory(rows_of):
    rows, _ = rows_of(f"Step one.\nBad step.\n{GOES_ON}", "both")
    beginnings = Counter(row["messages"][1]["content"][:10] for row in rows)
    assert beginnings == {"<analysis>": 1, "The first ": 1, "Step one.\n": 1}
    assert len(rows_of(f"Step one.\nBad step.\n{GOES_ON}", "both", "--ift_size", "2")[0]) == 2


def test_a_trajectory_that_repeats_no_step_cannot_teach_where_the_wrong_one_is(rows_of):
    rows, report = rows_of(f"Step anew.\n{GOES_ON}", "continuation")
    assert rows == []
    assert report["unfit"] == {"ift/no_step_repeated": 1}
