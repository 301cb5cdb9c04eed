"""What a cold-started model can do: accuracy, eligible groups, constructions."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from examples.arithmetic.problems import (
    REFLECTION,
    STEPS,
    ChainProblem,
    final_answer,
    first_wrong_line,
    is_right,
    make_problems,
)
from examples.cpu_demo.generation import Sampler
from recipe_tapo.algorithm.parsing import parse_reconstruction
from recipe_tapo.algorithm.prompts import fill_template, load_template

GROUP = 8
N_POS, N_NEG, M_MAX = 2, 4, 4


@dataclass(frozen=True)
class SynthesisAttempt:
    """One synthesis attempt and its raw output."""

    problem: ChainProblem
    wrong: str
    right: str
    output: str


def is_formatted(text: str, steps: int = STEPS) -> bool:
    r"""Whether a solution is step lines and reflections followed by one final-answer line."""
    *lines, last = text.split("\n")
    if final_answer(last) is None or not last.startswith("Final Answer: "):
        return False
    return sum(line.count("=") == 1 or line == REFLECTION for line in lines) == len(lines) >= steps


def prefix_kind(attempt: SynthesisAttempt, reconstruction: str) -> str:
    """``exact``: verbatim through the first wrong line, then a reflection; ``verbatim``: elsewhere; ``none``."""
    kept = lines_kept(attempt.wrong, reconstruction)
    found = first_wrong_line(attempt.problem, attempt.wrong)
    if found is not None and found[0] + 1 in kept:
        return "exact"
    return "verbatim" if kept else "none"


def lines_kept(wrong: str, reconstruction: str) -> list[int]:
    """How many lines of the wrong solution stand before each reflection that follows nothing but such lines."""
    lines, wrong_lines = reconstruction.split("\n"), wrong.split("\n")
    return [k for k in range(1, len(lines)) if lines[k] == REFLECTION and lines[:k] == wrong_lines[:k]]


def construct(
    sample: Sampler, groups: dict[ChainProblem, list[str]], rng: random.Random, max_tokens: int = 96
) -> list[SynthesisAttempt]:
    """Asks for constructions in every eligible group, as TAPO's selection does."""
    template, chosen = load_template(), []
    for problem, texts in groups.items():
        right = [text for text in texts if is_right(problem, text)]
        wrong = [text for text in texts if not is_right(problem, text)]
        if len(right) >= N_POS and len(wrong) >= N_NEG:
            chosen += [(problem, text, rng.choice(right)) for text in rng.sample(wrong, min(M_MAX, len(wrong)))]
    prompts = [fill_template(template, question=p.question, error_rollout=w, correct_rollout=r) for p, w, r in chosen]
    outputs = sample(prompts, max_tokens, False) if prompts else []
    return [SynthesisAttempt(p, w, r, output) for (p, w, r), output in zip(chosen, outputs, strict=True)]


def report(sample: Sampler, questions: int = 128, seed: int = 1) -> tuple[dict[str, float], list[SynthesisAttempt]]:
    """Measures a sampler on validation problems; every number is a share."""
    problems = make_problems(questions, "val", seed)
    texts = sample([problem.question for problem in problems for _ in range(GROUP)], 64, False)
    greedy = sample([problem.question for problem in problems], 64, True)
    groups = {problem: texts[i * GROUP : (i + 1) * GROUP] for i, problem in enumerate(problems)}
    right = [sum(is_right(problem, text) for text in group) for problem, group in groups.items()]
    attempts = construct(sample, groups, random.Random(seed))
    numbers = {
        "sampled accuracy": sum(right) / len(texts),
        "greedy accuracy": share(is_right(p, text) for p, text in zip(problems, greedy, strict=True)),
        "format": share(map(is_formatted, texts)),
        "groups eligible": share(map(is_eligible, right)),
        **construction_numbers(attempts),
    }
    return numbers, attempts


def is_eligible(right: int) -> bool:
    """Whether a group with so many right answers is one that constructions are asked for (paper, Eq. 3)."""
    return N_POS <= right <= GROUP - N_NEG


def construction_numbers(attempts: list[SynthesisAttempt]) -> dict[str, float]:
    """What became of construction attempts; every number is a share."""
    parsed = [(attempt, parse_reconstruction(attempt.output).reconstruction) for attempt in attempts]
    parsed = [(attempt, text) for attempt, text in parsed if text is not None]
    kinds = [prefix_kind(attempt, text) for attempt, text in parsed]
    by_group: dict[ChainProblem, set[bool]] = {}
    for attempt, text in parsed:
        by_group.setdefault(attempt.problem, set()).add(is_right(attempt.problem, text))
    return {
        "constructions parsed": len(parsed) / max(len(attempts), 1),
        "right given parsed": share(is_right(attempt.problem, text) for attempt, text in parsed),
        "verbatim prefix, then reflection": share(kind != "none" for kind in kinds),
        "prefix ends at the first wrong line": share(kind == "exact" for kind in kinds),
        "reflection groups with both outcomes": share(len(outcomes) == 2 for outcomes in by_group.values()),
    }


def share(flags: Iterable[bool]) -> float:
    """The share of true flags; 0 of none."""
    values = list(flags)
    return sum(values) / max(len(values), 1)
