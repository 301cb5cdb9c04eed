"""Where a wrong rollout first goes wrong (ours): its steps, numbered for a judge or weighed by the policy itself."""

from collections.abc import Sequence
from itertools import pairwise, takewhile

from recipe_tapo.algorithm.steps import Step
from recipe_tapo.algorithm.tokens import Tokenizer, token_places

# Nats; a policy that gives e⁶ to 1 is certain, and how much more certain it becomes says nothing.
_CERTAIN = 6.0


def numbered(text: str, steps: Sequence[Step]) -> str:
    """The steps one after the other, each with its number from 1 in front."""
    return "\n".join(f"[{number}] {text[step.start : step.end].strip()}" for number, step in enumerate(steps, start=1))


def token_ends(ids: Sequence[int], steps: Sequence[Step], tokenizer: Tokenizer) -> list[int]:
    """For each step how many of the rollout's ids end with it; a token that reaches across belongs to the next step."""
    return [count for count, _ in token_places(ids, [step.end for step in steps], tokenizer)]


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


def fork(lead: str, first: str, second: str, tokenizer: Tokenizer) -> tuple[list[int], int, int] | None:
    """Where the tokens of two answers part.

    The answers are encoded with what leads to them, for a tokenizer may join the end of the one and the beginning of
    the other.

    Returns:
        The tokens that lead to both, the next one of the first and the next one of the second; None where one is the
        beginning of the other.
    """
    first_ids, second_ids = (tokenizer.encode(lead + answer, add_special_tokens=False) for answer in (first, second))
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(first_ids, second_ids, strict=False))))
    if shared == min(len(first_ids), len(second_ids)):
        return None
    return first_ids[:shared], first_ids[shared], second_ids[shared]


def evenly(count: int, most: int) -> list[int]:
    """At most so many of the numbers 1 to ``count``, evenly spaced, the last one among them."""
    places = min(count, most)
    return [-(-count * place // places) for place in range(1, places + 1)]


def largest_gain(odds: Sequence[float]) -> int | None:
    """The stretch of a rollout in which the policy comes to believe the answer that the rollout ends in.

    A policy that is made to answer at once, after more and more of its own reasoning, shows where the reasoning
    decides the answer (Lanham et al. 2023, arXiv 2307.13702, who cut it off to ask how faithful it is).

    Args:
        odds: In nats, y⁻'s answer against y⁺'s; before the rollout's first step, then after each stretch.

    Returns:
        The position of the stretch that raises them most, from 0, the first of several; None where none raises them.
    """
    certain = [max(-_CERTAIN, min(_CERTAIN, value)) for value in odds]
    gains = [after - before for before, after in pairwise(certain)]
    most = max(gains)
    return gains.index(most) if most > 0 else None
