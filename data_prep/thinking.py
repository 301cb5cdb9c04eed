"""Warnings where the cold start is made with a model that thinks in a ``<think>`` block of its own.

Its outputs begin with the thinking, so that no synthesis output is tidy enough for an IFT row; and a trajectory, which
is what it writes behind the thinking, never closes a block that the prompt has opened.
"""

import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from recipe_tapo.algorithm.chats import opens_thinking
from recipe_tapo.algorithm.tokens import ChatTokenizer
from recipe_tapo.records.store import read_results

_LOOKED_AT = 1000
_REMEDY = (
    "SFT rows would leave the block open and no output would give an IFT row; "
    "use --chat_template_kwargs '{\"enable_thinking\": false}', or a chat template that does not make the model think"
)


def warn_of_open_block(tokenizer: ChatTokenizer, chat_template_kwargs: Mapping[str, Any]) -> None:
    """Warns where the prompt of a rollout ends in an open ``<think>``."""
    if opens_thinking(tokenizer, chat_template_kwargs):
        _warn("the prompt ends in an open <think>")


def warn_of_closing_tags(responses: Path) -> None:
    """Warns where most of the first responses of a store contain ``</think>``."""
    texts = [result["text"] for result in islice(read_results(responses), _LOOKED_AT)]
    thinking = sum("</think>" in text for text in texts)
    if 2 * thinking > len(texts):
        _warn(f"{thinking} of the first {len(texts)} responses contain </think>")


def _warn(what: str) -> None:
    print(f"warning: {what}: {_REMEDY}", file=sys.stderr, flush=True)
