"""The settings that all runs of a study share; a study folder holds runs of one setting only."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from recipe_tapo.errors import InputError
from recipe_tapo.records.write import atomic_paths

FILE = "settings.json"


@dataclass(frozen=True)
class Settings:
    """What makes runs comparable.

    Attributes:
        regime: The task's setting.
        steps: Training steps, each with one optimizer step.
        test_freq: Steps between the held-out (greedy) points of the learning curves.
        batch: Questions per step.
        rollouts: Responses per question.
        learning_rate: Of the reinforcement learning, and of SFT.
        sft_batch: Constructions per step of the SFT arm.
    """

    regime: str
    steps: int
    test_freq: int
    batch: int = 16
    rollouts: int = 8
    learning_rate: float = 1e-4
    sft_batch: int = 32

    def of_training(self) -> dict[str, float]:
        """Those that a trained model depends on, regime and steps aside."""
        names = ("batch", "rollouts", "learning_rate", "sft_batch")
        return {name: getattr(self, name) for name in names}


def keep_settings(output_dir: Path, settings: Settings) -> None:
    """Notes the settings in a new study folder, or checks that they are those of an old one.

    Raises:
        InputError: The folder holds runs of other settings.
    """
    path = output_dir / FILE
    wanted = dataclasses.asdict(settings)
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path}: is no json ({error}); move the folder away") from error
        for name, value in wanted.items():
            if found.get(name) != value:
                raise InputError(
                    f"{output_dir}: holds runs with {name}={found.get(name)}, not {value}; "
                    f"give --{name} {found.get(name)} or another --output_dir"
                )
        return
    with atomic_paths(path) as [temporary]:
        temporary.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
