"""What constructions keep of wrong rollouts, and the advantage of the mistakes they keep, by hand."""

import json
import math

import pytest
import yaml

from examples.arithmetic.problems import REFLECTION
from examples.study.prefixes import KINDS, construction_record, prefix_kind

QUESTION = "Compute 1+1+1 mod 13"
WRONG = "1+1=2\n2+1=4\nFinal Answer: \\boxed{4}"
RIGHT_END = "2+1=3\nFinal Answer: \\boxed{3}"
UP_TO = f"1+1=2\n2+1=4\n{REFLECTION}\n{RIGHT_END}"
BEFORE = f"1+1=2\n{REFLECTION}\n1+1=2\n{RIGHT_END}"
BEYOND = f"{WRONG}\n{REFLECTION}\n{RIGHT_END}"
OTHER_LINES = f"1+1=2\n2+1=5\n{REFLECTION}\n{RIGHT_END}"


@pytest.mark.parametrize(
    ("reconstruction", "kind"),
    [
        (UP_TO, "up_to_error"),
        (BEFORE, "before_error"),
        (BEYOND, "beyond_error"),
        (OTHER_LINES, "not_verbatim"),
        (f"1+1=2\n{RIGHT_END}", "not_verbatim"),
        (f"{REFLECTION}\n1+1=2\n{RIGHT_END}", "not_verbatim"),
        ("", "not_verbatim"),
    ],
)
def test_a_prefix_is_judged_by_where_its_reflection_stands(reconstruction, kind):
    assert prefix_kind(QUESTION, WRONG, reconstruction) == kind
    assert kind in KINDS


def write_run(folder, rows, **tapo):
    (folder / "hydra" / ".hydra").mkdir(parents=True)
    (folder / "dump").mkdir()
    settings = {"advantage": {"mode": "decoupled"}, "mask": "none", **tapo}
    (folder / "hydra" / ".hydra" / "config.yaml").write_text(yaml.safe_dump({"tapo": settings}))
    records = [
        {"question": QUESTION, "error_rollout": WRONG, "uid": uid, "reconstruction": text, "reward": reward, "key": key}
        for uid, text, reward, key in rows
    ]
    (folder / "dump" / "1.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


ROWS = [("a", UP_TO, 1.0, "a_8_0"), ("a", OTHER_LINES, 0.0, "a_9_0"), ("b", BEYOND, 1.0, "b_8_0")]
NOT_TRAINED = [("b", UP_TO, 1.0, None), ("b", None, None, None)]


def test_the_advantage_of_the_mistakes_by_hand(tmp_path):
    record = construction_record(write_run(tmp_path / "run", ROWS + NOT_TRAINED))
    assert record == {
        **{"prefix_up_to_error": 0.5, "prefix_before_error": 0.0, "prefix_beyond_error": 0.25},
        "prefix_not_verbatim": 0.25,
        # Group a: 0.5 / σ with σ = √0.5, the mistake is kept by the right row; group b: one row, A = r = 1.
        "error_advantage": pytest.approx((math.sqrt(0.5) + 1) / 3, rel=1e-5),
    }


def test_no_advantage_where_prefixes_are_not_trained_by_eq_5(tmp_path):
    for name, tapo in {"masked": {"mask": "prefix"}, "anchored": {"advantage": {"mode": "anchored"}}}.items():
        record = construction_record(write_run(tmp_path / name, ROWS, **tapo))
        assert "error_advantage" not in record and record["prefix_up_to_error"] == pytest.approx(1 / 3)


def test_the_locators_share_is_counted_again_where_the_wrong_rollout_turns(tmp_path):
    # Its second line is the first wrong one. Of two rollouts that do not turn both are located, of two that do one.
    turning = f"1+1=2\n2+1=4\n{REFLECTION}\n2+1=5\nFinal Answer: \\boxed{{5}}"
    folder = write_run(tmp_path / "run", ROWS[:1] * 5)
    dump = folder / "dump" / "1.jsonl"
    records = [json.loads(text_line) for text_line in dump.read_text().splitlines()]
    located = [(WRONG, 2), (WRONG, 2), (turning, 2), (turning, 1), (WRONG, None)]
    for record, (wrong, step) in zip(records, located, strict=True):
        record |= {"error_rollout": wrong, "located_step": step}
    dump.write_text("".join(json.dumps(record) + "\n" for record in records))
    record = construction_record(folder)
    assert (record["located"], record["located_turning"]) == (0.75, 0.5)


def test_a_run_without_constructions_has_none(tmp_path):
    assert construction_record(tmp_path) == {}
    assert construction_record(write_run(tmp_path / "run", NOT_TRAINED[1:])) == {}
