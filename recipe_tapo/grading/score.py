"""The score of a whole response: its final answer found and compared with the gold."""

from typing import TypedDict

from recipe_tapo.grading import DEFAULT_TIME_LIMIT_S, grade
from recipe_tapo.grading.extract import extract_answer

# verl collects the predictions of a batch in one array, whose longest string sets the size of all.
_MAX_PRED_CHARS = 256


class Score(TypedDict):
    """What is said of one response.

    Attributes:
        score: 1.0 where the final answer equals the gold, else 0.0.
        acc: The same.
        pred: The answer found, at most 256 characters; "" for none.
        timed_out: 1.0 where the time limit made the answer wrong.
        grader_died: 1.0 where an error of the comparison, or the end of the grading process, made the answer wrong.
    """

    score: float
    acc: float
    pred: str
    timed_out: float
    grader_died: float


def score_response(response: object, gold: object, time_limit: float = DEFAULT_TIME_LIMIT_S) -> Score:
    r"""Grades the final answer of a response: its last ``\boxed{}``, or else its last ``Final Answer:`` line.

    Works in threads, Ray actors and plain processes. Never raises on any text. Deterministic but for time-outs.

    Args:
        response: The decoded response; what is no string is converted, None is no response.
        gold: The right answer; likewise.
        time_limit: Hard wall-clock limit in seconds for the comparison; then the answer counts as wrong.

    Raises:
        ValueError: ``time_limit`` is not positive.
        GraderUnavailable: math-verify does not work here; scores would silently be zero.
    """
    answer = extract_answer(_as_text(response))
    verdict = grade(_as_text(gold), answer, time_limit)
    right = float(verdict.right)
    return {
        "score": right,
        "acc": right,
        # verl writes predictions as UTF-8, which has no lone surrogates.
        "pred": answer[:_MAX_PRED_CHARS].encode("utf-8", "replace").decode("utf-8"),
        "timed_out": float(verdict.timed_out),
        "grader_died": float(verdict.died),
    }


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
