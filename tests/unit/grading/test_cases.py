"""The committed table of responses with the verdict that a teacher would give, kind by kind."""

import json
from collections import Counter
from pathlib import Path

import pytest

from recipe_tapo.grading.pool import shared_pool
from recipe_tapo.reward import compute_score

CASES = [
    json.loads(line)
    for line in (Path(__file__).resolve().parents[2] / "data" / "grading_cases.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
KINDS = sorted({case["kind"] for case in CASES})


@pytest.fixture(scope="module", autouse=True)
def no_process_left():
    yield
    shared_pool().close()


def test_every_kind_has_cases_of_both_verdicts():
    counts = Counter((case["kind"], case["right"]) for case in CASES)
    assert all(counts[kind, 0] + counts[kind, 1] >= 5 and counts[kind, 0] and counts[kind, 1] for kind in KINDS)
    assert len({(case["gold"], case["response"]) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("kind", KINDS)
def test_verdicts(kind):
    rows = [case for case in CASES if case["kind"] == kind]
    verdicts = [compute_score("test", case["response"], case["gold"])["score"] for case in rows]
    assert [case for case, verdict in zip(rows, verdicts, strict=True) if verdict != case["right"]] == []
