r"""Parsing of ``<analysis>…</analysis><reconstruction>…</reconstruction>`` (paper, Fig. 2).

Only the reconstruction is kept. Anything doubtful is rejected by name: a row with stray tags would
teach the policy to write them.
"""

import re
from dataclasses import dataclass

from recipe_tapo.reasons import RejectReason


@dataclass(frozen=True)
class Parsed:
    """Outcome of parsing one synthesis output: a reconstruction, or the reason there is none."""

    reconstruction: str | None = None
    reason: RejectReason | None = None


_TAG = re.compile(r"<\s*(/?)\s*(analysis|reconstruction)\s*>", re.IGNORECASE)
_ANALYSIS_END = re.compile(r"<\s*/\s*analysis\s*>", re.IGNORECASE)
_FINAL_ANSWER = re.compile(r"\\boxed\s*\{\s*[^\s}]|final\s+answer[\s*:：]*(?!\\boxed)[^\s*:：]", re.IGNORECASE)


def parse_reconstruction(text: str, truncated: bool = False) -> Parsed:
    r"""Extracts the reconstruction from a synthesis output. Never raises, whatever the text.

    The analysis is discarded first, so that tags it mentions do no harm; a missing analysis is
    forgiven. What is left must hold exactly one ``<reconstruction>…</reconstruction>`` with a final
    answer (``Final Answer:`` or ``\boxed{…}``) inside and no further tag.

    Args:
        text: The decoded output of the synthesis request.
        truncated: Whether generation stopped at the token limit.

    Returns:
        The stripped reconstruction, or a named reason.
    """
    if not text.strip():
        return Parsed(reason=RejectReason.EMPTY_OUTPUT)
    analysis_end = _ANALYSIS_END.search(text)
    body = text[analysis_end.end() :] if analysis_end else text

    tags = [match for match in _TAG.finditer(body) if match.group(2).lower() == "reconstruction"]
    first_open = next((tag for tag in tags if not tag.group(1)), None)
    if first_open is None:
        return Parsed(reason=RejectReason.TRUNCATED if truncated else RejectReason.MISSING_TAG)
    closings = [tag for tag in tags if tag.group(1) and tag.start() >= first_open.end()]
    if not closings:
        return Parsed(reason=RejectReason.TRUNCATED if truncated else RejectReason.UNCLOSED_TAG)

    inner = body[first_open.end() : closings[0].start()]
    if _TAG.search(inner):
        return Parsed(reason=RejectReason.NESTED_TAG)
    if len(tags) > 2:
        return Parsed(reason=RejectReason.REPEATED_TAG)
    reconstruction = inner.strip()
    if not reconstruction:
        return Parsed(reason=RejectReason.EMPTY_RECONSTRUCTION)
    if not _FINAL_ANSWER.search(reconstruction):
        return Parsed(reason=RejectReason.NO_FINAL_ANSWER)
    return Parsed(reconstruction=reconstruction)
