"""The ``tapo:`` node as frozen pydantic models. Defaults are the paper's; ours are marked so."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recipe_tapo.algorithm.guards import load_leak_patterns
from recipe_tapo.algorithm.prompts import (
    CONTINUATION,
    CONTINUATION_OWN,
    FULL_RECONSTRUCTION,
    LOCATE_PROMPTS,
    SELF_TEACHER,
    TRANSITIONS,
    read_transitions,
)
from recipe_tapo.config.errors import TapoConfigError, bad, one_line, refuse
from recipe_tapo.config.rules import (
    Count,
    MaxTokens,
    NotNegative,
    PrefixFraction,
    Seconds,
    Share,
    Threshold,
    TopK,
    check_file,
    check_template,
)

__all__ = [
    "AdvantageConfig",
    "OPSDConfig",
    "OTSConfig",
    "SelectionConfig",
    "SynthesisConfig",
    "TapoConfig",
    "TapoConfigError",
    "refuse",
]


# What null stands for in ``continuation`` (ours): at the rollouts' own temperature a doubt seldom ends right, and what
# finds no end or talks to the prompt is sampled anew. docs/construction_evidence.md has the numbers.
_CONTINUATION_TEMPERATURE = 0.7
_CONTINUATION_TRIES = 3


class _Node(BaseModel):
    """Strict: ``true`` and ``"3"`` are no integers; an integer is a fine float."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SelectionConfig(_Node):
    """Difficulty-aware candidate selection (DCS, Eq. 3)."""

    n_pos: Threshold = 2
    n_neg: Threshold = 4
    m_max: Threshold = 4


class SynthesisConfig(_Node):
    """The synthesis request (§3.3). Sampling values left at null are the rollout's (ours: the paper is silent), but for
    the temperature of ``continuation``.

    ``continuation``, its ``locate``, ``transition``, ``sibling`` and temperature, ``tries`` and the guards are ours.
    """

    mode: Literal["micro_reflective", "full_reconstruction", "continuation"] = "micro_reflective"
    prompt_path: str | None = None
    locate: Literal["answer", "judge", "teacher"] = "answer"
    locate_prompt_path: str | None = None
    transition: Literal["begun", "own", "fixed", "none"] = "begun"
    transitions_path: str | None = None
    sibling: Literal["turn", "prompt"] = "prompt"
    temperature: NotNegative | None = None
    top_p: Share | None = None
    top_k: TopK | None = None
    max_tokens: MaxTokens | None = None
    tries: Threshold = 1
    timeout_s: Seconds | None = None
    recover: bool = True
    echo_check: bool = True
    answer_check: bool = False
    leak_check: Literal["reject", "measure"] = "reject"
    leak_patterns_path: str | None = None
    min_new_tokens: Count = 40
    prefix_check: Literal["measure", "require"] = "measure"
    min_prefix_fraction: PrefixFraction = 0.1

    @property
    def prompt_kind(self) -> str:
        """The kind of prompt that the mode shows, or would: a key of ``PLACEHOLDERS``."""
        return CONTINUATION_OWN if self.mode == CONTINUATION and self.transition == "own" else self.mode

    @property
    def required_prefix_fraction(self) -> float:
        """The share of y⁻'s tokens that a trajectory must preserve; 0 where that is only measured."""
        return self.min_prefix_fraction if self.prefix_check == "require" else 0.0

    @property
    def sampling(self) -> dict[str, float]:
        """The sampling values that are set, by name: they take the place of the rollout's."""
        values = {"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}
        return {name: value for name, value in values.items() if value is not None}

    @model_validator(mode="before")
    @classmethod
    def _resolve_null(cls, values: Any) -> Any:
        """Puts what null stands for in the mode where nothing was said."""
        if not isinstance(values, dict):
            return values
        meant: dict[str, Any] = {"tries": 1, "sibling": "prompt", "answer_check": False}
        if values.get("mode") == CONTINUATION:
            meant["temperature"] = _CONTINUATION_TEMPERATURE
            meant["answer_check"] = True
            if values.get("temperature") != 0 and values.get("top_k") != 1:
                meant["tries"] = _CONTINUATION_TRIES
            if values.get("transition") != "own" and values.get("prompt_path") is None:
                meant["sibling"] = "turn"
        return {**values, **{name: value for name, value in meant.items() if values.get(name) is None}}

    @model_validator(mode="after")
    def _mode_fits(self) -> "SynthesisConfig":
        if self.prefix_check == "require" and self.mode == FULL_RECONSTRUCTION:
            remedy = "use prefix_check=measure or mode=micro_reflective"
            raise bad(self.prefix_check, "full_reconstruction keeps no prefix", remedy, "prefix_check")
        if self.sibling == "turn":
            self._need_no_prompt()
        if self.transitions_path is not None and self.transition not in TRANSITIONS:
            problem = f"is not read with tapo.synthesis.transition={self.transition}"
            raise bad(self.transitions_path, problem, "set it to null, or use begun or fixed", "transitions_path")
        if self.tries > 1 and (self.temperature == 0 or self.top_k == 1):
            greedy = "temperature=0" if self.temperature == 0 else "top_k=1"
            problem = f"asks anew for what is always the same with tapo.synthesis.{greedy}"
            raise bad(self.tries, problem, "set it to 1", "tries")
        if self.max_tokens is not None and self.max_tokens < self.min_new_tokens:
            problem = f"leaves no room for tapo.synthesis.min_new_tokens={self.min_new_tokens}"
            raise bad(self.max_tokens, problem, "raise it or lower min_new_tokens", "max_tokens")
        check_template(self.prompt_path, self.prompt_kind)
        check_template(self.locate_prompt_path, LOCATE_PROMPTS[self.locate], "locate_prompt_path")
        check_file(
            lambda: read_transitions(self.transition, self.transitions_path), self.transitions_path, "transitions_path"
        )
        check_file(lambda: load_leak_patterns(self.leak_patterns_path), self.leak_patterns_path, "leak_patterns_path")
        return self

    def _need_no_prompt(self) -> None:
        remedy = "set it to prompt, or to null for what fits"
        if self.mode != CONTINUATION:
            raise bad(
                self.sibling, f"is a way of continuation, and tapo.synthesis.mode is {self.mode}", remedy, "sibling"
            )
        if self.transition == "own":
            raise bad(self.sibling, "leaves no place to ask for tapo.synthesis.transition=own", remedy, "sibling")
        if self.prompt_path is not None:
            raise bad(self.sibling, "shows no prompt, and tapo.synthesis.prompt_path names one", remedy, "sibling")


class AdvantageConfig(_Node):
    """Decoupled advantage estimation (DAE, Eqs. 4-5); ``joint`` is the ablation, ``anchored`` is ours."""

    mode: Literal["decoupled", "joint", "anchored"] = "decoupled"


class OTSConfig(_Node):
    """OOD token suppression (OTS, Eq. 7). ``spare_turn`` is ours."""

    enable: bool = True
    w_min: NotNegative = 0.01
    w_max: float = 10.0
    spare_turn: Count = 0

    @model_validator(mode="after")
    def _values_fit(self) -> "OTSConfig":
        if self.w_max < self.w_min:
            raise bad(self.w_max, "is below tapo.ots.w_min", "raise it", "w_max")
        if self.spare_turn and not self.enable:
            raise bad(
                self.spare_turn, "spares nothing without OTS", "set it to 0 or tapo.ots.enable=true", "spare_turn"
            )
        return self


class OPSDConfig(_Node):
    """On-policy self-distillation, the paper's baseline (§4): takes the place of constructions and rewards."""

    enable: bool = False
    prompt_path: str | None = None

    @model_validator(mode="after")
    def _template_is_usable(self) -> "OPSDConfig":
        check_template(self.prompt_path, SELF_TEACHER)
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
            raise one_line(error.errors(include_url=False)[0], cls) from error
