"""A response as steps: what belongs together stays together, and nothing is lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_tapo.algorithm.steps import Step, repeated_steps, split_steps


def parts(text):
    return [text[step.start : step.end] for step in split_steps(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2x = 8\nx = 3\nSo 3.", ["2x = 8\n", "x = 3\n", "So 3."]),
        ("First.\n\n  \nSecond.\n", ["First.\n\n  \n", "Second.\n"]),  # a step has the white space behind it
        ("\n\n x = 1", ["\n\n x = 1"]),
        ("We get\n\\[\nx = 3\n\\]\nso", ["We get\n", "\\[\nx = 3\n\\]\n", "so"]),
        ("$$\nx\n\ny\n$$\nz", ["$$\nx\n\ny\n$$\n", "z"]),
        ("\\begin{align*}\nx &= 1 \\\\[2pt]\ny &= 2\n\\end{align*}\nz", None),
        ("a\n```python\nx = 1\n\ny = 2\n```\nb", ["a\n", "```python\nx = 1\n\ny = 2\n```\n", "b"]),
        # A fence that opens and closes in one line opens nothing; a longer one holds shorter ones.
        ("```x = 1```\na\nb", ["```x = 1```\n", "a\n", "b"]),
        ("````\n```\nx\n````\na\nb", ["````\n```\nx\n````\n", "a\n", "b"]),
        ("~~~\n```\n~~~\na", ["~~~\n```\n~~~\n", "a"]),
        ("1. One\n   more of it\n\n   and more\n2. Two", ["1. One\n   more of it\n\n   and more\n", "2. Two"]),
        ("- a\n  - b\n- c", ["- a\n", "  - b\n", "- c"]),
        ("因为2x=8，所以x=3。\n答案是3。", ["因为2x=8，所以x=3。\n", "答案是3。"]),
        ("因为2x=8。所以x=3。因此是3。", ["因为2x=8。", "所以x=3。", "因此是3。"]),
        ("他说：“对。”然后走了。", ["他说：“对。”", "然后走了。"]),
        ("   ", ["   "]),
        ("", []),
    ],
)
def test_what_a_step_is(text, expected):
    if expected is None:
        expected = [text[:-1], text[-1:]]
    assert parts(text) == expected


@pytest.mark.parametrize("other", ["x = 35", "x = 3.5", "x = 3a", "x = 30\ny"])
def test_a_number_that_goes_on_is_another_one(other):
    assert repeated_steps("x = 3\nSo.", other) == []
    assert repeated_steps("x = 3\nSo.", "x = 3. So") == [Step(0, 6)]


def test_a_block_that_is_never_closed_goes_on_to_the_end():
    assert parts("a\n\\[ x\nb\nc") == ["a\n", "\\[ x\nb\nc"]


@pytest.mark.parametrize(
    ("other", "repeated"),
    [
        ("a.\nb.\nWait", ["a.\n", "b.\n"]),
        ("a.\nb.\n\nWait", ["a.\n", "b.\n"]),
        ("a.\nb. Wait", ["a.\n", "b.\n"]),
        ("a.\nb.\nc, no, wait", ["a.\n", "b.\n"]),  # of c. the other repeats only the beginning
        ("a.\nbut", ["a.\n"]),
        ("Wait", []),
        ("", []),
    ],
)
def test_which_steps_another_text_repeats_whole(other, repeated):
    text = "a.\nb.\nc."
    assert [text[step.start : step.end] for step in repeated_steps(text, other)] == repeated


@settings(max_examples=2000, deadline=None)
@given(st.text(st.sampled_from("ab \n\t$\\[]`-1.。！ \x85\u2028\r"), max_size=60))
def test_the_steps_of_a_text_are_the_text(text):
    steps = split_steps(text)
    assert "".join(text[step.start : step.end] for step in steps) == text
    assert all(step.end > step.start for step in steps)
    if len(steps) > 1:
        assert all(text[step.start : step.end].strip() for step in steps)
