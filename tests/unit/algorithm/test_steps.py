"""A response as steps: what belongs together stays together, and nothing is lost."""

import time

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
        ("\\[x\\)\na\nb", ["\\[x\\)\n", "a\n", "b"]),  # closed as what it is not
        ("\\[\nx \\text{ as \\(y\\)}\n\\]\nb", ["\\[\nx \\text{ as \\(y\\)}\n\\]\n", "b"]),
        ("\\[ x\n\\[ y \\]\nb", ["\\[ x\n\\[ y \\]\n", "b"]),  # brackets do not nest
        ("\\[\nx \\\\\\]\nb", ["\\[\nx \\\\\\]\n", "b"]),  # behind a line break
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
        ("因为2x=8。**所以**x=3。", ["因为2x=8。", "**所以**x=3。"]),
        ("**结论：是。**\n因此答案是5。", ["**结论：是。**\n", "因此答案是5。"]),
        ('他说："好。是。"然后走了。', ['他说："好。', '是。"', "然后走了。"]),
        ("（因为x>0。）所以x=3。", ["（因为x>0。）", "所以x=3。"]),
        ("真的吗？！是的。", ["真的吗？！", "是的。"]),
        ("よって x=3 である．したがって y=3．5 である｡終", ["よって x=3 である．", "したがって y=3．5 である｡", "終"]),
        ("1．解方程。x=3。", ["1．解方程。", "x=3。"]),
        ("选项：A．锐角 B．钝角", ["选项：A．锐角 B．钝角"]),
        ("一．解：x=3。", ["一．解：x=3。"]),
        ("例 1．求x。", ["例 1．求x。"]),
        ("- 가. 첫째", ["- 가. 첫째"]),
        ("AB=AC．∴ 5", ["AB=AC．", "∴ 5"]),
        (
            "첫째로 x=3.5입니다. 따라서 y=4입니다! 답은 7입니다.",
            ["첫째로 x=3.5입니다.", " 따라서 y=4입니다!", " 답은 7입니다."],
        ),
        ("**결론입니다.** 답은 7.", ["**결론입니다.**", " 답은 7."]),
        ("가. 첫째입니다. 둘째입니다.", ["가. 첫째입니다.", " 둘째입니다."]),
        # Dollars of a currency and formulas side by side open no display.
        ("He earns $\\$$60 a day.\nSo 5.", ["He earns $\\$$60 a day.\n", "So 5."]),
        ("Each costs \\$$5$.\nSo 5.", ["Each costs \\$$5$.\n", "So 5."]),
        ("The price is $5\\$$ in all.\nSo 5.", ["The price is $5\\$$ in all.\n", "So 5."]),
        ("Let $\\triangle$$ABC$ be.\nSo 5.", ["Let $\\triangle$$ABC$ be.\n", "So 5."]),
        ("He has $20. $$20-5=15$$\nNext", ["He has $20. $$20-5=15$$\n", "Next"]),
        ("He pays $5, so $$x = 5$$\nNext", ["He pays $5, so $$x = 5$$\n", "Next"]),
        ("`$` is a sign $$x$$\nNext", ["`$` is a sign $$x$$\n", "Next"]),
        ("It costs $5: $$ x = 5\n$$\nNext", ["It costs $5: $$ x = 5\n$$\n", "Next"]),
        ("From $5 to $6, $$y=1$$\nNext", ["From $5 to $6, $$y=1$$\n", "Next"]),
        ("It costs $5, so $$\nx = 5\n$$\nyes", ["It costs $5, so $$\nx = 5\n$$\n", "yes"]),
        ("$$\nx = \\text{a $y$} \\\\$$\nyes", ["$$\nx = \\text{a $y$} \\\\$$\n", "yes"]),
        ("$$x$$ and $$y$$\nz", ["$$x$$ and $$y$$\n", "z"]),
        # A list's mark in front of a fence, and a fence behind the last line of code.
        ("- ```python\n  x\n  ```\na\nb", ["- ```python\n  x\n  ```\n", "a\n", "b"]),
        ("~~~x\n- a~~~\nb", ["~~~x\n- a~~~\n", "b"]),
        ("```python\nprint(1)```\na\nb", ["```python\nprint(1)```\n", "a\n", "b"]),
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
    assert repeated_steps("a = 1.\nx = 3.\nSo.", "a = 1.\nx = 3.5 is") == [Step(0, 7)]


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
@given(st.text(st.sampled_from('ab \n\t$\\[]`-1.。！가*" \x85\u2028\r'), max_size=60))
def test_the_steps_of_a_text_are_the_text(text):
    steps = split_steps(text)
    assert "".join(text[step.start : step.end] for step in steps) == text
    assert all(step.end > step.start for step in steps)
    if len(steps) > 1:
        assert all(text[step.start : step.end].strip() for step in steps)


@pytest.mark.parametrize(
    "unit",
    ["。", "가. ", "$", "\\$", "$$ ", "```", "- ", "*", '。"', "．", "（", "가.)", " ", "- ```\n", "x```\n", "。\n"],
)
def test_a_long_text_of_anything_is_split_at_once(unit):
    text = unit * (300_000 // len(unit))
    started = time.process_time()
    split_steps(text)
    assert time.process_time() - started < 5  # at most 1 s; in quadratic time many minutes
