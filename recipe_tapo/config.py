"""The ``tapo:`` node as frozen pydantic models. Defaults are the paper's; ours are marked so."""

import difflib
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from recipe_tapo.algorithm.guards import LeakPatternError, load_leak_patterns
from recipe_tapo.algorithm.prompts import (
    FULL_RECONSTRUCTION,
    LOCATE_PROMPTS,
    SELF_TEACHER,
    TRANSITIONS,
    PromptTemplateError,
    load_template,
    read_lines,
    synthesis_prompt,
)


class TapoConfigError(ValueError):
    """A configuration that must not start: the message names the key, the value and the remedy."""


def refuse(key: str, value: Any, problem: str, remedy: str) -> TapoConfigError:
    """Builds the one-line error every bad value gets."""
    return TapoConfigError(f"{key}={value}: {problem}; {remedy}")


def _bad(value: Any, problem: str, remedy: str, *name: str) -> PydanticCustomError:
    return PydanticCustomError("tapo", "", {"value": value, "problem": problem, "remedy": remedy, "name": name})


def _rule(holds: Callable[[Any], bool], problem: str, remedy: str) -> AfterValidator:
    def check(value: Any) -> Any:
        if not holds(value):
            raise _bad(value, problem, remedy)
        return value

    return AfterValidator(check)


def _check_template(path: str | None, mode: str, name: str = "prompt_path") -> None:
    _check_file(lambda: load_template(path, mode), path, name)


def _check_file(read: Callable[[], object], path: str | None, name: str) -> None:
    try:
        read()
    except (PromptTemplateError, LeakPatternError) as error:
        raise _bad(path, str(error), "mend the file or unset the key", name) from error


Threshold = Annotated[int, _rule(lambda count: count >= 1, "must be at least 1", "set it to 1 or more")]
NotNegative = Annotated[float, _rule(lambda number: number >= 0, "is negative", "use 0 or more")]
Share = Annotated[float, _rule(lambda p: 0 < p <= 1, "is outside (0, 1]", "use a share such as 0.95")]
TopK = Annotated[int, _rule(lambda k: k == -1 or k >= 1, "is no rank", "use -1 (off) or 1 and up")]
Count = Annotated[int, _rule(lambda count: count >= 0, "is negative", "use 0 (off) or more")]
MaxTokens = Annotated[int, _rule(lambda count: count >= 1, "leaves no output", "use 1 or more")]
Seconds = Annotated[float, _rule(lambda seconds: seconds > 0, "must be positive", "give seconds, e.g. 600")]
_KEPT = "give the share of the wrong rollout that must be kept"
PrefixFraction = Annotated[float, _rule(lambda share: 0 <= share <= 1, "is outside [0, 1]", _KEPT)]


class _Node(BaseModel):
    """Strict: ``true`` and ``"3"`` are no integers; an integer is a fine float."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SelectionConfig(_Node):
    """Difficulty-aware candidate selection (DCS, Eq. 3)."""

    n_pos: Threshold = 2
    n_neg: Threshold = 4
    m_max: Threshold = 4


class SynthesisConfig(_Node):
    """The synthesis request (§3.3). Sampling values left at null are the rollout's (ours: the paper is silent).

    ``continuation``, its ``locate`` and ``transition``, and the guards are ours.
    """

    mode: Literal["micro_reflective", "full_reconstruction", "continuation"] = "micro_reflective"
    prompt_path: str | None = None
    locate: Literal["judge", "teacher"] = "judge"
    locate_prompt_path: str | None = None
    transition: Literal["own", "fixed", "none"] = "own"
    transitions_path: str | None = None
    temperature: NotNegative | None = None
    top_p: Share | None = None
    top_k: TopK | None = None
    max_tokens: MaxTokens | None = None
    timeout_s: Seconds | None = None
    recover: bool = True
    echo_check: bool = True
    leak_check: Literal["reject", "measure"] = "reject"
    leak_patterns_path: str | None = None
    min_new_tokens: Count = 40
    prefix_check: Literal["measure", "require"] = "measure"
    min_prefix_fraction: PrefixFraction = 0.1

    @model_validator(mode="after")
    def _mode_fits(self) -> "SynthesisConfig":
        if self.prefix_check == "require" and self.mode == FULL_RECONSTRUCTION:
            remedy = "use prefix_check=measure or mode=micro_reflective"
            raise _bad(self.prefix_check, "full_reconstruction keeps no prefix", remedy, "prefix_check")
        _check_template(self.prompt_path, synthesis_prompt(self.mode, self.transition))
        _check_template(self.locate_prompt_path, LOCATE_PROMPTS[self.locate], "locate_prompt_path")
        _check_file(lambda: read_lines(self.transitions_path, TRANSITIONS), self.transitions_path, "transitions_path")
        _check_file(lambda: load_leak_patterns(self.leak_patterns_path), self.leak_patterns_path, "leak_patterns_path")
        return self


class AdvantageConfig(_Node):
    """Decoupled advantage estimation (DAE, Eqs. 4-5); ``joint`` is the ablation, ``anchored`` is ours."""

    mode: Literal["decoupled", "joint", "anchored"] = "decoupled"


class OTSConfig(_Node):
    """OOD token suppression (OTS, Eq. 7)."""

    enable: bool = True
    w_min: NotNegative = 0.01
    w_max: float = 10.0

    @model_validator(mode="after")
    def _limits_are_ordered(self) -> "OTSConfig":
        if self.w_max < self.w_min:
            raise _bad(self.w_max, "is below tapo.ots.w_min", "raise it", "w_max")
        return self


class OPSDConfig(_Node):
    """On-policy self-distillation, the paper's baseline (§4): takes the place of constructions and rewards."""

    enable: bool = False
    prompt_path: str | None = None

    @model_validator(mode="after")
    def _template_is_usable(self) -> "OPSDConfig":
        _check_template(self.prompt_path, SELF_TEACHER)
        return self


class TapoConfig(_Node):
    """Everything under ``tapo:``; the documentation's page on configuration says what each key means."""

    enable: bool = True
    seed: int = 0
    selection: SelectionConfig = SelectionConfig()
    synthesis: SynthesisConfig = Field(default_factory=SynthesisConfig)
    keep_negatives: bool = True
    advantage: AdvantageConfig = AdvantageConfig()
    ots: OTSConfig = OTSConfig()
    mask: Literal["none", "prefix", "mistake"] = "none"
    lambda_ref: NotNegative = 1.0
    loss_normalization: Literal["per_group", "joint"] = "per_group"
    opsd: OPSDConfig = Field(default_factory=OPSDConfig)
    max_failed_steps: Threshold | None = 5
    dump_dir: str | None = None

    @classmethod
    def from_mapping(cls, values: object) -> "TapoConfig":
        """Builds the configuration from a plain mapping (a resolved ``tapo:`` node).

        Args:
            values: A mapping, possibly partial; missing keys take their defaults. None gives all defaults.

        Raises:
            TapoConfigError: An unknown key, a value of the wrong type or outside its range; one line on the first.
        """
        try:
            return cls.model_validate({} if values is None else values)
        except ValidationError as error:
            raise _one_line(error.errors(include_url=False)[0]) from error


_TYPES = {"int_type": "int", "float_type": "float", "bool_type": "bool", "string_type": "str"}


def _one_line(error: ErrorDetails) -> TapoConfigError:
    """pydantic's error as ours: the key, the value, what is wrong, what to do."""
    location, value, context = ("tapo", *map(str, error["loc"])), error["input"], error.get("ctx", {})
    problem, remedy = error["msg"], "give another value"
    match error["type"]:
        case "tapo":
            value, problem, remedy = context["value"], context["problem"], context["remedy"]
            location += context["name"]
        case "extra_forbidden" | "invalid_key":
            problem, remedy = "unknown key", _known_keys(location)
        case "literal_error":
            choices = context["expected"].replace(" or ", ", ").replace("'", "")
            problem, remedy = "is no choice", f"use one of {choices}"
        case "model_type":
            problem, remedy = "must be a node with keys", f"write {'.'.join(location)}.<key>=<value>"
        case "finite_number":
            problem, remedy = "is not finite", "give a finite number"
        case kind if kind in _TYPES:
            problem, remedy = f"must be of type {_TYPES[kind]}", f"it is {type(value).__name__}"
    return refuse(".".join(location), value, problem, remedy)


def _known_keys(location: tuple[str, ...]) -> str:
    node: Any = TapoConfig
    for name in location[1:-1]:
        node = node.model_fields[name].annotation
    close = difflib.get_close_matches(location[-1], node.model_fields, n=1)
    return (
        f"did you mean {'.'.join([*location[:-1], *close])}?"
        if close
        else f"known keys: {', '.join(node.model_fields)}"
    )
