"""From a synthesis output to a training row: parse, splice, check, mask (paper §3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from recipe_tapo.algorithm.parsing import parse_reconstruction
from recipe_tapo.algorithm.splice import splice
from recipe_tapo.algorithm.tokens import Tokenizer, decode
from recipe_tapo.reasons import RejectReason


@dataclass(frozen=True)
class Trajectory:
    """A constructed trajectory y_ref, ready to be graded and trained on.

    Attributes:
        text: The reconstruction.
        response_ids: Its tokens, ending with EOS.
        response_mask: 1 on tokens that are trained on; 0 on the preserved prefix under ``mask_prefix``.
        prefix_length: Leading tokens that are y⁻'s own sampled ids.
        prefix_fraction: Share of y⁻'s tokens that were preserved.
    """

    text: str
    response_ids: list[int]
    response_mask: list[int]
    prefix_length: int
    prefix_fraction: float


def build_trajectory(
    output: str,
    *,
    truncated: bool,
    error_ids: Sequence[int],
    tokenizer: Tokenizer,
    eos_token_id: int,
    max_response_length: int,
    prefix_check: Literal["measure", "require"] = "measure",
    min_prefix_fraction: float = 0.0,
    mask_prefix: bool = False,
) -> Trajectory | RejectReason:
    """Turns one synthesis output into a row, or names why it cannot. Never raises on any text.

    Args:
        output: Decoded synthesis output.
        truncated: Whether it stopped at the token limit.
        error_ids: Sampled ids of y⁻, with or without EOS.
        tokenizer: The policy's tokenizer.
        eos_token_id: The EOS the policy ends its rollouts with.
        max_response_length: Longest row, EOS included.
        prefix_check: ``require`` rejects what preserves less than ``min_prefix_fraction`` of y⁻'s tokens.
        min_prefix_fraction: See ``prefix_check``.
        mask_prefix: Leave the preserved prefix out of the loss (ours).
    """
    parsed = parse_reconstruction(output, truncated)
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
    if prefix_check == "require" and prefix_fraction < min_prefix_fraction:
        return RejectReason.PREFIX_TOO_SHORT
    masked = row.prefix_length if mask_prefix else 0
    return Trajectory(
        text=text,
        response_ids=response_ids,
        response_mask=[0] * masked + [1] * (len(response_ids) - masked),
        prefix_length=row.prefix_length,
        prefix_fraction=prefix_fraction,
    )
