"""What a cold-started model can do: accuracy, eligible groups, constructions."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from transformers import PreTrainedTokenizerBase

from examples.arithmetic.problems import (
    DIVISIONS,
    REFLECTION,
    STEPS,
    ChainProblem,
    final_answer,
    first_wrong_line,
    is_right,
)
from examples.cpu_demo.generation import Sampler
from examples.cpu_demo.regime import Regime
from recipe_tapo.algorithm import selection
from recipe_tapo.algorithm.prompts import fill_template, load_template
from recipe_tapo.algorithm.selection import select_pairs
from recipe_tapo.algorithm.tokens import ChatTokenizer
from recipe_tapo.algorithm.trajectory import Trajectory, build_trajectory
from recipe_tapo.config import TapoConfig

GROUP = 8
SELECTION = TapoConfig().selection


@dataclass(frozen=True)
class SynthesisAttempt:
    """One synthesis attempt: the question, its wrong solution, and what was made of it (None for nothing)."""

    problem: ChainProblem
    wrong: str
    reconstruction: str | None


def is_formatted(text: str, steps: int = STEPS) -> bool:
    r"""Whether a solution is step lines and reflections followed by one final-answer line."""
    *lines, last = text.split("\n")
    if final_answer(last) is None or not last.startswith("Final Answer: "):
        return False
    return len(lines) >= steps and all(
        line == REFLECTION or line.count("=") == 1 + any(sign in line for sign in DIVISIONS) for line in lines
    )


def prefix_kind(problem: ChainProblem, wrong: str, reconstruction: str) -> str:
    """``exact``: verbatim through the first wrong line, then a reflection; ``verbatim``: elsewhere; ``none``."""
    kept = lines_kept(wrong, reconstruction)
    found = first_wrong_line(problem, wrong)
    if found is not None and found[0] + 1 in kept:
        return "exact"
    return "verbatim" if kept else "none"


def lines_kept(wrong: str, reconstruction: str) -> list[int]:
    """How many lines of the wrong solution stand before each reflection that follows nothing but such lines."""
    lines, wrong_lines = reconstruction.split("\n"), wrong.split("\n")
    return [k for k in range(1, len(lines)) if lines[k] == REFLECTION and lines[:k] == wrong_lines[:k]]


def construct(
    sample: Sampler,
    tokenizer: PreTrainedTokenizerBase,
    groups: dict[ChainProblem, list[str]],
    rng: random.Random,
    regime: Regime,
) -> list[SynthesisAttempt]:
    """Constructs in every eligible group, by TAPO's own selection, prompt and parsing.

    Args:
        sample: The model.
        tokenizer: The model's.
        groups: Sampled responses by question.
        rng: For the selection.
        regime: Says how long synthesis outputs and trajectories may be.
    """
    chosen: list[tuple[ChainProblem, str, str]] = []
    for problem, texts in groups.items():
        right_G = [is_right(problem, text) for text in texts]
        pairs = select_pairs(right_G, **vars(SELECTION), rng=rng)
        chosen += [(problem, texts[pair.error], texts[pair.correct]) for pair in pairs]
    template = load_template()
    prompts = [fill_template(template, question=p.question, error_rollout=w, correct_rollout=r) for p, w, r in chosen]
    outputs = sample(prompts, regime.max_synthesis_tokens, False) if prompts else []
    return [
        SynthesisAttempt(problem, wrong, reconstruction_of(output, wrong, tokenizer, regime))
        for (problem, wrong, _), output in zip(chosen, outputs, strict=True)
    ]


def reconstruction_of(output: str, wrong: str, tokenizer: PreTrainedTokenizerBase, regime: Regime) -> str | None:
    """The text of the trajectory that training would make of a synthesis output; None where it makes none."""
    chat_tokenizer = cast(ChatTokenizer, tokenizer)  # transformers declares wider types than any tokenizer of it has
    trajectory = build_trajectory(
        output,
        truncated=False,
        error_ids=chat_tokenizer.encode(wrong, add_special_tokens=False),
        tokenizer=chat_tokenizer,
        eos_token_id=chat_tokenizer.eos_token_id,
        max_response_length=regime.max_response_length,
    )
    return trajectory.text if isinstance(trajectory, Trajectory) else None


def report(
    sample: Sampler, tokenizer: PreTrainedTokenizerBase, regime: Regime, questions: int = 128, seed: int = 1
) -> dict[str, float]:
    """Measures a sampler on validation problems; every number is a share."""
    problems = regime.problems(questions, "val", seed)
    limit = regime.max_response_length
    texts = sample([problem.question for problem in problems for _ in range(GROUP)], limit, False)
    greedy = sample([problem.question for problem in problems], limit, True)
    groups = {problem: texts[i * GROUP : (i + 1) * GROUP] for i, problem in enumerate(problems)}
    right = [sum(is_right(problem, text) for text in group) for problem, group in groups.items()]
    attempts = construct(sample, tokenizer, groups, random.Random(seed), regime)
    return {
        "sampled accuracy": sum(right) / len(texts),
        "greedy accuracy": share(is_right(p, text) for p, text in zip(problems, greedy, strict=True)),
        "format": share(map(is_formatted, texts)),
        "groups eligible": share(map(is_eligible, right)),
        **construction_numbers(attempts),
    }


def is_eligible(right: int) -> bool:
    """Whether a group with so many right answers is one that constructions are asked for (paper, Eq. 3)."""
    return selection.is_eligible([number < right for number in range(GROUP)], SELECTION.n_pos, SELECTION.n_neg)


def construction_numbers(attempts: list[SynthesisAttempt]) -> dict[str, float]:
    """What became of construction attempts; every number is a share."""
    parsed = [(each.problem, each.wrong, each.reconstruction) for each in attempts if each.reconstruction is not None]
    kinds = [prefix_kind(*attempt) for attempt in parsed]
    by_group: dict[ChainProblem, set[bool]] = {}
    for problem, _, text in parsed:
        by_group.setdefault(problem, set()).add(is_right(problem, text))
    return {
        "constructions parsed": len(parsed) / max(len(attempts), 1),
        "right given parsed": share(is_right(problem, text) for problem, _, text in parsed),
        "verbatim prefix, then reflection": share(kind != "none" for kind in kinds),
        "prefix ends at the first wrong line": share(kind == "exact" for kind in kinds),
        "reflection groups with both outcomes": share(len(outcomes) == 2 for outcomes in by_group.values()),
    }


def share(flags: Iterable[bool]) -> float:
    """The share of true flags; 0 of none."""
    values = list(flags)
    return sum(values) / max(len(values), 1)
