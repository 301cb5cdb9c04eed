"""How a report of any number of responses stays small enough to open.

Numbers of all responses are always in it; of the texts, as many as fit: a text longer than ``MAX_CHARACTERS`` loses its
middle, and then texts are taken in an order that favours nobody (the first response of every problem, the second of
every problem, …) until the room is used up. The page says how many it has.
"""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

DEFAULT_MEGABYTES = 24.0
MAX_CHARACTERS = 30_000

_SHARE_OF_RESPONSES = 2 / 3


def share_out(megabytes: float, responses: bool, constructions: bool) -> tuple[int, int]:
    """Bytes for response texts and for constructions."""
    total = int(megabytes * 1_000_000)
    if not constructions:
        return total, 0
    if not responses:
        return 0, total
    return int(total * _SHARE_OF_RESPONSES), total - int(total * _SHARE_OF_RESPONSES)


def shorten_middle(text: str, limit: int = MAX_CHARACTERS) -> str:
    """A text of at most about ``limit`` characters: its beginning, a note on what is missing, its end."""
    if len(text) <= limit:
        return text
    head = _head(limit)
    return f"{text[:head]}\n[… {len(text) - limit:,} characters left out …]\n{text[head - limit :]}"


def shortened_prefix(text: str, prefix: str, limit: int = MAX_CHARACTERS) -> str:
    """What ``shorten_middle`` leaves at a text's beginning of its prefix; nothing where the text begins otherwise."""
    if not text.startswith(prefix):
        return ""
    return prefix if len(text) <= limit else prefix[: _head(limit)]


def _head(limit: int) -> int:
    """How many of ``limit`` characters a shortened text has before its gap."""
    return limit * 2 // 3


def embedded_size(value: object) -> int:
    """Bytes that a value takes in the page."""
    return len(json.dumps(value))


def choose(groups: Iterable[Hashable], sizes: Sequence[int], room: int) -> set[int]:
    """Positions that fit, taken from all groups in turn.

    Args:
        groups: What each position belongs to.
        sizes: Its bytes.
        room: Most bytes altogether.
    """
    seen: dict[Hashable, int] = defaultdict(int)
    order = []
    for position, group in enumerate(groups):
        order.append((seen[group], position))
        seen[group] += 1
    chosen: set[int] = set()
    for _, position in sorted(order):
        if sizes[position] <= room:
            room -= sizes[position]
            chosen.add(position)
    return chosen
