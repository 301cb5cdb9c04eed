r"""Cold-start examples: SFT (question -> solution) and IFT (synthesis prompt -> tagged reconstruction)."""

import random
from dataclasses import dataclass

from recipe_tapo.prompt import FULL_RECONSTRUCTION, MICRO_REFLECTIVE, fill_template, load_template

from .task import (
    FACTS,
    REFLECTION,
    Problem,
    Teacher,
    first_wrong_line,
    is_right,
    line,
    random_problem,
    write_solution,
)

ANALYSIS = {"+": "wrong sum.", "*": "wrong product."}


@dataclass(frozen=True)
class Example:
    """One user turn and the assistant's answer to it."""

    prompt: str
    response: str


def sft_example(rng: random.Random, teacher: Teacher) -> Example:
    """A training problem and a noisy, sometimes self-corrected, solution of it."""
    problem = random_problem(rng, "train", teacher.steps)
    return Example(problem.question, teacher.solve(problem, rng))


def micro_reflective(problem: Problem, wrong: str) -> str:
    """The target trajectory: ``wrong`` verbatim through its first wrong line, a reflection, right lines."""
    index, step = _error_of(problem, wrong)
    lines = [*wrong.split("\n")[: index + 1], REFLECTION, *problem.right_lines(step)]
    return write_solution(lines, problem.answer)


def tagged_output(problem: Problem, wrong: str, mode: str = MICRO_REFLECTIVE) -> str:
    """The target output for the synthesis prompt: a one-line analysis and the reconstruction."""
    _, step = _error_of(problem, wrong)
    if mode == MICRO_REFLECTIVE:
        reconstruction = micro_reflective(problem, wrong)
    else:
        reconstruction = write_solution(problem.right_lines(), problem.answer)
    analysis = f"Step {step + 1}: {ANALYSIS[problem.steps[step][0]]}"
    return f"<analysis>\n{analysis}\n</analysis>\n<reconstruction>\n{reconstruction}\n</reconstruction>"


def ift_example(rng: random.Random, teacher: Teacher, mode: str = MICRO_REFLECTIVE) -> Example:
    """A filled synthesis prompt (the project's own template) and the output it asks for."""
    problem, wrong, right = wrong_and_right(rng, teacher)
    prompt = fill_template(
        load_template(mode=mode), question=problem.question, error_rollout=wrong, correct_rollout=right
    )
    return Example(prompt, tagged_output(problem, wrong, mode))


def wrong_and_right(rng: random.Random, teacher: Teacher, tries: int = 32) -> tuple[Problem, str, str]:
    """Samples a problem until the teacher has both a wrong and a right solution of it."""
    while True:
        problem = random_problem(rng, "train", teacher.steps)
        attempts = [teacher.solve(problem, rng) for _ in range(tries)]
        wrong = [text for text in attempts if not is_right(problem, text)]
        right = [text for text in attempts if is_right(problem, text)]
        if wrong and right:
            return problem, rng.choice(wrong), rng.choice(right)


def fact_lines(rng: random.Random, teacher: Teacher, lines: int) -> str:
    """Unconnected single-fact lines, answered with the teacher's reliability."""
    facts = [rng.choice(FACTS) for _ in range(lines)]
    return "".join(f"{line(*fact, teacher.recall(fact, rng))}\n" for fact in facts)


def mode_of(rng: random.Random, full_share: float) -> str:
    """Draws the synthesis mode of an IFT example."""
    return FULL_RECONSTRUCTION if rng.random() < full_share else MICRO_REFLECTIVE


def _error_of(problem: Problem, wrong: str) -> tuple[int, int]:
    found = first_wrong_line(problem, wrong)
    if found is None or found[1] >= len(problem.steps):
        raise ValueError(f"no wrong step in {wrong!r}")
    return found
