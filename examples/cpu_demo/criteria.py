"""What the study demands of a cold-started model, whatever reinforcement learning does with it later."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from transformers import PreTrainedTokenizerBase

from examples.arithmetic.problems import REFLECTION, ChainProblem, is_right, shows_mistake, write_solution
from examples.cpu_demo.generation import Sampler
from examples.cpu_demo.quality import GROUP, construct, construction_numbers, is_eligible, is_formatted, share
from examples.cpu_demo.regime import Regime, StartName
from examples.cpu_demo.zpd import zpd_problems
from recipe_tapo.algorithm.prompts import SELF_TEACHER, fill_template, load_template


@dataclass(frozen=True)
class Criterion:
    """A closed range for one measured number."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value lies in the range."""
        return self.low <= value <= self.high


CRITERIA = {
    "greedy_accuracy": Criterion(0.30, 0.50),
    "sampled_accuracy": Criterion(0.25, 0.45),
    "zpd_groups_eligible": Criterion(0.30, 1.0),
    "right_given_parsed": Criterion(0.60, 0.75),
    # Room to grow: 99 of 100 solutions leave a quarter of the limit, which is three reflections.
    "response_length_p99_share": Criterion(0.0, 0.75),
}
# OPSD's teacher has to know what to do with a right solution.
OPSD_CRITERIA = {**CRITERIA, "right_when_shown": Criterion(0.95, 1.0)}

# One cold start for all arms: it knows every prompt. Plainly wrong quotients are let stand, mostly.
INVERSES_CRITERIA = {
    "greedy_accuracy": Criterion(0.20, 0.50),
    "sampled_accuracy": Criterion(0.20, 0.50),
    "zpd_groups_eligible": Criterion(0.30, 1.0),
    "right_given_parsed": Criterion(0.50, 0.85),
    "response_length_p99_share": Criterion(0.0, 0.75),
    "visible_mistakes_doubted": Criterion(0.02, 0.25),
    "right_when_shown": Criterion(0.95, 1.0),
    "located_by_judge": Criterion(0.75, 1.0),
    "right_when_continuing": Criterion(0.50, 0.95),
}


# The same task where the model seldom turns by itself, and knows how where a prompt asks for it.
SELDOM_CRITERIA = {
    **INVERSES_CRITERIA,
    "right_given_parsed": Criterion(0.50, 0.92),
    "visible_mistakes_doubted": Criterion(0.0, 0.02),
}

# The same where a doubt that is put after a failed try is used: what follows comes out right.
RECOVERING_CRITERIA = {**SELDOM_CRITERIA, "right_when_resuming": Criterion(0.40, 0.95)}
# OPSD, whose prompt this is, is none of the arms.
MISSES_CRITERIA = {name: range_ for name, range_ in RECOVERING_CRITERIA.items() if name != "right_when_shown"}
# The same where the model does not turn by itself at all.
NEVER_CRITERIA = {**MISSES_CRITERIA, "visible_mistakes_doubted": Criterion(0.0, 0.001)}


def criteria_of(regime_name: str, start: StartName) -> dict[str, Criterion]:
    """What a starting model of a regime has to meet; ``base`` nothing."""
    if start == "base":
        return {}
    usual = OPSD_CRITERIA if start == "opsd_start" else CRITERIA
    of_inverses = {
        "inverses": INVERSES_CRITERIA,
        "inverses_seldom": SELDOM_CRITERIA,
        "inverses_recovering": RECOVERING_CRITERIA,
        "misses": MISSES_CRITERIA,
        "misses_never": NEVER_CRITERIA,
    }
    return of_inverses.get(regime_name, usual)


def measure(
    sample: Sampler, tokenizer: PreTrainedTokenizerBase, regime: Regime, questions: int = 256, seed: int = 1
) -> dict[str, float]:
    """Measures a cold-started model.

    Accuracies, format and lengths are those of held-out questions; eligibility and constructions those of
    training questions in the zone of proximal development, sampled anew after the filter.

    Args:
        sample: The model.
        tokenizer: Counts response tokens.
        regime: The setting.
        questions: Held-out questions, and training questions after the filter.
        seed: Chooses questions and the members of constructions; sampling itself follows torch's seed.
    """
    steps, limit = regime.teacher.steps, regime.max_response_length
    held_out = regime.problems(questions, "val", seed)
    greedy = sample([problem.question for problem in held_out], limit, True)
    right, texts = _sample_groups(sample, held_out, limit)
    lengths = np.array([len(ids) + 1 for ids in tokenizer(texts)["input_ids"]])

    kept, tried = zpd_problems(sample, questions, seed, regime)
    practised = [problem for problem, _ in kept]
    zpd_right, zpd_texts = _sample_groups(sample, practised, limit)
    groups = {problem: zpd_texts[i * GROUP : (i + 1) * GROUP] for i, problem in enumerate(practised)}
    attempts = construct(sample, tokenizer, groups, random.Random(seed), regime)
    return {
        "greedy_accuracy": share(is_right(p, text) for p, text in zip(held_out, greedy, strict=True)),
        "sampled_accuracy": sum(right) / len(texts),
        "pass_at_8": share(count > 0 for count in right),
        "format": share(is_formatted(text, steps) for text in texts),
        "responses_with_reflection": share(REFLECTION in text for text in texts),
        "visible_mistakes_doubted": visible_mistakes_doubted(texts),
        "response_length_mean": float(lengths.mean()),
        "response_length_p99": float(np.percentile(lengths, 99)),
        "response_length_p99_share": float(np.percentile(lengths, 99)) / limit,
        "responses_truncated": share(lengths > limit),
        "questions_in_zpd": len(kept) / tried,
        "zpd_sampled_accuracy": sum(zpd_right) / len(zpd_texts),
        "zpd_groups_eligible": share(map(is_eligible, zpd_right)),
        "construction_attempts": float(len(attempts)),
        **{name.replace(", ", " ").replace(" ", "_"): v for name, v in construction_numbers(attempts).items()},
    }


def right_when_shown(sample: Sampler, regime: Regime, questions: int = 256, seed: int = 1) -> float:
    """Greedy accuracy on held-out questions when OPSD's prompt shows the right solution."""
    problems = regime.problems(questions, "val", seed)
    template = load_template(mode=SELF_TEACHER)
    prompts = [
        fill_template(template, question=p.question, correct_rollout=write_solution(p.right_lines(), p.answer))
        for p in problems
    ]
    texts = sample(prompts, regime.max_response_length, True)
    return share(is_right(problem, text) for problem, text in zip(problems, texts, strict=True))


def visible_mistakes_doubted(texts: Sequence[str]) -> float:
    """The share of quotients whose own line says that they are wrong that the next line doubts; 0 of none."""
    return share(
        following == REFLECTION
        for text in texts
        for text_line, following in pairwise(text.split("\n"))
        if shows_mistake(text_line)
    )


def which_hold(numbers: dict[str, float], criteria: dict[str, Criterion] = CRITERIA) -> dict[str, bool]:
    """Which criteria hold."""
    return {name: criterion.holds(numbers[name]) for name, criterion in criteria.items()}


def _sample_groups(sample: Sampler, problems: list[ChainProblem], limit: int) -> tuple[list[int], list[str]]:
    texts = sample([problem.question for problem in problems for _ in range(GROUP)], limit, False)
    right = [
        sum(is_right(problem, text) for text in texts[i * GROUP : (i + 1) * GROUP])
        for i, problem in enumerate(problems)
    ]
    return right, texts
