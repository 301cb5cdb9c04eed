"""The arms: what is trained, from which model, and by which yaml of ``configs/arm``."""

from dataclasses import dataclass
from typing import Literal

from examples.cpu_demo.regime import StartName
from recipe_tapo.errors import InputError

BASELINE = "grpo"
OPSD_BASELINE = "grpo_opsd_start"
SFT_SOURCE = "tapo"
WRITTEN_ANEW = "full_reconstruction_anchored_joint_wo_ots"
Kind = Literal["start", "engine", "sft"]


@dataclass(frozen=True)
class Arm:
    """One row of the study's table.

    Attributes:
        name: As on the command line, in folders and in results.
        title: As in tables and figures.
        kind: ``start`` is a model before reinforcement learning, only measured; ``engine`` is trained by verl;
            ``sft`` learns the right constructions of the TAPO run with the same seeds.
        config: ``+arm=`` of an ``engine`` arm.
        start: The model it starts from.
        overrides: Further keys of an ``engine`` arm that has no yaml of its own.
    """

    name: str
    title: str
    kind: Kind = "engine"
    config: str | None = None
    start: StartName = "cold_start"
    overrides: tuple[str, ...] = ()

    @property
    def baseline(self) -> str:
        """The arm that its difference is taken to: GRPO, for OPSD's own start GRPO from there."""
        return OPSD_BASELINE if self.start == "opsd_start" else BASELINE


# What an arm changes about continuation: the words of its title, and the key.
_CHANGES = {
    "anchored": ("anchored", "tapo.advantage.mode=anchored"),
    "one_group": ("one group", "tapo.advantage.mode=joint"),  # without DAE
    "mask_prefix": ("masked prefix", "tapo.mask=prefix"),
    "mask_mistake": ("masked mistake", "tapo.mask=mistake"),
    "joint": ("one denominator", "tapo.loss_normalization=joint"),
    "wo_ots": ("w/o OTS", "tapo.ots.enable=false"),
    "negatives": ("negatives", "tapo.keep_negatives=false"),  # after wo_ots: without both
}


def _engine(name: str, title: str) -> Arm:
    return Arm(name, title, config=name)


def _continuation(*changes: str) -> Arm:
    titles, overrides = zip(*(_CHANGES[change] for change in changes), strict=True)
    name, title = "_".join(["continuation", *changes]), ", ".join(["ours: continuation", *titles])
    return Arm(name, title, config="continuation", overrides=overrides)


ARMS = {
    arm.name: arm
    for arm in (
        Arm("cold_start", "cold start alone", kind="start"),
        _engine("grpo", "GRPO"),
        _engine("tapo", "TAPO"),
        _engine("opsd", "OPSD"),
        Arm("sft", "SFT on TAPO's constructions", kind="sft"),
        Arm("base", "no cold start, alone", kind="start", start="base"),
        Arm("grpo_wo_cold_start", "no cold start, GRPO", config="grpo", start="base"),
        Arm("tapo_wo_cold_start", "no cold start, TAPO", config="tapo", start="base"),
        Arm("opsd_start", "OPSD's cold start, alone", kind="start", start="opsd_start"),
        Arm(OPSD_BASELINE, "OPSD's cold start, GRPO", config="grpo", start="opsd_start"),
        Arm("tapo_opsd_start", "OPSD's cold start, TAPO", config="tapo", start="opsd_start"),
        Arm("opsd_opsd_start", "OPSD's cold start, OPSD", config="opsd", start="opsd_start"),
        _engine("wo_ots", "w/o OTS"),
        _engine("wo_negatives", "w/o negatives"),
        _engine("wo_ots_negatives", "w/o OTS, negatives"),
        _engine("wo_dae_ots_negatives", "w/o DAE, OTS, negatives"),
        _engine("full_reconstruction", "full reconstruction"),
        _engine("thresholds_2_2_2", "thresholds (2, 2, 2)"),
        _engine("thresholds_2_2_4", "thresholds (2, 2, 4)"),
        _engine("thresholds_1_5_3", "thresholds (1, 5, 3)"),
        _engine("anchored", "ours: anchored"),
        _engine("masked_prefix", "ours: masked prefix"),
        _engine("anchored_masked_prefix", "ours: both"),
        _engine("joint_normalization", "ours: one denominator"),
        _engine("continuation", "ours: continuation"),
        _engine("continuation_mask_mistake", "ours: continuation, masked mistake"),
        _continuation("mask_prefix"),
        _continuation("joint"),
        _continuation("mask_mistake", "joint"),
        _continuation("mask_prefix", "joint"),
        _continuation("anchored", "mask_prefix"),
        _continuation("anchored", "mask_prefix", "joint"),
        _continuation("anchored", "mask_prefix", "wo_ots"),
        _continuation("anchored", "mask_prefix", "joint", "wo_ots"),
        Arm(
            "continuation_anchored_mask_prefix_joint_spare_turn",
            "ours: continuation, anchored, masked prefix, one denominator, OTS spares the turn",
            config="turning",  # its one spared token is the whole doubt for the study's tokenizer
        ),
        _continuation("mask_prefix", "joint", "wo_ots"),
        _continuation("one_group", "mask_prefix", "joint", "wo_ots"),
        _continuation("anchored", "mask_prefix", "joint", "wo_ots", "negatives"),
        Arm(
            WRITTEN_ANEW,
            "ours: full reconstruction, anchored, one denominator, w/o OTS",
            config="full_reconstruction",
            overrides=tuple(_CHANGES[change][1] for change in ("anchored", "joint", "wo_ots")),
        ),
    )
}


CONTINUATION_ARMS = tuple(name for name in ARMS if name.startswith("continuation"))
# Models of the chains never saw the prompts of continuation. Those of the inverses saw OPSD's in their one cold start.
_OWN_START = tuple(name for name, arm in ARMS.items() if arm.start != "cold_start")
_THRESHOLDS = tuple(name for name in ARMS if name.startswith("thresholds"))
_OF_INVERSES = tuple(name for name in ARMS if name not in (*_OWN_START, *_THRESHOLDS))
_OF_MISSES = tuple(name for name in _OF_INVERSES if name != "opsd")
ARMS_OF = {
    "study": tuple(name for name in ARMS if name not in (*CONTINUATION_ARMS, WRITTEN_ANEW)),
    "inverses": _OF_INVERSES,
    "inverses_seldom": _OF_INVERSES,
    "inverses_recovering": _OF_INVERSES,
    "misses": _OF_MISSES,
    "misses_never": _OF_MISSES,
}


def find_arms(names: list[str]) -> list[Arm]:
    """The named arms in the table's order.

    Raises:
        InputError: There is no such arm.
    """
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        raise InputError(f"--arms {unknown[0]}: no such arm; known are {', '.join(ARMS)}")
    return [arm for name, arm in ARMS.items() if name in names]
