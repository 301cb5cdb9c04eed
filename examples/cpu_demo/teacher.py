"""The noisy teacher whose solutions and reconstructions the cold start imitates.

Its mistakes are local and natural: each of the 156 atomic facts has a fixed reliability and one fixed wrong value, and
wrong values propagate.
"""

import random
from dataclasses import dataclass, field

from examples.arithmetic.problems import (
    FACTS,
    MODULUS,
    REFLECTION,
    STEPS,
    ChainProblem,
    apply,
    line,
    write_solution,
)


@dataclass
class Teacher:
    """A solver with fixed weak spots; its solutions are what the cold start imitates.

    Attributes:
        seed: Chooses hard facts and wrong values.
        steps: Steps per problem.
        easy_share: Share of the facts that are easy.
        easy_reliability: How often an easy fact comes out right.
        hard_reliability: Range of a hard fact's reliability.
        flag_error: How often a mistake is noticed at once.
        flag_all: Share of solutions in which every mistake is noticed.
        false_alarm: How often a right line is doubted.
        unverified_share: Share of its reconstructions that it finishes from memory, mistakes and all, instead of
            with the right lines.
        names_step: Whether its analyses name the wrong step.
    """

    seed: int = 0
    steps: int = STEPS
    easy_share: float = 0.6
    easy_reliability: float = 0.97
    hard_reliability: tuple[float, float] = (0.2, 0.65)
    flag_error: float = 0.20
    flag_all: float = 0.15
    false_alarm: float = 0.01
    unverified_share: float = 0.0
    names_step: bool = True
    reliability: dict[tuple[int, str, int], float] = field(init=False)
    distractor: dict[tuple[int, str, int], int] = field(init=False)

    def __post_init__(self) -> None:
        """Fixes each fact's reliability and its one wrong value."""
        rng = random.Random(f"teacher:{self.seed}")
        facts = list(FACTS)
        rng.shuffle(facts)
        easy = round(self.easy_share * len(facts))
        self.reliability = {
            fact: self.easy_reliability if i < easy else rng.uniform(*self.hard_reliability)
            for i, fact in enumerate(facts)
        }
        self.distractor = {fact: rng.choice([v for v in range(MODULUS) if v != apply(*fact)]) for fact in sorted(facts)}

    def recall(self, fact: tuple[int, str, int], rng: random.Random) -> int:
        """Gives the fact's right value or, where the teacher slips, its distractor."""
        return apply(*fact) if rng.random() < self.reliability[fact] else self.distractor[fact]

    def solve(self, problem: ChainProblem, rng: random.Random) -> str:
        """Samples a solution, with mistakes and with some self-corrections."""
        flag_rate = 1.0 if rng.random() < self.flag_all else self.flag_error
        return write_solution(*self.walk(problem.start, problem.steps, flag_rate, rng))

    def walk(
        self, value: int, steps: tuple[tuple[str, int], ...], flag_rate: float, rng: random.Random
    ) -> tuple[list[str], int]:
        """Takes steps from a value; gives the lines and the last value."""
        lines = []
        for op, b in steps:
            fact = (value, op, b)
            right, value = apply(*fact), self.recall(fact, rng)
            lines.append(line(*fact, value))
            if rng.random() < (self.false_alarm if value == right else flag_rate):
                lines += [REFLECTION, line(*fact, right)]
                value = right
        return lines, value
