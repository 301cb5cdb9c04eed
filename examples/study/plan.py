"""Which runs a study consists of, in which order, and where each one's files lie."""

from dataclasses import dataclass
from pathlib import Path

from examples.study.arms import ARMS, ARMS_OF, BASELINE, SFT_SOURCE, Arm
from recipe_tapo.errors import InputError

RECORD = "record.json"
TRAINED = "trained"
DUMP = "dump"


@dataclass(frozen=True)
class Preset:
    """What ``--study quick`` and ``--study full`` stand for; the full study takes over the quick one's runs.

    Attributes:
        arms: None for all that the regime has.
        seeds: Of cold starts.
        rl_seeds: Of training.
    """

    arms: tuple[str, ...] | None
    seeds: tuple[int, ...]
    rl_seeds: tuple[int, ...]

    def arms_of(self, regime: str) -> tuple[str, ...]:
        """The arms' names; a regime that is none of the study's has all."""
        return self.arms or ARMS_OF.get(regime, tuple(ARMS))


PRESETS = {
    "quick": Preset(("cold_start", "grpo", "tapo", "sft"), seeds=(0, 1, 2), rl_seeds=(0,)),
    "full": Preset(None, seeds=(0, 1, 2), rl_seeds=(0, 1)),
}
STEPS = 25


@dataclass(frozen=True)
class StudyRun:
    """One arm with its seeds.

    Attributes:
        arm: The arm.
        seed: The cold start's seed.
        rl_seed: The seed of questions' order, sampling, mini-batches and selection; None for a ``start`` arm.
    """

    arm: Arm
    seed: int
    rl_seed: int | None

    def folder(self, output_dir: Path) -> Path:
        """Where its files lie; ``tapo plot`` takes such folders as seeds of one arm."""
        suffix = f"seed{self.seed}" if self.rl_seed is None else f"seed{self.seed}-{self.rl_seed}"
        return output_dir / "runs" / f"{self.arm.name}-{suffix}"

    def is_done(self, output_dir: Path) -> bool:
        """Whether it was trained and measured."""
        return (self.folder(output_dir) / RECORD).is_file()


def make_plan(arms: list[Arm], seeds: list[int], rl_seeds: list[int], output_dir: Path) -> list[StudyRun]:
    """All runs, seed by seed, so that a study cut short compares all arms on fewer seeds.

    Raises:
        InputError: SFT is asked for, but what it learns from is neither planned nor there.
    """
    plan: list[StudyRun] = []
    for rl_seed in rl_seeds:
        for seed in seeds:
            plan += [StudyRun(arm, seed, None if arm.kind == "start" else rl_seed) for arm in _in_order(arms)]
    plan = list(dict.fromkeys(plan))
    for run in plan:
        if run.arm.kind == "sft":
            source = sft_source(run)
            if source.is_done(output_dir):
                if not run.is_done(output_dir) and not (source.folder(output_dir) / DUMP).is_dir():
                    raise InputError(
                        f"--arms {run.arm.name}: of {source.folder(output_dir).name} only the result is here, not "
                        f"what it constructed; train it in another --output_dir, without --known_results"
                    )
            elif source not in plan:
                raise InputError(
                    f"--arms {run.arm.name}: learns what {SFT_SOURCE} constructs; add {SFT_SOURCE} to --arms"
                )
    return plan


def sft_source(run: StudyRun) -> StudyRun:
    """The TAPO run whose constructions an ``sft`` run learns."""
    return StudyRun(ARMS[SFT_SOURCE], run.seed, run.rl_seed)


def _in_order(arms: list[Arm]) -> list[Arm]:
    """Starting points first, then the baseline and the source of SFT."""
    first = {BASELINE: 1, SFT_SOURCE: 2}
    return sorted(arms, key=lambda arm: 0 if arm.kind == "start" else first.get(arm.name, 3))
