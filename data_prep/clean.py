"""From rows as read to problems with a usable answer."""

import math
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from data_prep.problems import MathProblem, RawProblem
from data_prep.read import is_answer_type
from data_prep.reject import DropReason, Rejections
from data_prep.text import collapse_white_space, is_encodable, normalise_white_space


def clean(records: Iterable[RawProblem], rejections: Rejections) -> list[MathProblem]:
    """Normalises white space and drops rows without a problem or a usable answer.

    Args:
        records: Rows as read.
        rejections: Takes the dropped rows.

    Returns:
        The other rows, in order.
    """
    problems = []
    for record in tqdm(records, desc="cleaning", disable=None):
        outcome = _clean_one(record)
        if isinstance(outcome, DropReason):
            rejections.add(outcome, record)
        else:
            problems.append(outcome)
    return problems


def _clean_one(record: RawProblem) -> MathProblem | DropReason:
    answer = _answer_text(record.answer)
    if isinstance(answer, DropReason):
        return answer
    problem = record.problem or ""
    text = normalise_white_space(problem)
    if not text:
        return DropReason.NO_PROBLEM
    if not is_encodable(text) or not is_encodable(answer):
        return DropReason.BAD_UNICODE
    return MathProblem(record.index, record.source, problem, text, answer, record.own_id)


def _answer_text(answer: Any) -> str | DropReason:
    if answer is None:
        return DropReason.ANSWER_NULL
    if not is_answer_type(answer) or (isinstance(answer, float) and not math.isfinite(answer)):
        return DropReason.ANSWER_WRONG_TYPE
    if isinstance(answer, float) and answer.is_integer() and abs(answer) < 2**53:
        # A column of integers with gaps is read as floats: 25.0 stands for 25. Larger ones are no longer exact.
        answer = int(answer)
    return collapse_white_space(str(answer)) or DropReason.ANSWER_EMPTY
