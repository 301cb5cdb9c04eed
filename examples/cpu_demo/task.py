r"""Step-by-step arithmetic: ``Compute 9+5*4*2+3 mod 13``, evaluated strictly from left to right.

A solution has one line per step and ends with ``Final Answer: \boxed{c}``. The noisy teacher makes
local, natural mistakes: every one of the 156 atomic facts has a fixed reliability and one fixed wrong
value, and wrong values propagate.
"""

import random
import re
import zlib
from dataclasses import dataclass, field

MODULUS = 13
OPERATORS = ("+", "*")
OPERANDS = tuple(range(1, 7))
STEPS = 4
DATA_SOURCE = "tapo_demo/arithmetic"
REFLECTION = "Wait, let me double-check."
FINAL = "Final Answer: \\boxed{"
FACTS = tuple((a, op, b) for a in range(MODULUS) for op in OPERATORS for b in OPERANDS)

_VAL_SHARE = 10  # one problem in ten belongs to the validation half, whatever the seed
_QUESTION = re.compile(r"Compute (\d+)((?:[+*]\d+)+) mod 13")
_ANSWER = re.compile(r"\\boxed\{(\d+)\}")


def apply(value: int, operator: str, operand: int) -> int:
    """Evaluates one atomic fact modulo 13."""
    return (value + operand if operator == "+" else value * operand) % MODULUS


def line(value: int, operator: str, operand: int, result: int) -> str:
    """Writes one solution line, right or wrong."""
    return f"{value}{operator}{operand}={result}"


@dataclass(frozen=True)
class Problem:
    """A start value and the steps to apply to it."""

    start: int
    steps: tuple[tuple[str, int], ...]

    @property
    def question(self) -> str:
        """The question's user text, exactly as the model sees it."""
        return f"Compute {self.start}" + "".join(f"{op}{b}" for op, b in self.steps) + f" mod {MODULUS}"

    @property
    def values(self) -> list[int]:
        """The start value and the right value after each step."""
        values = [self.start]
        for op, b in self.steps:
            values.append(apply(values[-1], op, b))
        return values

    @property
    def answer(self) -> int:
        """The right final value."""
        return self.values[-1]

    @property
    def split(self) -> str:
        """``train`` or ``val``: a fixed property of the problem, so that no two sets can overlap."""
        return "val" if zlib.crc32(self.question.encode()) % _VAL_SHARE == 0 else "train"

    def right_lines(self, first_step: int = 0) -> list[str]:
        """The right solution's step lines from ``first_step`` on."""
        values = self.values
        return [line(values[i], *self.steps[i], values[i + 1]) for i in range(first_step, len(self.steps))]

    @classmethod
    def parse(cls, question: str) -> "Problem":
        """Reads a problem back from its question text."""
        match = _QUESTION.fullmatch(question.strip())
        if match is None:
            raise ValueError(f"not a question of this task: {question!r}")
        steps = tuple((op, int(b)) for op, b in re.findall(r"([+*])(\d+)", match.group(2)))
        return cls(int(match.group(1)), steps)


def random_problem(rng: random.Random, split: str | None = None, steps: int = STEPS) -> Problem:
    """Draws a problem of ``steps`` steps, of one split if asked."""
    while True:
        operations = tuple((rng.choice(OPERATORS), rng.choice(OPERANDS)) for _ in range(steps))
        problem = Problem(rng.randrange(MODULUS), operations)
        if split is None or problem.split == split:
            return problem


def make_problems(size: int, split: str, seed: int, steps: int = STEPS) -> list[Problem]:
    """Makes ``size`` distinct problems of a split, the same for the same seed."""
    rng = random.Random(f"{split}:{seed}")
    problems: dict[Problem, None] = {}
    while len(problems) < size:
        problems[random_problem(rng, split, steps)] = None
    return list(problems)


def write_solution(lines: list[str], answer: int) -> str:
    """Joins step lines and the final answer to a solution text."""
    return "\n".join([*lines, f"{FINAL}{answer}}}"])


def final_answer(text: str) -> int | None:
    r"""The number in the last ``\boxed{…}`` of a solution, or None."""
    found = _ANSWER.findall(text)
    return int(found[-1]) if found else None


def is_right(problem: Problem, text: str) -> bool:
    """Whether a solution ends in the right answer."""
    return final_answer(text) == problem.answer


def first_wrong_line(problem: Problem, text: str) -> tuple[int, int] | None:
    """Finds the first line that is not the right one: (line index, step index), or None if all are.

    A reflection line sends the reader back one step; the final answer counts as the step after the last.
    """
    right, step = [*problem.right_lines(), f"{FINAL}{problem.answer}}}"], 0
    for index, text_line in enumerate(text.strip().split("\n")):
        if text_line == REFLECTION:
            step = max(step - 1, 0)
        elif step >= len(right) or text_line != right[step]:
            return index, min(step, len(problem.steps))
        else:
            step += 1
    return None


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

    def solve(self, problem: Problem, rng: random.Random) -> str:
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
