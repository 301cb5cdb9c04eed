"""A judge of reflections that knows the task's true steps: ``--judge examples.arithmetic.step_judge:judge``."""

from dataclasses import dataclass

from examples.arithmetic.problems import FINAL, REFLECTION, ChainProblem, apply, is_right, line, stated_result


@dataclass(frozen=True)
class Step:
    """A line of a solution.

    Attributes:
        number: Which step of the problem it takes; the final answer is the one after the last.
        value: What the lines before it arrived at; None after a line that states no result.
        right: Whether it is the right continuation of that value.
    """

    number: int
    value: int | None
    right: bool


@dataclass(frozen=True)
class Reflection:
    """A reflection: whether the line it goes back to is wrong, and whether the line that replaces it is right."""

    located: bool
    diagnosed: bool
    evidence: str


def find_reflections(problem: ChainProblem, solution: str) -> list[Reflection]:
    """Walks through a solution. A reflection goes back to the line before it, several in a row to earlier ones.

    Each line is held against what follows from the line before, right or wrong: so a slip counts where it happens, and
    not where its result is carried on.
    """
    reflections: list[Reflection] = []
    taken: list[Step] = []
    doubted: Step | None = None
    reflecting = False
    number, value = 0, problem.start

    def close(replacement: str, right: bool) -> None:
        located = doubted is not None and not doubted.right
        reflections.append(Reflection(located, located and right, f"{REFLECTION} {replacement}".strip()))

    for text in solution.strip().split("\n"):
        if text.strip() == REFLECTION:
            if reflecting:
                close("", False)
            reflecting, doubted = True, taken.pop() if taken else None
            if doubted:
                number, value = doubted.number, doubted.value
            continue
        right = text == _expected(problem, number, value)
        if reflecting:
            close(text, right)
            reflecting = False
        taken.append(Step(number, value, right))
        number, value = number + 1, stated_result(text)
    if reflecting:
        close("", False)
    return reflections


def judge(question: str, gold: str, response: str) -> dict[str, str]:
    """Answers the questions of ``recipe_tapo/reflection/judge_prompt.txt``.

    Raises:
        ValueError: The question is none of this task.
    """
    problem = ChainProblem.parse(question)
    reflections = find_reflections(problem, response)
    located = [reflection for reflection in reflections if reflection.located]
    diagnosed = [reflection for reflection in located if reflection.diagnosed]
    telling = (diagnosed or located or reflections)[:1]
    return {
        "evidence": telling[0].evidence if telling else "",
        "reflection_attempted": _answer(reflections),
        "error_located": _answer(located),
        "error_diagnosed": _answer(diagnosed),
        "led_to_right_answer": _answer(diagnosed and is_right(problem, response)),
    }


def _expected(problem: ChainProblem, number: int, value: int | None) -> str | None:
    if value is None or number > len(problem.steps):
        return None
    if number == len(problem.steps):
        return f"{FINAL}{value}}}"
    operator, operand = problem.steps[number]
    return line(value, operator, operand, apply(value, operator, operand, problem.modulus), problem.modulus)


def _answer(truth: object) -> str:
    return "yes" if truth else "no"
