"""The ``tapo:`` node as a validated dataclass. Defaults are the paper's; ours are marked so."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from recipe_tapo.algorithm.prompts import FULL_RECONSTRUCTION, SELF_TEACHER, PromptTemplateError, load_template


class TapoConfigError(ValueError):
    """A configuration that must not start: the message names the key, the value and the remedy."""


def refuse(key: str, value: Any, problem: str, remedy: str) -> TapoConfigError:
    """Builds the one-line error every bad value gets."""
    return TapoConfigError(f"{key}={value}: {problem}; {remedy}")


def _require(condition: bool, key: str, value: Any, problem: str, remedy: str) -> None:
    if not condition:
        raise refuse(key, value, problem, remedy)


def _check_template(key: str, path: str | None, mode: str) -> None:
    try:
        load_template(path, mode)
    except PromptTemplateError as error:
        raise refuse(key, path, str(error), "mend the file or unset the key") from error


@dataclass(frozen=True)
class SelectionConfig:
    """Difficulty-aware candidate selection (DCS, Eq. 3)."""

    n_pos: int = 2
    n_neg: int = 4
    m_max: int = 4

    def __post_init__(self) -> None:
        for name in ("n_pos", "n_neg", "m_max"):
            value = getattr(self, name)
            _require(value >= 1, f"tapo.selection.{name}", value, "must be at least 1", "set it to 1 or more")


@dataclass(frozen=True)
class SynthesisConfig:
    """The synthesis request (§3.3). Sampling values left at null are the rollout's (ours: the paper is silent)."""

    mode: Literal["micro_reflective", "full_reconstruction"] = "micro_reflective"
    prompt_path: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    timeout_s: float = 600.0
    prefix_check: Literal["measure", "require"] = "measure"
    min_prefix_fraction: float = 0.1

    def __post_init__(self) -> None:
        key = "tapo.synthesis."
        if self.temperature is not None:
            _require(self.temperature >= 0, key + "temperature", self.temperature, "is negative", "use 0 or more")
        if self.top_p is not None:
            _require(0 < self.top_p <= 1, key + "top_p", self.top_p, "is outside (0, 1]", "use a share such as 0.95")
        if self.top_k is not None:
            _require(
                self.top_k == -1 or self.top_k >= 1, key + "top_k", self.top_k, "is no rank", "use -1 (off) or 1 and up"
            )
        if self.max_tokens is not None:
            _require(self.max_tokens >= 1, key + "max_tokens", self.max_tokens, "leaves no output", "use 1 or more")
        _require(self.timeout_s > 0, key + "timeout_s", self.timeout_s, "must be positive", "give seconds, e.g. 600")
        _require(
            0 <= self.min_prefix_fraction <= 1,
            key + "min_prefix_fraction",
            self.min_prefix_fraction,
            "is outside [0, 1]",
            "give the share of the wrong rollout that must be kept",
        )
        _require(
            not (self.prefix_check == "require" and self.mode == FULL_RECONSTRUCTION),
            key + "prefix_check",
            self.prefix_check,
            "full_reconstruction keeps no prefix",
            "use prefix_check=measure or mode=micro_reflective",
        )
        _check_template(key + "prompt_path", self.prompt_path, self.mode)


@dataclass(frozen=True)
class AdvantageConfig:
    """Decoupled advantage estimation (DAE, Eqs. 4-5); ``joint`` is the ablation, ``anchored`` is ours."""

    mode: Literal["decoupled", "joint", "anchored"] = "decoupled"


@dataclass(frozen=True)
class OTSConfig:
    """OOD token suppression (OTS, Eq. 7)."""

    enable: bool = True
    w_min: float = 0.01
    w_max: float = 10.0

    def __post_init__(self) -> None:
        _require(self.w_min >= 0, "tapo.ots.w_min", self.w_min, "is negative", "use 0 or more")
        _require(self.w_max >= self.w_min, "tapo.ots.w_max", self.w_max, "is below tapo.ots.w_min", "raise it")


@dataclass(frozen=True)
class OPSDConfig:
    """On-policy self-distillation, the paper's baseline (§4): takes the place of constructions and rewards."""

    enable: bool = False
    prompt_path: str | None = None

    def __post_init__(self) -> None:
        _check_template("tapo.opsd.prompt_path", self.prompt_path, SELF_TEACHER)


@dataclass(frozen=True)
class TapoConfig:
    """Everything under ``tapo:``. See the README for what each key means."""

    enable: bool = True
    seed: int = 0
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)
    keep_negatives: bool = True
    advantage: AdvantageConfig = field(default_factory=AdvantageConfig)
    ots: OTSConfig = field(default_factory=OTSConfig)
    mask_prefix: bool = False
    lambda_ref: float = 1.0
    loss_normalization: Literal["per_group", "joint"] = "per_group"
    opsd: OPSDConfig = field(default_factory=OPSDConfig)
    dump_dir: str | None = None

    def __post_init__(self) -> None:
        _require(self.lambda_ref >= 0, "tapo.lambda_ref", self.lambda_ref, "is negative", "use 0 or more")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any] | None) -> "TapoConfig":
        """Builds the configuration from a plain mapping (a resolved ``tapo:`` node).

        Args:
            values: Possibly partial; missing keys take their defaults. None gives all defaults.

        Raises:
            TapoConfigError: An unknown key, a value of the wrong type or outside its range.
        """
        return _build(cls, values or {}, "tapo")


def _build(cls: type, values: Mapping[str, Any], path: str) -> Any:
    if not isinstance(values, Mapping):
        raise refuse(path, values, "must be a node with keys", f"write {path}.<key>=<value>")
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]
    kwargs = {}
    for name, value in values.items():
        key = f"{path}.{name}"
        if name not in names:
            close = difflib.get_close_matches(str(name), names, n=1)
            remedy = f"did you mean {path}.{close[0]}?" if close else f"known keys: {', '.join(names)}"
            raise refuse(key, value, "unknown key", remedy)
        hint = hints[name]
        kwargs[name] = _build(hint, value, key) if dataclasses.is_dataclass(hint) else _convert(hint, value, key)
    return cls(**kwargs)


def _convert(hint: Any, value: Any, key: str) -> Any:
    origin = typing.get_origin(hint)
    if origin is Literal:
        choices = typing.get_args(hint)
        _require(value in choices, key, value, "is no choice", f"use one of {', '.join(choices)}")
        return value
    if origin is types.UnionType:
        if value is None:
            return None
        hint = typing.get_args(hint)[0]
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        _require(math.isfinite(value), key, value, "is not finite", "give a finite number")
        return float(value)
    if (hint is int and isinstance(value, bool)) or not isinstance(value, hint):
        raise refuse(key, value, f"must be of type {hint.__name__}", f"it is {type(value).__name__}")
    return value
