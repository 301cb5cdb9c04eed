"""Wrong rollouts to construct from, with the right sibling and what the question asks for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.benchmarks import load_problems
from recipe_tapo.evaluation.records import Problem
from recipe_tapo.records.attempts import read_dump
from recipe_tapo.records.json_lines import read_whole_lines

OWN_ATTEMPTS = Path(__file__).parent / "wrong_rollouts.jsonl"
_TEXTS = ("question", "error_rollout", "correct_rollout")


def read_attempts(path: Path, every: int = 1, first: int = 0) -> dict[int, dict[str, Any]]:
    """Reads dumped attempts.

    Args:
        path: A jsonl file, or a folder of them as ``tapo.dump_dir`` is.
        every: Each so many-th attempt.
        first: At most so many of these; 0 for all.

    Returns:
        The line by the attempt's place in the dump; it has question, y⁻ and y⁺.

    Raises:
        InputError: There are none, or one lacks a text.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    lines: Iterator[Any] = read_dump(path) if path.is_dir() else read_whole_lines(path)
    chosen = [(place, line) for place, line in enumerate(lines) if place % every == 0][: first or None]
    if not chosen:
        raise InputError(f"{path}: holds no attempt")
    for place, line in chosen:
        for name in _TEXTS:
            if not isinstance(line, dict) or not isinstance(line.get(name), str):
                raise InputError(f"{path}: attempt {place} has no text '{name}'")
    return dict(chosen)


def to_problems(attempts: dict[int, dict[str, Any]], golds: Path | None) -> list[Problem]:
    """A problem for each attempt, numbered by the attempt's place: its prompt and right answer.

    Args:
        attempts: See ``read_attempts``.
        golds: A parquet file that has them; None where the attempts' own lines do, as ``prompt`` and ``gold``.

    Raises:
        InputError: A question has none.
    """
    known = {problem.question.strip(): problem for problem in load_problems("train", golds)} if golds else {}
    problems = []
    for place, attempt in attempts.items():
        if golds:
            problem = known.get(attempt["question"].strip())
            if problem is None:
                raise InputError(f"{golds}: has no question like that of attempt {place}: {attempt['question'][:60]!r}")
            gold, messages = problem.gold, problem.messages
        elif "gold" in attempt and "prompt" in attempt:
            gold, messages = attempt["gold"], attempt["prompt"]
        else:
            raise InputError(f"attempt {place} has no 'prompt' and 'gold'; give --golds, a parquet file that has them")
        problems.append(Problem("attempts", place, attempt["question"], gold, messages))
    return problems
