"""Rows of verl's RL schema, as far as sampling and grading need them."""

from typing import Any

from recipe_tapo.errors import InputError


def prompt_and_gold(row: dict[str, Any], where: str) -> tuple[list[dict[str, str]], str]:
    """Picks the chat prompt and the right answer out of a row.

    Args:
        row: As read from a parquet file.
        where: Name of the row, for the message.

    Raises:
        InputError: One of the two is missing or of another type.
    """
    messages = row.get("prompt")
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        raise InputError(f"{where}: 'prompt' is not a list of messages with role and content")
    reward_model = row.get("reward_model")
    gold = reward_model.get("ground_truth") if isinstance(reward_model, dict) else None
    if not isinstance(gold, str) or not gold:
        raise InputError(f"{where}: 'reward_model.ground_truth' is not a text")
    return [{"role": message["role"], "content": message["content"]} for message in messages], gold


def _is_message(message: Any) -> bool:
    return isinstance(message, dict) and all(isinstance(message.get(name), str) for name in ("role", "content"))
