"""The ways to construct that a preview tries, as a user names them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipe_tapo.config import TapoConfig, TapoConfigError
from recipe_tapo.errors import InputError
from recipe_tapo.records.digest import short_digest


@dataclass(frozen=True)
class Variant:
    """A way to construct, under the name the table shows."""

    name: str
    tapo: TapoConfig


def make_variant(text: str, settings: Sequence[str]) -> Variant:
    """Reads a variant's name and its settings.

    Args:
        text: ``MODE[:LOCATE[:TRANSITION]]``.
        settings: ``KEY=VALUE`` under ``tapo:``; a value is json or a text.

    Raises:
        InputError: One of them is no setting of TAPO's.
    """
    mode, *rest = text.split(":")
    if len(rest) > 2:
        raise InputError(f"--variants {text}: expected MODE[:LOCATE[:TRANSITION]]")
    # All requests are sent at once, and waiting for a place in the engine is no failure.
    patient = {"timeout_s": 1e6}
    synthesis: dict[str, Any] = {"mode": mode, **patient, **dict(zip(("locate", "transition"), rest, strict=False))}
    node: dict[str, Any] = {"synthesis": synthesis}
    for setting in settings:
        key, found, value = setting.partition("=")
        if not found:
            raise InputError(f"--set {setting}: expected KEY=VALUE")
        *parents, name = key.removeprefix("tapo.").split(".")
        inner = node
        for parent in parents:
            inner = inner.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise InputError(f"--set {setting}: {parent} was set to {inner} before and has no keys")
        try:
            inner[name] = json.loads(value)
        except ValueError:
            inner[name] = value
    try:
        return Variant(text.replace(":", "_"), TapoConfig.from_mapping(node))
    except TapoConfigError as error:
        raise InputError(str(error)) from error


def own_files(tapo: TapoConfig) -> dict[str, str]:
    """What is in the user's own prompts and lists, as a short name for each: their paths say nothing of an edit."""
    paths = {key: value for key, value in tapo.synthesis if key.endswith("_path") and value}
    return {key: short_digest(Path(path).read_bytes()) for key, path in paths.items()}
