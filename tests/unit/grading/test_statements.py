r"""Which boxes are one statement, and what it says."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_tapo.grading.boxes import find_boxes
from recipe_tapo.grading.extract import extract_answer
from recipe_tapo.grading.quick import quick_verdict
from recipe_tapo.grading.statements import are_neighbours


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        (r"\boxed{1} and \fbox{2}, \framebox[2cm][c]{3}", ["1", "2", "3"]),
        (r"\boxed 2, \boxed3 or \boxed\frac12", ["2", "3", r"\frac12"]),
        (r"\boxed{x=\boxed{2} \text{ or } \boxed{3}}", [r"x={2} \text{ or } {3}"]),
        (r"\boxed{\boxed{\boxed{7}}}", ["7"]),
        (r"\boxed{1 and \boxed{2}", ["2"]),
        (r"write \boxed form, or a \boxed", []),
    ],
)
def test_boxes(text, contents):
    assert [box.content for box in find_boxes(text)] == contents


@pytest.mark.parametrize(
    "gap", [" or ", ", ", "$ and $y=", r"\quad\text{or}\quad ", "\n\n- ", " (b) ", ". Alternatively, "]
)
def test_neighbours(gap):
    assert are_neighbours(gap)


@pytest.mark.parametrize(
    "gap", [" no, ", ". So the answer is ", " and so ", ".\n\nStep 2: ", ". The answer is ", " or " * 60]
)
def test_a_new_thought_is_no_neighbour(gap):
    assert not are_neighbours(gap)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"$x=\boxed{2}$ and $y=\boxed{16}$", "x=2; y=16"),
        (r"\boxed{2}, \boxed{16} and \boxed{2}", "2; 16"),
        (r"\boxed{2}. Wait, \boxed{3} or \boxed{4}", "3; 4"),
        (r"\boxed{16}, not \boxed{2}", "16"),
        (r"$\boxed{5}$ million people", "5 million"),
        ("<think>\\boxed{1}</think> Final Answer: $2$ or $3$", "2, 3"),
        ("<think>\\boxed{1}</think> done", "1"),
        ("<answer>1</answer> or <answer>\\boxed{2}</answer>", "1; 2"),
        ("### Final Answer\n\n**42**", "42"),
    ],
)
def test_answers_of_statements(text, answer):
    assert extract_answer(text) == answer


@given(st.integers(-99, 99), st.integers(-99, 99), st.sampled_from([" or ", ", ", r" \text{ or } ", "\n\n", "; "]))
def test_two_boxes_are_never_right_for_one_of_them(first, second, between):
    answer = extract_answer(f"The answer is \\boxed{{{first}}}{between}\\boxed{{{second}}}.")
    assert quick_verdict(str(second), answer) is (first == second)
    assert quick_verdict(f"{second},{first}", answer) is True


LATEX = r"""
\boxed{ \boxed \frac \sqrt { } ( ) [ ] , ; : 1 2 25 x y + - = ^ _ \pi \pm \mp \% ^\circ \text{ cm and or \{ \}
\infty . / 1,000 \\ $ \begin{pmatrix} & \end{pmatrix} | < > \le \ne \in ! \log \sin \overline{3} \mathbf{i}
\begin{aligned} \end{aligned} million squared k\in\mathbb{Z} \pmod 0.333... 1e3 ½ 万 答案是 \lor \emptyset \mathbb{R}
\setminus \approx <answer> </answer> </think> B) ]1,2[ \langle \rangle \lfloor \rfloor e i \implies
"""
FRAGMENTS = st.sampled_from(LATEX.split())


@settings(max_examples=300, deadline=None)
@given(st.lists(FRAGMENTS, max_size=14).map(" ".join), st.lists(FRAGMENTS, max_size=8).map("".join))
def test_nothing_raises_and_verdicts_repeat(text, gold):
    answer = extract_answer(text)
    verdict = quick_verdict(gold, answer)
    assert verdict in (True, False, None)
    assert (extract_answer(text), quick_verdict(gold, answer)) == (answer, verdict)


@settings(max_examples=60)
@given(st.lists(FRAGMENTS, min_size=1, max_size=4).map("".join))
def test_repetition_costs_little(unit):
    text = (unit * 1000)[:999]
    start = time.process_time()
    extract_answer(f"\\boxed{{{text}}}")
    quick_verdict(text[:500], text)
    assert time.process_time() - start < 2
