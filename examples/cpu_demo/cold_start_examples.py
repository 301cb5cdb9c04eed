r"""Cold-start examples: SFT (question -> solution) and the prompts that arms show, each with the answer it wants."""

import random
from dataclasses import dataclass

from examples.arithmetic.problems import (
    REFLECTION,
    ChainProblem,
    first_wrong_line,
    is_right,
    line,
    random_problem,
    stated_result,
    write_solution,
)
from examples.cpu_demo.teacher import Teacher
from recipe_tapo.algorithm.locate import numbered
from recipe_tapo.algorithm.prompts import (
    CONTINUATION_OWN,
    FULL_RECONSTRUCTION,
    LOCATE,
    MICRO_REFLECTIVE,
    SELF_TEACHER,
    fill_template,
    load_template,
)
from recipe_tapo.algorithm.steps import split_steps
from recipe_tapo.construction.locators import ANSWER_BEGUN, ANSWER_END

ANALYSIS = {"+": "wrong sum.", "*": "wrong product."}
# A model that learns from right step numbers trusts them, then guesses them: its reconstruction goes wrong with them.
SHORT_ANALYSIS = "One slip."


@dataclass(frozen=True)
class Example:
    """One user turn and the assistant's answer to it, which may have begun: what is given is not learned."""

    prompt: str
    response: str
    given: str = ""


def sft_example(rng: random.Random, teacher: Teacher) -> Example:
    """A training problem and a noisy, sometimes self-corrected, solution of it."""
    problem = random_problem(rng, "train", teacher.steps, teacher.task)
    return Example(problem.question, teacher.solve(problem, rng))


def micro_reflective(problem: ChainProblem, wrong: str) -> str:
    """The target trajectory: ``wrong`` verbatim through its first wrong line, a reflection, right lines."""
    return reconstruct(problem, wrong, MICRO_REFLECTIVE)


def reconstruct(problem: ChainProblem, wrong: str, mode: str, finish: tuple[list[str], int] | None = None) -> str:
    """A target trajectory; ``finish`` replaces the lines after the corrected one and the answer."""
    index, step = error_of(problem, wrong)
    kept = [*wrong.split("\n")[: index + 1], REFLECTION]
    lead = kept if mode == MICRO_REFLECTIVE else problem.right_lines()[:step]
    corrected, *rest = problem.right_lines(step)
    rest, answer = finish or (rest, problem.answer)
    return write_solution([*lead, corrected, *rest], answer)


def tagged_output(
    problem: ChainProblem,
    wrong: str,
    mode: str = MICRO_REFLECTIVE,
    finish: tuple[list[str], int] | None = None,
    names_step: bool = True,
) -> str:
    """The target output for the synthesis prompt: a one-line analysis and the reconstruction."""
    _, step = error_of(problem, wrong)
    reconstruction = reconstruct(problem, wrong, mode, finish)
    analysis = f"Step {step + 1}: {ANALYSIS[problem.steps[step][0]]}" if names_step else SHORT_ANALYSIS
    return f"<analysis>\n{analysis}\n</analysis>\n<reconstruction>\n{reconstruction}\n</reconstruction>"


def ift_example(rng: random.Random, teacher: Teacher, mode: str = MICRO_REFLECTIVE) -> Example:
    """A filled synthesis prompt (the project's own template) and the output it asks for."""
    problem, wrong, right = wrong_and_right(rng, teacher)
    prompt = fill_template(
        load_template(mode=mode), question=problem.question, error_rollout=wrong, correct_rollout=right
    )
    finish = own_finish(rng, teacher, problem, wrong)
    return Example(prompt, tagged_output(problem, wrong, mode, finish, teacher.names_step))


def self_teacher_example(rng: random.Random, teacher: Teacher) -> Example:
    """OPSD's prompt, filled with a right solution of the teacher, and the solution without detours."""
    problem, _, right = wrong_and_right(rng, teacher)
    prompt = fill_template(load_template(mode=SELF_TEACHER), question=problem.question, correct_rollout=right)
    return Example(prompt, write_solution(problem.right_lines(), problem.answer))


def continuing_example(rng: random.Random, teacher: Teacher) -> Example:
    """The continuing prompt, and after the wrong solution's beginning the doubt and the correction."""
    problem, wrong, right = wrong_and_right(rng, teacher)
    trajectory = reconstruct(problem, wrong, MICRO_REFLECTIVE, own_finish(rng, teacher, problem, wrong))
    lines = wrong.split("\n")[: error_of(problem, wrong)[0] + 1]
    kept = "\n".join(lines) + "\n"
    prompt = fill_template(
        load_template(mode=CONTINUATION_OWN),
        question=problem.question,
        correct_rollout=right,
        wrong_step=lines[-1],
    )
    return Example(prompt, trajectory.removeprefix(kept), given=kept)


def resuming_example(rng: random.Random, teacher: Teacher) -> Example:
    """The question, and after a failed try and a doubt, which are given, how the teacher goes on.

    So a model learns what a doubt is good for, and not to doubt.
    """
    problem, wrong, _ = wrong_and_right(rng, teacher)
    index, step = error_of(problem, wrong)
    kept = wrong.split("\n")[: index + 1]
    failed = stated_result(kept[-1])
    assert failed is not None  # of a step
    rest = teacher.walk(problem.values[step], problem.steps[step:], teacher.flag_error, rng, [failed])
    return Example(problem.question, write_solution(*rest), given="\n".join([*kept, REFLECTION, ""]))


def locating_example(rng: random.Random, teacher: Teacher) -> Example:
    """The locating prompt, and the number of the first wrong line."""
    problem, wrong, right = wrong_and_right(rng, teacher)
    prompt = fill_template(
        load_template(mode=LOCATE),
        question=problem.question,
        correct_rollout=right,
        numbered_steps=numbered(wrong, split_steps(wrong)),
    )
    return Example(prompt, f"{error_of(problem, wrong)[0] + 1}{ANSWER_END}", given=ANSWER_BEGUN)


def own_finish(rng: random.Random, teacher: Teacher, problem: ChainProblem, wrong: str) -> tuple[list[str], int] | None:
    """The teacher's own lines after the corrected one, for the share of reconstructions that get them."""
    if not teacher.unverified_share or rng.random() >= teacher.unverified_share:
        return None
    _, step = error_of(problem, wrong)
    return teacher.walk(problem.values[step + 1], problem.steps[step + 1 :], teacher.flag_error, rng)


def wrong_and_right(rng: random.Random, teacher: Teacher, tries: int = 32) -> tuple[ChainProblem, str, str]:
    """Samples a problem until the teacher has both a wrong and a right solution of it."""
    while True:
        problem = random_problem(rng, "train", teacher.steps, teacher.task)
        attempts = [teacher.solve(problem, rng) for _ in range(tries)]
        wrong = [text for text in attempts if not is_right(problem, text)]
        right = [text for text in attempts if is_right(problem, text)]
        if wrong and right:
            return problem, rng.choice(wrong), rng.choice(right)


def fact_lines(rng: random.Random, teacher: Teacher, lines: int) -> str:
    """Unconnected single-fact lines with the teacher's reliability, tried until right where it tries facts again."""
    facts = [rng.choice(teacher.task.facts) for _ in range(lines)]
    if teacher.facts_again:
        tries = [teacher.walk(value, ((operator, operand),), 1.0, rng)[0] for value, operator, operand in facts]
        return "".join(f"{text_line}\n" for lines_of_fact in tries for text_line in lines_of_fact)
    return "".join(f"{line(*fact, teacher.recall(fact, rng), teacher.task.modulus)}\n" for fact in facts)


def mode_of(rng: random.Random, full_share: float) -> str:
    """Draws the synthesis mode of an IFT example."""
    return FULL_RECONSTRUCTION if rng.random() < full_share else MICRO_REFLECTIVE


def error_of(problem: ChainProblem, wrong: str) -> tuple[int, int]:
    """Line and step index of a wrong solution's first wrong step.

    Raises:
        ValueError: Every step is right.
    """
    found = first_wrong_line(problem, wrong)
    if found is None or found[1] >= len(problem.steps):
        raise ValueError(f"no wrong step in {wrong!r}")
    return found
