"""The arithmetic task: questions, splits, solutions and where they go wrong."""

import random

from examples.arithmetic.problems import (
    CHAINS,
    INVERSES,
    REFLECTION,
    ChainProblem,
    apply,
    first_wrong_line,
    is_right,
    line,
    make_problems,
    random_problem,
    shows_mistake,
    write_solution,
)
from examples.arithmetic.step_judge import find_reflections
from examples.cpu_demo.cold_start_examples import (
    micro_reflective,
)
from examples.cpu_demo.quality import is_formatted
from examples.cpu_demo.regime import REGIMES

EXAMPLE = ChainProblem(9, (("+", 5), ("*", 4), ("*", 2), ("+", 3)))


WRONG = "9+5=1\n1*4=5\n5*2=10\n10+3=0\nFinal Answer: \\boxed{0}"


def test_example_of_the_specification():
    assert EXAMPLE.question == "Compute 9+5*4*2+3 mod 13"
    assert EXAMPLE.right_lines() == ["9+5=1", "1*4=4", "4*2=8", "8+3=11"]
    assert EXAMPLE.answer == 11
    assert ChainProblem.parse(EXAMPLE.question) == EXAMPLE
    assert len(CHAINS.facts) == 156


def test_answers_by_independent_evaluation():
    for problem in make_problems(200, "train", 3):
        expression = problem.question.removeprefix("Compute ").removesuffix(" mod 13")
        nested = "(" * len(problem.steps) + str(problem.start)
        for op, b in problem.steps:
            nested += f"{op}{b})"
        assert nested.replace("(", "").replace(")", "") == expression
        assert eval(nested) % 13 == problem.answer
        assert is_right(problem, write_solution(problem.right_lines(), problem.answer))


def test_splits_are_distinct_disjoint_and_seeded():
    train, val = make_problems(2048, "train", 0), make_problems(512, "val", 7)
    assert len(set(train)) == 2048
    assert len(set(val)) == 512
    assert not set(train) & set(val)
    assert make_problems(2048, "train", 0) == train
    assert make_problems(2048, "train", 1) != train
    rng = random.Random(0)
    assert all(random_problem(rng, "train").split == "train" for _ in range(100))


def test_first_wrong_line_reads_reflections():
    assert first_wrong_line(EXAMPLE, WRONG) == (1, 1)
    corrected = f"9+5=2\n{REFLECTION}\n9+5=1\n1*4=5\n5*2=10\n10+3=0\nFinal Answer: \\boxed{{0}}"
    assert first_wrong_line(EXAMPLE, corrected) == (0, 0)
    alarm = f"9+5=1\n{REFLECTION}\n9+5=1\n1*4=4\n4*2=9\n9+3=12\nFinal Answer: \\boxed{{12}}"
    assert first_wrong_line(EXAMPLE, alarm) == (4, 2)
    assert first_wrong_line(EXAMPLE, "9+5=1\n1*4=4\n4*2=8\n8+3=11\nFinal Answer: \\boxed{1}") == (4, 4)
    assert first_wrong_line(EXAMPLE, write_solution(EXAMPLE.right_lines(), 11)) is None


STUDY = REGIMES["study"]


STEPS = STUDY.teacher.steps


def test_problems_have_the_regimes_steps_and_disjoint_splits():
    train, val = make_problems(3000, "train", 0, STEPS), make_problems(500, "val", 0, STEPS)
    assert {len(problem.steps) for problem in [*train, *val]} == {STEPS}
    assert not set(train) & set(val)
    assert make_problems(100, "train", 0, STEPS) == train[:100]
    assert all(ChainProblem.parse(problem.question) == problem for problem in val)


def test_long_problems_are_read_to_their_last_step():
    # 1+1=2, *2=4, *2=8, +6=14=1, +5=6, *2=12, +1=13=0
    problem = ChainProblem(1, (("+", 1), ("*", 2), ("*", 2), ("+", 6), ("+", 5), ("*", 2), ("+", 1)))
    assert problem.values == [1, 2, 4, 8, 1, 6, 12, 0]
    wrong = write_solution([*problem.right_lines()[:6], "12+1=1"], 1)
    assert first_wrong_line(problem, wrong) == (6, 6)
    assert micro_reflective(problem, wrong) == write_solution(
        [*problem.right_lines()[:6], "12+1=1", REFLECTION, "12+1=0"], 0
    )
    assert first_wrong_line(problem, write_solution(problem.right_lines(), 3)) == (7, 7)
    assert is_formatted(wrong, 7)
    assert not is_formatted(write_solution(problem.right_lines()[:6], 12), 7)


# 9/5 = 8 (8 * 5 = 40 = 9), 8*4 = 32 = 1, 1/2 = 16 (16 * 2 = 32 = 1) modulo 31
QUOTIENTS = ChainProblem(9, (("/", 5), ("*", 4), ("/", 2)), 31)


def test_a_quotients_line_shows_whether_it_is_right():
    assert QUOTIENTS.question == "Compute 9/5*4/2 mod 31"
    assert QUOTIENTS.right_lines() == ["9/5=8 8*5=9 ok", "8*4=1", "1/2=16 16*2=1 ok"]
    assert QUOTIENTS.answer == 16
    assert ChainProblem.parse(QUOTIENTS.question) == QUOTIENTS
    assert line(9, "/", 5, 6, 31) == "9/5=6 6*5=30 no"
    wrong = write_solution(["9/5=6 6*5=30 no", REFLECTION, "9/5=8 8*5=9 ok", "8*4=1", "1/2=15 15*2=30 no"], 15)
    assert first_wrong_line(QUOTIENTS, wrong) == (0, 0)
    mended = write_solution(["9/5=6 6*5=30 no", REFLECTION, *QUOTIENTS.right_lines()], 16)
    assert micro_reflective(QUOTIENTS, wrong) == mended


def test_a_missed_quotients_line_shows_by_how_much():
    # 9:5 = 8. From 6 two are missing, from 9 one is too much; 25 + 14 = 39 = 8; from 24 it is 15 up or 16 down.
    assert line(9, ":", 5, 8, 31) == "9:5=8 8*5=9 ok"
    assert line(9, ":", 5, 6, 31) == "9:5=6 6*5=30 +2"
    assert line(9, ":", 5, 9, 31) == "9:5=9 9*5=14 -1"
    assert line(9, ":", 5, 25, 31) == "9:5=25 25*5=1 +14"
    assert line(9, ":", 5, 24, 31) == "9:5=24 24*5=27 +15"
    problem = ChainProblem.parse("Compute 9:5*4:2 mod 31")
    assert problem.answer == QUOTIENTS.answer == 16
    shown = ["9:5=6 6*5=30 +2", "9/5=6 6*5=30 no", "9:5=9 9*5=14 -1"]
    silent = [*problem.right_lines(), *QUOTIENTS.right_lines(), REFLECTION, "3+2=4"]
    assert all(map(shows_mistake, shown)) and not any(map(shows_mistake, silent))
    (reflection,) = find_reflections(problem, write_solution([shown[0], REFLECTION, *problem.right_lines()], 16))
    assert reflection.located and reflection.diagnosed


def test_every_quotient_multiplied_back_is_what_was_divided():
    assert len(INVERSES.facts) == 30 * 2 * 11
    for value, operator, operand in INVERSES.facts:
        result = apply(value, operator, operand, 31)
        assert 0 < result < 31
        if operator == "/":
            assert result * operand % 31 == value
    problems = make_problems(200, "train", 0, 4, INVERSES)
    assert {problem.modulus for problem in problems} == {31}
    assert all(0 not in problem.values for problem in problems)
