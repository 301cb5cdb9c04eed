r"""The reward and the one grader: 1.0 where the final answer equals the ground truth, else 0.0.

For verl: ``reward.custom_reward_function.path=pkg://recipe_tapo.reward`` (or the path of this file) and
``reward.custom_reward_function.name=compute_score``; ``reward_kwargs.time_limit`` sets the limit. math-verify is
imported by the grading processes only, so that importing this module costs next to nothing.
"""

import sys
from pathlib import Path
from typing import Any

try:
    from recipe_tapo.grading import DEFAULT_TIME_LIMIT_S
except ModuleNotFoundError as missing:
    if missing.name != "recipe_tapo":
        raise
    # verl loads this file by its path, which works without an installed package too.
    sys.path.append(str(Path(__file__).resolve().parent.parent))
    from recipe_tapo.grading import DEFAULT_TIME_LIMIT_S
from recipe_tapo.grading.score import Score, score_response


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
    *,
    time_limit: float = DEFAULT_TIME_LIMIT_S,
    **kwargs: Any,
) -> Score:
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
        Always the same keys, those of ``Score``: ``score``, ``acc``, ``pred``, ``timed_out`` and ``grader_died``.

    Raises:
        ValueError: ``time_limit`` is not positive.
        GraderUnavailable: math-verify does not work here; scores would silently be zero.
    """
    return score_response(solution_str, ground_truth, time_limit)
