r"""Step-by-step arithmetic: ``Compute 9+5*4*2+3 mod 13``, evaluated strictly from left to right.

A solution has one line per step and ends with ``Final Answer: \boxed{c}``. There are three tasks. In ``CHAINS`` nothing
in a wrong line shows that it is wrong. In ``INVERSES`` a quotient has to be found, and its line says what it amounts to
when multiplied back and whether that is what was divided: ``9/5=6 6*5=30 no``, ``9/5=8 8*5=9 ok``. Checking takes a
multiplication, solving the inverse of one. In ``MISSES`` the check also says by how much the quotient is missed:
``9:5=6 6*5=30 +2``, for 6 + 2 fives make 9 (modulo 31). Who looks at it knows the answer.
"""

import random
import re
import zlib
from dataclasses import dataclass
from functools import cached_property

STEPS = 4
REFLECTION = "Wait, let me double-check."
FINAL = "Final Answer: \\boxed{"

_VAL_SHARE = 10  # one problem in ten belongs to the validation half, whatever the seed
_QUESTION = re.compile(r"Compute (\d+)((?:[+*/:]\d+)+) mod (\d+)")
DIVISIONS = "/:"
_MISTAKE = r" (?:no|[+-]\d+)"
_SHOWS_MISTAKE = re.compile(_MISTAKE + "$")
_RESULT = re.compile(rf"=(\d+)(?: \d+\*\d+=\d+(?: ok|{_MISTAKE}))?$")
_ANSWER = re.compile(r"\\boxed\{(\d+)\}")

Fact = tuple[int, str, int]


@dataclass(frozen=True)
class Task:
    """What problems are made of.

    Attributes:
        modulus: A prime.
        operators: ``+``, ``*``, ``/`` and ``:``; the last two divide, and their lines check differently.
        operands: What may stand after an operator.
        first_value: The smallest value a problem starts from.
    """

    modulus: int
    operators: tuple[str, ...]
    operands: tuple[int, ...]
    first_value: int = 0

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """All steps there are."""
        values = range(self.first_value, self.modulus)
        return tuple((a, op, b) for a in values for op in self.operators for b in self.operands)


CHAINS = Task(13, ("+", "*"), tuple(range(1, 7)))
INVERSES = Task(31, ("*", "/"), tuple(range(2, 13)), first_value=1)
MISSES = Task(31, ("*", ":"), tuple(range(2, 13)), first_value=1)


def apply(value: int, operator: str, operand: int, modulus: int) -> int:
    """Evaluates one atomic fact."""
    if operator in DIVISIONS:
        return value * pow(operand, -1, modulus) % modulus
    return (value + operand if operator == "+" else value * operand) % modulus


def line(value: int, operator: str, operand: int, result: int, modulus: int) -> str:
    """Writes one solution line, right or wrong; a quotient with its check."""
    text = f"{value}{operator}{operand}={result}"
    if operator not in DIVISIONS:
        return text
    missed = offset(value, operand, result, modulus)
    wrong = "no" if operator == "/" else f"{missed:+d}"
    return f"{text} {result}*{operand}={result * operand % modulus} {wrong if missed else 'ok'}"


def offset(value: int, operand: int, quotient: int, modulus: int) -> int:
    """By how much a quotient is missed: what is to be added to it, of the two ways round the shorter one."""
    missed = (apply(value, "/", operand, modulus) - quotient) % modulus
    return missed if missed <= modulus // 2 else missed - modulus


def stated_result(text_line: str) -> int | None:
    """The value that a solution line arrives at; None of a line that states none."""
    found = _RESULT.search(text_line)
    return int(found.group(1)) if found else None


def shows_mistake(text_line: str) -> bool:
    """Whether a line says itself that it is wrong."""
    return _SHOWS_MISTAKE.search(text_line) is not None


@dataclass(frozen=True)
class ChainProblem:
    """A start value and the steps to apply to it."""

    start: int
    steps: tuple[tuple[str, int], ...]
    modulus: int = CHAINS.modulus

    @property
    def question(self) -> str:
        """The question's user text, exactly as the model sees it."""
        return f"Compute {self.start}" + "".join(f"{op}{b}" for op, b in self.steps) + f" mod {self.modulus}"

    @property
    def values(self) -> list[int]:
        """The start value and the right value after each step."""
        values = [self.start]
        for op, b in self.steps:
            values.append(apply(values[-1], op, b, self.modulus))
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
        steps = range(first_step, len(self.steps))
        return [line(values[i], *self.steps[i], values[i + 1], self.modulus) for i in steps]

    @classmethod
    def parse(cls, question: str) -> "ChainProblem":
        """Reads a problem back from its question text."""
        match = _QUESTION.fullmatch(question.strip())
        if match is None:
            raise ValueError(f"not a question of this task: {question!r}")
        steps = tuple((op, int(b)) for op, b in re.findall(r"([+*/:])(\d+)", match.group(2)))
        return cls(int(match.group(1)), steps, int(match.group(3)))


def random_problem(
    rng: random.Random, split: str | None = None, steps: int = STEPS, task: Task = CHAINS
) -> ChainProblem:
    """Draws a problem of ``steps`` steps, of one split if asked."""
    while True:
        operations = tuple((rng.choice(task.operators), rng.choice(task.operands)) for _ in range(steps))
        problem = ChainProblem(rng.randrange(task.first_value, task.modulus), operations, task.modulus)
        if split is None or problem.split == split:
            return problem


def make_problems(size: int, split: str, seed: int, steps: int = STEPS, task: Task = CHAINS) -> list[ChainProblem]:
    """Makes ``size`` distinct problems of a split, the same for the same seed."""
    rng = random.Random(f"{split}:{seed}")
    problems: dict[ChainProblem, None] = {}
    while len(problems) < size:
        problems[random_problem(rng, split, steps, task)] = None
    return list(problems)


def write_solution(lines: list[str], answer: int) -> str:
    """Joins step lines and the final answer to a solution text."""
    return "\n".join([*lines, f"{FINAL}{answer}}}"])


def final_answer(text: str) -> int | None:
    r"""The number in the last ``\boxed{…}`` of a solution, or None."""
    found = _ANSWER.findall(text)
    return int(found[-1]) if found else None


def is_right(problem: ChainProblem, text: str) -> bool:
    """Whether a solution ends in the right answer."""
    return final_answer(text) == problem.answer


def first_wrong_line(problem: ChainProblem, text: str) -> tuple[int, int] | None:
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
