"""The noisy teacher whose solutions and reconstructions the cold start imitates.

Its mistakes are local and natural: each atomic fact has a fixed reliability and fixed wrong values, and wrong values
propagate.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from examples.arithmetic.problems import (
    CHAINS,
    REFLECTION,
    STEPS,
    ChainProblem,
    Fact,
    Task,
    apply,
    line,
    write_solution,
)


@dataclass
class Teacher:
    """A solver with fixed weak spots; its solutions are what the cold start imitates.

    Attributes:
        task: What its problems are made of.
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
        certain: Operators whose facts always come out right.
        wrong_values: How many wrong values a fact has, the first the likeliest.
        tries_again: Whether a mistake that is noticed leads to another try, which may fail as well, and not straight to
            the right value.
        second_try: How often another try is worked out and comes out right, where all others are drawn as first ones
            are; None: never.
        facts_again: Whether its rows of single facts try again until they are right.
        near: By how much its wrong values miss the right one; (): by anything.
    """

    task: Task = CHAINS
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
    certain: tuple[str, ...] = ()
    wrong_values: int = 1
    tries_again: bool = False
    second_try: float | None = None
    facts_again: bool = False
    near: tuple[int, ...] = ()
    reliability: dict[Fact, float] = field(init=False)
    distractors: dict[Fact, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        """Fixes each fact's reliability and its wrong values."""
        rng = random.Random(f"teacher:{self.seed}")
        facts = [fact for fact in self.task.facts if fact[1] not in self.certain]
        rng.shuffle(facts)
        easy = round(self.easy_share * len(facts))
        self.reliability = {
            fact: self.easy_reliability if i < easy else rng.uniform(*self.hard_reliability)
            for i, fact in enumerate(facts)
        }
        self.distractors = {}
        for fact in sorted(facts):
            others = [value for value in range(self.task.modulus) if value != self._right(fact)]
            if self.near:
                others = [(self._right(fact) + missed) % self.task.modulus for missed in self.near]
            self.distractors[fact] = []
            for _ in range(self.wrong_values):
                self.distractors[fact].append(rng.choice(others))
                others.remove(self.distractors[fact][-1])

    def recall(self, fact: Fact, rng: random.Random, tried: Sequence[int] = ()) -> int:
        """Gives the fact's right value or, where the teacher slips, a wrong one; never one that was tried."""
        right = self._right(fact)
        if fact not in self.reliability:
            return right
        # Each wrong value is half as likely as the one before it.
        halves = [0.5**number for number in range(self.wrong_values)]
        slip = (1 - self.reliability[fact]) / sum(halves)
        weights = {right: self.reliability[fact]}
        weights |= {value: slip * half for value, half in zip(self.distractors[fact], halves, strict=True)}
        left = [value for value in weights if value not in tried]
        if tried and self.second_try is not None and rng.random() < self.second_try:
            return right
        return rng.choices(left, [weights[value] for value in left])[0]

    def solve(self, problem: ChainProblem, rng: random.Random) -> str:
        """Samples a solution, with mistakes and with some self-corrections."""
        flag_rate = 1.0 if rng.random() < self.flag_all else self.flag_error
        return write_solution(*self.walk(problem.start, problem.steps, flag_rate, rng))

    def walk(
        self,
        value: int,
        steps: tuple[tuple[str, int], ...],
        flag_rate: float,
        rng: random.Random,
        failed: Sequence[int] = (),
    ) -> tuple[list[str], int]:
        """Takes steps from a value, the first with what it ``failed`` on before; gives the lines and the last value."""
        lines, tried = [], list(failed)
        for op, b in steps:
            fact = (value, op, b)
            right, value = self._right(fact), self.recall(fact, rng, tried)
            lines.append(self._line(fact, value))
            while rng.random() < (self.false_alarm if value == right else flag_rate):
                tried.append(value)
                again = self.tries_again and value != right
                value = self.recall(fact, rng, tried) if again else right
                lines += [REFLECTION, self._line(fact, value)]
                if not again:
                    break
            tried = []
        return lines, value

    def _right(self, fact: Fact) -> int:
        return apply(*fact, self.task.modulus)

    def _line(self, fact: Fact, result: int) -> str:
        return line(*fact, result, self.task.modulus)
