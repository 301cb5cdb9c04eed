"""Which configuration is refused, and the words for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recipe_tapo.config import TapoConfig

Condition = Callable[[TapoConfig, DictConfig], bool]


@dataclass(frozen=True)
class Refusal:
    """One row of the table.

    Attributes:
        key: The key that the message names, with its value.
        setting: What is refused, as the documentation writes it.
        applies: Whether a configuration has this setting.
        problem: Why TAPO cannot train with it.
        remedy: What to set instead.
    """

    key: str
    setting: str
    applies: Condition
    problem: str
    remedy: str


def is_value(key: str, *values: Any) -> Condition:
    """The key has one of these values."""
    return lambda _, config: OmegaConf.select(config, key) in values


def is_not_value(key: str, *values: Any) -> Condition:
    """The key has none of these values."""
    return lambda _, config: OmegaConf.select(config, key) not in values


def is_set(key: str) -> Condition:
    """The key has a value that is not empty, 0 or false."""
    return lambda _, config: bool(OmegaConf.select(config, key))


def all_of(*conditions: Condition) -> Condition:
    """All of these hold."""
    return lambda tapo, config: all(condition(tapo, config) for condition in conditions)


def not_so(condition: Condition) -> Condition:
    """This does not hold."""
    return lambda tapo, config: not condition(tapo, config)


def enabled(tapo: TapoConfig, _: DictConfig) -> bool:
    """The run is not plain GRPO."""
    return tapo.enable


def constructs(tapo: TapoConfig, _: DictConfig) -> bool:
    """The run constructs trajectories."""
    return tapo.enable and not tapo.opsd.enable
