"""A user's own configuration files beside ``+recipe=tapo``: Hydra puts the recipe last, so that it would win."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import verl.trainer
from omegaconf import DictConfig, OmegaConf

from recipe_tapo.config import refuse
from recipe_tapo.engine.arms import names_recipe
from recipe_tapo.engine.names import TRAINER_MODES
from recipe_tapo.engine.refusals import OF_THE_RECIPE
from recipe_tapo.engine.search_path import config_source

_VERLS_FILES = (Path(verl.trainer.__path__[0]) / "config").resolve()
# Groups of the project's own; ``check_arm_order`` looks after arms.
_OURS = ("recipe", "arm")
_PACKAGE = re.compile(r"\s*#\s*@package\s+(\S+)")
# Refused with any other value, so that the file cannot mean them.
_MUST_BE_THE_RECIPES = ("trainer.v1.trainer_mode", *OF_THE_RECIPE)


class _OwnFile(NamedTuple):
    """What a file of the user's sets that Hydra reads before the recipe, and how to have it read after."""

    path: Path
    settings: dict[str, Any]
    remedy: str


def check_own_settings(config: DictConfig) -> None:
    """Refuses what the recipe would take back in silence of the user's own files.

    These are the one that ``--config-name`` names and those of groups that it or the command line chooses.

    Args:
        config: The whole configuration, with Hydra's own node.

    Raises:
        TapoConfigError: The recipe stands on the command line, and a file read before it sets a key otherwise. The
            recipe among the own file's defaults, before ``_self_``, lets the file win.
    """
    overrides = list(config.hydra.overrides.task)
    if not any(map(names_recipe, overrides)):
        return
    recipes = dict(_settings(OmegaConf.create(_recipe()), ""))
    said = [_name(override) for override in overrides]
    for file in _own_files(config):
        for key, value in file.settings.items():
            if key in _MUST_BE_THE_RECIPES and value not in TRAINER_MODES:
                continue
            if key in recipes and recipes[key] != value and not any(f"{key}.".startswith(f"{name}.") for name in said):
                raise refuse(
                    key,
                    value,
                    f"{file.path.name} says so, and +recipe=tapo, which Hydra reads after it, makes it {recipes[key]}",
                    file.remedy,
                )


def _own_files(config: DictConfig) -> Iterator[_OwnFile]:
    overrides = list(config.hydra.overrides.task)
    recipe = max(position for position, override in enumerate(overrides) if names_recipe(override))
    primary = str(config.hydra.job.config_name).removesuffix(".yaml")
    among = f"in the defaults of {primary}.yaml instead of +recipe=tapo"
    if path := _find(config, primary):
        yield _OwnFile(path, _said_in(path, primary, ""), f"write '- recipe: tapo' before '- _self_' {among}")
    for key, choices in (config.hydra.runtime.get("choices") or {}).items():
        group, _, package = key.partition("@")
        places = [position for position, override in enumerate(overrides) if _name(override) == key]
        if group in _OURS or (places and places[-1] > recipe):
            continue
        for choice in choices if isinstance(choices, Sequence) and not isinstance(choices, str) else [choices]:
            name = f"{group}/{choice}"
            if path := _find(config, name):
                in_defaults = f"write '- recipe: tapo' before '- {key}: {choice}' {among}"
                remedy = f"write {overrides[places[-1]]} after +recipe=tapo" if places else in_defaults
                yield _OwnFile(path, _said_in(path, name, _node(path, group, package)), remedy)


def _find(config: DictConfig, name: str) -> Path | None:
    """The file that Hydra reads under a name, None where it is one of verl's."""
    for source in config.hydra.runtime.config_sources:
        path = Path(source.path) / f"{name}.yaml"
        if source.schema == "file" and path.is_file():
            return None if path.resolve().is_relative_to(_VERLS_FILES) else path
    return None


def _said_in(path: Path, name: str, node: str) -> dict[str, Any]:
    """The settings of a file, but for those that a copy of verl's file of that name has from it."""
    verls = _VERLS_FILES / f"{name}.yaml"
    copied = dict(_settings(OmegaConf.load(verls), node)) if verls.is_file() else {}
    missing = object()
    return {key: value for key, value in _settings(OmegaConf.load(path), node) if value != copied.get(key, missing)}


def _node(path: Path, group: str, package: str) -> str:
    """The node that Hydra puts a group's file under: as its choice says, else its header, else the group's name."""
    header = _PACKAGE.match(path.read_text(encoding="utf-8"))
    package = package or (header[1] if header else "_group_")
    return {"_global_": "", "_group_": group.replace("/", ".")}.get(package, package)


def _recipe() -> str:
    source = config_source()
    in_checkout = source.removeprefix("file://")
    folder = Path(in_checkout) if in_checkout != source else files(source.removeprefix("pkg://"))
    return (folder / "recipe" / "tapo.yaml").read_text(encoding="utf-8")


def _name(override: str) -> str:
    return override.lstrip("+").partition("=")[0]


def _settings(config: Any, node: str) -> Iterator[tuple[str, Any]]:
    """The keys that a file sets, below the node it is put under, with their values."""
    content: Any = OmegaConf.to_container(config)
    yield from _leaves({key: value for key, value in content.items() if key not in ("defaults", "hydra")}, node)


def _leaves(node: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(node, Mapping):
        yield name, node
        return
    for key, value in node.items():
        yield from _leaves(value, f"{name}.{key}" if name else str(key))
