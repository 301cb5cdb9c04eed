"""The constructed trajectory y_ref as a training row: tokens, preserved prefix, mask (paper §3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from recipe_tapo.algorithm.parsing import parse_reconstruction
from recipe_tapo.algorithm.splice import splice
from recipe_tapo.algorithm.steps import repeated_steps
from recipe_tapo.algorithm.tokens import Tokenizer, decode, tokens_until
from recipe_tapo.reasons import Recovery, RejectReason

Mask = Literal["none", "prefix", "mistake"]


@dataclass(frozen=True)
class Trajectory:
    """A constructed trajectory y_ref, ready to be graded and trained on.

    Attributes:
        text: The whole of it.
        response_ids: Its tokens, ending with EOS.
        response_mask: 1 on tokens that are trained on; 0 on what ``tapo.mask`` leaves out.
        prefix_length: Leading tokens that are y⁻'s own sampled ids.
        prefix_fraction: Share of y⁻'s tokens that were preserved.
        recovered: How an output that did not keep the format was read; None for one that did.
    """

    text: str
    response_ids: list[int]
    response_mask: list[int]
    prefix_length: int
    prefix_fraction: float
    recovered: Recovery | None = None

    def new_text(self, tokenizer: Tokenizer) -> str:
        """What stands after the preserved prefix: words that the policy wrote."""
        return decode(tokenizer, self.response_ids[self.prefix_length :])

    @property
    def new_tokens(self) -> int:
        """Tokens after the preserved prefix, EOS aside."""
        return len(self.response_ids) - self.prefix_length - 1


def build_trajectory(
    output: str,
    *,
    truncated: bool,
    error_ids: Sequence[int],
    tokenizer: Tokenizer,
    eos_token_id: int,
    max_response_length: int,
    min_prefix_fraction: float = 0.0,
    mask: Mask = "none",
    recover: bool = True,
    needs_answer: bool = True,
) -> Trajectory | RejectReason:
    """Turns the tagged output of a rewriting mode into a row, or names why it cannot. Never raises on any text.

    Args:
        output: Decoded synthesis output.
        truncated: Whether it stopped at the token limit.
        error_ids: Sampled ids of y⁻, with or without EOS.
        tokenizer: The policy's tokenizer.
        eos_token_id: The EOS the policy ends its rollouts with.
        max_response_length: Longest row, EOS included.
        min_prefix_fraction: What preserves a smaller share of y⁻'s tokens is rejected.
        mask: What to leave out of the loss (ours).
        recover: Whether to read output that misses the format but is unambiguous.
        needs_answer: Whether it must state a final answer.
    """
    parsed = parse_reconstruction(output, truncated, recover=recover, needs_answer=needs_answer)
    if parsed.reconstruction is None:
        assert parsed.reason is not None
        return parsed.reason
    row = splice(parsed.reconstruction, error_ids, tokenizer)
    text = decode(tokenizer, row.ids)
    if text.strip() != parsed.reconstruction:
        return RejectReason.NOT_TOKENIZABLE
    response_ids = [*row.ids, eos_token_id]
    if len(response_ids) > max_response_length:
        return RejectReason.TOO_LONG
    prefix_fraction = row.prefix_length / max(1, len(error_ids))
    if prefix_fraction < min_prefix_fraction:
        return RejectReason.PREFIX_TOO_SHORT
    mistake_start = last_step_start(error_ids, text, tokenizer) if mask == "mistake" else 0
    return Trajectory(
        text=text,
        response_ids=response_ids,
        response_mask=mask_tokens(len(response_ids), row.prefix_length, min(mistake_start, row.prefix_length), mask),
        prefix_length=row.prefix_length,
        prefix_fraction=prefix_fraction,
        recovered=parsed.recovered,
    )


def continue_trajectory(
    kept_ids: Sequence[int],
    new_ids: Sequence[int],
    *,
    mistake_start: int,
    error_length: int,
    tokenizer: Tokenizer,
    eos_token_id: int,
    max_response_length: int,
    mask: Mask = "none",
) -> Trajectory | RejectReason:
    """Joins y⁻'s kept tokens and what follows them (ours), or names why there is no row: it is too long.

    Args:
        kept_ids: y⁻'s own ids up to and including its first wrong step.
        new_ids: The transition and what the policy wrote after it, without EOS.
        mistake_start: Where that step begins, in tokens.
        error_length: y⁻'s tokens.
        tokenizer: The policy's tokenizer.
        eos_token_id: The EOS the policy ends its rollouts with.
        max_response_length: Longest row, EOS included.
        mask: What to leave out of the loss.
    """
    response_ids = [*kept_ids, *new_ids, eos_token_id]
    if len(response_ids) > max_response_length:
        return RejectReason.TOO_LONG
    return Trajectory(
        text=decode(tokenizer, response_ids),
        response_ids=response_ids,
        response_mask=mask_tokens(len(response_ids), len(kept_ids), mistake_start, mask),
        prefix_length=len(kept_ids),
        prefix_fraction=len(kept_ids) / max(1, error_length),
    )


def last_step_start(error_ids: Sequence[int], text: str, tokenizer: Tokenizer) -> int:
    """Where the last of y⁻'s steps that a trajectory repeats whole begins, in tokens; 0 where it repeats none.

    Texts decide, not tokens: the preserved tokens can end before a full stop that the trajectory repeats, where y⁻ has
    one token for it and the line break after it.

    Args:
        error_ids: y⁻.
        text: The trajectory.
        tokenizer: The policy's tokenizer.
    """
    repeated = repeated_steps(decode(tokenizer, error_ids), text)
    return tokens_until(error_ids, repeated[-1].start, tokenizer) if repeated else 0


def mask_tokens(length: int, prefix_length: int, mistake_start: int, mask: Mask) -> list[int]:
    """1 for each token that L_ref trains on.

    Args:
        length: Tokens of the row.
        prefix_length: Its preserved prefix.
        mistake_start: Where the step that holds the mistake begins; it ends with the prefix.
        mask: ``none`` trains on all tokens (the paper), ``prefix`` on none of the prefix, ``mistake`` on all but the
            step that holds the mistake, which is then shown but not rewarded.
    """
    first = {"none": prefix_length, "prefix": 0, "mistake": mistake_start}[mask]
    return [1] * first + [0] * (prefix_length - first) + [1] * (length - prefix_length)
