"""The ways to construct that a preview tries, as a user names them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipe_tapo.algorithm.prompts import CONTINUATION, LOCATE_PROMPTS, TRANSITIONS, template_path
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
    node: dict[str, Any] = {"synthesis": {}}
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
    synthesis = node["synthesis"]
    if not isinstance(synthesis, dict):
        raise InputError(f"--set synthesis={synthesis}: is a node with keys")
    for name, value in {"mode": mode, **dict(zip(("locate", "transition"), rest, strict=False))}.items():
        if synthesis.setdefault(name, value) != value:
            raise InputError(
                f"--set synthesis.{name}={synthesis[name]}: the variant {text} has {value}; name another one"
            )
    # All requests are sent at once, and waiting for a place in the engine is no failure.
    synthesis.setdefault("timeout_s", 1e6)
    try:
        return Variant(text.replace(":", "_"), TapoConfig.from_mapping(node))
    except TapoConfigError as error:
        raise InputError(str(error)) from error


def files_read(tapo: TapoConfig) -> dict[str, str]:
    """What is in the prompts and lists that a variant reads, as a short name for each.

    Paths say nothing of an edit, nor of another version of the files that come with the package.
    """
    synthesis = tapo.synthesis
    kinds = {"leak_patterns_path": "leak_patterns"}
    if synthesis.sibling == "prompt":
        kinds["prompt_path"] = synthesis.prompt_kind
    if synthesis.mode == CONTINUATION:
        kinds["locate_prompt_path"] = LOCATE_PROMPTS[synthesis.locate]
        if synthesis.transition in TRANSITIONS:
            kinds["transitions_path"] = TRANSITIONS[synthesis.transition]
    paths = {key: Path(getattr(synthesis, key) or template_path(kind)) for key, kind in kinds.items()}
    return {key: short_digest(path.read_bytes()) for key, path in paths.items()}
