"""A judge that is a Python function, for tasks whose true steps are known."""

import importlib
import os
import sys
from collections.abc import Callable, Iterable

from tqdm import tqdm

from recipe_tapo.errors import InputError
from recipe_tapo.reflection.verdict import Case, JudgeVerdict, Outcome

JudgeFunction = Callable[[str, str, str], object]


def load_function(path: str) -> JudgeFunction:
    """Imports a judge function ``(question, gold, response) -> {"evidence": …, "reflection_attempted": …, …}``.

    Args:
        path: ``package.module:name``.

    Raises:
        InputError: There is no such function.
    """
    module, colon, name = path.partition(":")
    if not colon:
        raise InputError(f"judge function {path!r}: expected package.module:name")
    try:
        if os.getcwd() not in sys.path:  # an installed command does not look there
            sys.path.append(os.getcwd())
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"judge function {path!r}: {error}") from error
    if not callable(function):
        raise InputError(f"judge function {path!r}: is no function")
    return function


class FunctionJudge:
    """Asks a function.

    Raises:
        InputError: There is no such function.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._function = load_function(path)

    def judge(self, case: Case) -> Outcome:
        """Returns the function's verdict.

        Raises:
            InputError: The function fails, which is a mistake in it or a question of another task.
        """
        try:
            return Outcome(verdict=JudgeVerdict.model_validate(self._function(case.question, case.gold, case.response)))
        except Exception as error:
            text = " ".join(str(error).split())
            raise InputError(f"judge function {self._path}: {type(error).__name__}: {text}") from error


def judge_by_function(judge: FunctionJudge, cases: Iterable[Case]) -> dict[Case, Outcome]:
    """Outcomes of all cases; not cached, for a function's results change with its code."""
    return {case: judge.judge(case) for case in tqdm(list(dict.fromkeys(cases)), desc="judging", disable=None)}
