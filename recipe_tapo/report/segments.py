"""The parts of a constructed trajectory: preserved prefix, reflection, correction (paper, §3.3)."""

import re

PREFIX, BRIDGE, REFLECTION, CORRECTION = "prefix", "bridge", "reflection", "correction"

# Words with which reasoning turns back to itself. For showing only: nothing is graded or trained by them.
_MARKER = re.compile(
    r"\b(?:wait|hold on|hmm+|on second thought|oops"
    r"|(?:let me|let's|i should|i need to|i'll) (?:double|re-?|check|verify|go back|look)"
    r"|double-?\s?check|re-?(?:check|examine|consider|think|do|compute|calculate)\b"
    r"|(?:made|see|spot|found|is|was) (?:a|an|my|the) (?:mistake|error|slip)"
    r"|(?:is|was|looks|seems)(?: not|n't) (?:right|correct)|(?:is|was|looks|seems) (?:wrong|incorrect|off))"
    r"|等等|等一下|让我(?:再|重新)|检查一下",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?…]+[\s\"')\]]+|[。！？]+\s*|\n\s*")


def split_reconstruction(text: str, prefix: str) -> list[tuple[str, str]]:
    """Splits a trajectory into named parts that make it up.

    Args:
        text: The trajectory.
        prefix: What it preserves of the wrong rollout.

    Returns:
        Kind and text of the parts that are not empty, in this order: ``prefix``; ``bridge``, new text before the
        reflection; ``reflection``, the sentences with which it turns back; ``correction``, the rest. Without such a
        sentence all that follows the prefix is ``correction``.
    """
    start = len(prefix) if text.startswith(prefix) else 0
    marker = _MARKER.search(text, start)
    begin = end = start
    if marker:
        begin = _sentence_start(text, start, marker.start())
        end = _sentence_end(text, marker.end())
        while end < len(text) and _MARKER.search(text, end, _sentence_end(text, end)):
            end = _sentence_end(text, end)
    parts = [
        (PREFIX, text[:start]),
        (BRIDGE, text[start:begin]),
        (REFLECTION, text[begin:end]),
        (CORRECTION, text[end:]),
    ]
    return [(kind, part) for kind, part in parts if part]


def _sentence_start(text: str, start: int, position: int) -> int:
    """Where the sentence at a position begins, at ``start`` at the earliest."""
    return max([start, *(match.end() for match in _SENTENCE_END.finditer(text, start, position))])


def _sentence_end(text: str, position: int) -> int:
    """Where the sentence at a position ends, white space included."""
    match = _SENTENCE_END.search(text, position)
    return match.end() if match else len(text)
