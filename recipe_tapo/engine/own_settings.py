"""A user's own configuration file beside ``+recipe=tapo``: Hydra puts the recipe last, so that it would win."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import verl.trainer
from omegaconf import DictConfig, OmegaConf

from recipe_tapo.config import refuse
from recipe_tapo.engine.arms import names_recipe
from recipe_tapo.engine.names import TRAINER_MODES
from recipe_tapo.engine.refusals import OF_THE_RECIPE
from recipe_tapo.engine.search_path import config_source

_VERLS_FILES = (Path(verl.trainer.__path__[0]) / "config").resolve()
# Refused with any other value, so that the file cannot mean them.
_MUST_BE_THE_RECIPES = ("trainer.v1.trainer_mode", *OF_THE_RECIPE)


def check_own_settings(config: DictConfig) -> None:
    """Refuses what the recipe would take back in silence of a file that ``--config-name`` names.

    Args:
        config: The whole configuration, with Hydra's own node.

    Raises:
        TapoConfigError: The recipe stands on the command line, and the file sets a key otherwise than the recipe. The
            recipe among the file's own defaults, before ``_self_``, lets the file win.
    """
    overrides = list(config.hydra.overrides.task)
    path = _own_file(config)
    if path is None or not any(map(names_recipe, overrides)):
        return
    recipes = dict(_leaves(OmegaConf.to_container(OmegaConf.create(_recipe()))))
    said = [override.lstrip("+").partition("=")[0] for override in overrides]
    for key, value in _leaves(OmegaConf.to_container(OmegaConf.load(path))):
        if key in _MUST_BE_THE_RECIPES and value not in TRAINER_MODES:
            continue
        if key in recipes and recipes[key] != value and not any(f"{key}.".startswith(f"{name}.") for name in said):
            raise refuse(
                key,
                value,
                f"{path.name} says so, and +recipe=tapo, which Hydra reads after it, makes it {recipes[key]}",
                f"write '- recipe: tapo' before '- _self_' in the defaults of {path.name} instead of +recipe=tapo",
            )


def _own_file(config: DictConfig) -> Path | None:
    """The file of the primary configuration, None where it is one of verl's."""
    name = config.hydra.job.config_name
    for source in config.hydra.runtime.config_sources:
        path = Path(source.path) / f"{str(name).removesuffix('.yaml')}.yaml"
        if source.schema == "file" and path.is_file():
            return None if path.resolve().is_relative_to(_VERLS_FILES) else path
    return None


def _recipe() -> str:
    source = config_source()
    in_checkout = source.removeprefix("file://")
    folder = Path(in_checkout) if in_checkout != source else files(source.removeprefix("pkg://"))
    return (folder / "recipe" / "tapo.yaml").read_text(encoding="utf-8")


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(node, Mapping):
        yield name, node
        return
    for key, value in node.items():
        if name or key not in ("defaults", "hydra"):
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
