"""The two graders side by side on a file of responses."""

import json

from examples.benchmark import verdicts
from recipe_tapo.grading.pool import shared_pool

ROWS = [
    {"response": r"\boxed{\frac{2}{4}}", "ground_truth": r"\frac{1}{2}"},
    {"response": r"\boxed{7}", "ground_truth": "8", "note": "kept"},
    # A ratio of three terms is no quotient of quotients.
    {"response": r"\boxed{1:2:3}", "ground_truth": r"\frac{1}{6}", "note": "kept"},
    {"response": r"\boxed{27}", "ground_truth": r"27\%"},
]


def test_differences_are_counted_and_written(tmp_path, capsys):
    source, output = tmp_path / "responses.jsonl", tmp_path / "differences.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    verdicts.main([str(source), "--output", str(output)])
    shared_pool().close()
    different = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(row["ours"], row["math_verify"]) for row in different] == [(False, True), (True, False)]
    assert different[0]["note"] == "kept" and different[0]["pred"] == "1:2:3"
    printed = capsys.readouterr().out
    assert "this grader right, math-verify right: 1" in printed
    assert "this grader wrong, math-verify wrong: 1" in printed
