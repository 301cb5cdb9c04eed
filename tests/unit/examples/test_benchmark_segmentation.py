"""Tokens of constructed rows beside those of encoding the whole text, counted by hand."""

import json

import pytest
from tokenizers_of_models import tokenizer_of

from examples.benchmark import segmentation
from examples.benchmark.segmentation import same_tokens


@pytest.mark.parametrize(
    ("ids", "whole", "same"),
    [
        ([1, 2, 3], [1, 2, 3], 3),
        ([1, 8, 9, 3], [1, 7, 3], 2),  # 1 in front, 3 at the end
        ([1, 1, 1], [1, 1], 2),  # no token counts twice
        ([], [4], 0),
    ],
)
def test_tokens_count_from_both_ends(ids, whole, same):
    assert same_tokens(ids, whole) == same


def test_the_command_says_what_agrees(tmp_path, capsys, monkeypatch):
    error = "2x = 8\nSo the final answer is \\boxed{3}."
    reconstruction = "2x = 8\nWait, x = 4.\n\nFinal Answer: \\boxed{4}"
    attempts = tmp_path / "dump.jsonl"
    attempts.write_text(json.dumps({"error_rollout": error, "reconstruction": reconstruction}) + "\n")
    tokenizer = tokenizer_of("byte_level")
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    segmentation.main(["--attempts", str(attempts), "--tokenizer", str(tmp_path / "tokenizer")])
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert "in 100.0% of 1 rows" in lines["rewriting"]
    # Both steps; behind the second one "}." becomes "}.\n\n".
    assert "in 100.0% of 2 rows" in lines["continuing"]
    assert "in 50.0% of 2 rows" in lines["continuing, if what stands after the cut were encoded apart"]
    assert lines["steps of y⁻ with a clean cut after them"] == "100.0% of 2"
