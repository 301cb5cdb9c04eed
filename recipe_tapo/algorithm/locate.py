"""Where a wrong rollout first goes wrong (ours): its steps, numbered for a judge or weighed by the self-teacher."""

from collections.abc import Sequence

from recipe_tapo.algorithm.splice import tokens_until
from recipe_tapo.algorithm.steps import Step
from recipe_tapo.algorithm.tokens import Tokenizer


def numbered(text: str, steps: Sequence[Step]) -> str:
    """The steps one behind the other, each with its number from 1 in front."""
    return "\n".join(f"[{number}] {text[step.start : step.end].strip()}" for number, step in enumerate(steps, start=1))


def token_ends(ids: Sequence[int], steps: Sequence[Step], tokenizer: Tokenizer) -> list[int]:
    """For each step how many of the rollout's ids end with it; a token that reaches across belongs to the next step."""
    return [tokens_until(ids, step.end, tokenizer) for step in steps]


def largest_fall(plain_T: Sequence[float], shown_T: Sequence[float], ends: Sequence[int]) -> int | None:
    """The step with the token that loses most when the policy is shown a right solution.

    The self-teacher's advantage log π(y_t | x, y⁺, y_<t) − log π(y_t | x, y_<t) (paper §4, OPSD) is most negative on
    the token that the right solution contradicts. Sums over a step mislead: every step loses a little, for the right
    solution is worded otherwise.

    Args:
        plain_T: log π(y_t | x, y_<t) of a wrong rollout's tokens.
        shown_T: log π(y_t | x, y⁺, y_<t) of the same tokens.
        ends: Where each step ends, in tokens, ascending; see ``token_ends``.

    Returns:
        The step's position; None where no token of any step loses.
    """
    falls = [shown - plain for plain, shown in zip(plain_T, shown_T, strict=True)]
    lowest, worst = 0.0, None
    start = 0
    for position, end in enumerate(ends):
        fall = min(falls[start:end], default=0.0)
        if fall < lowest:
            lowest, worst = fall, position
        start = max(start, end)
    return worst
