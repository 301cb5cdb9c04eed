"""The parts of a constructed trajectory: preserved prefix, reflection, correction (paper, §3.3)."""

import re

from recipe_tapo.algorithm.doubt import doubts_somewhere, find_doubt

PREFIX, BRIDGE, REFLECTION, CORRECTION = "prefix", "bridge", "reflection", "correction"

# Not inside a run of marks, so that a long one is looked at once.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]+[\s\"')\]]+|[。！？]+\s*|\n\s*")


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
    doubt = find_doubt(text, start)
    begin = end = start
    if doubt:
        begin = _sentence_start(text, start, doubt.start())
        end = _sentence_end(text, doubt.end())
        while end < len(text) and doubts_somewhere(text[end : _sentence_end(text, end)]):
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
