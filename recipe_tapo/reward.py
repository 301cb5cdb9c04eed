r"""The reward and the one grader: 1.0 where the final answer equals the ground truth, else 0.0.

For verl: ``reward.custom_reward_function.path=pkg://recipe_tapo.reward`` (or the path of this file) and
``reward.custom_reward_function.name=compute_score``; ``reward_kwargs.time_limit`` sets the limit. math-verify is
imported by the grading processes only, so that importing this module costs next to nothing.
"""

import sys
from pathlib import Path
from typing import Any

try:
    from recipe_tapo.grading import DEFAULT_TIME_LIMIT_S, grade
except ModuleNotFoundError as missing:
    if missing.name != "recipe_tapo":
        raise
    # verl loads this file by its path, which works without an installed package too.
    sys.path.append(str(Path(__file__).resolve().parent.parent))
    from recipe_tapo.grading import DEFAULT_TIME_LIMIT_S, grade
from recipe_tapo.grading.extract import extract_answer

# verl collects the predictions of a batch in one array, whose longest string sets the size of all.
_MAX_PRED_CHARS = 256


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
    *,
    time_limit: float = DEFAULT_TIME_LIMIT_S,
    **kwargs: Any,
) -> dict[str, float | str]:
    r"""Grades the final answer of a response: its last ``\boxed{}``, or else its last ``Final Answer:`` line.

    Works in threads, Ray actors and plain processes. Never raises on any text. Deterministic but for time-outs.

    Args:
        data_source: Not used; all sources are graded alike.
        solution_str: The decoded response.
        ground_truth: The right answer; what is no string is converted, None is no answer.
        extra_info: Not used.
        time_limit: Hard wall-clock limit in seconds for the comparison; then the answer counts as wrong.
        **kwargs: What verl passes to reward functions; not used.

    Returns:
        Always the same keys: ``score`` and ``acc`` (1.0 or 0.0), ``pred`` (the answer found, at most 256 characters,
        "" for none), ``timed_out`` and ``grader_died`` (1.0 where the limit, or the end of the grading process, made
        the answer wrong).

    Raises:
        ValueError: ``time_limit`` is not positive.
        GraderUnavailable: math-verify does not work here; scores would silently be zero.
    """
    answer = extract_answer(_as_text(solution_str))
    verdict = grade(_as_text(ground_truth), answer, time_limit)
    right = float(verdict.right)
    return {
        "score": right,
        "acc": right,
        # verl writes predictions as UTF-8, which has no lone surrogates.
        "pred": answer[:_MAX_PRED_CHARS].encode("utf-8", "replace").decode("utf-8"),
        "timed_out": float(verdict.timed_out),
        "grader_died": float(verdict.died),
    }


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
