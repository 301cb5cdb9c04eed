"""Reward functions of the end-to-end tests, loaded by verl from this file."""

from recipe_tapo.reward import compute_score


def raises_on_some_constructions(data_source, solution_str, ground_truth, extra_info=None, **kwargs):
    """Grades as TAPO does, but raises on constructions of questions with an even answer."""
    if kwargs["time_limit"] != 7:  # verl's reward_kwargs
        raise ValueError(kwargs)
    if (extra_info or {}).get("is_reflection") and int(ground_truth) % 2 == 0:
        raise ValueError("this grader cannot read a construction")
    return compute_score(data_source, solution_str, ground_truth, extra_info, **kwargs)
