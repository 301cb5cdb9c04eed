"""What every arm of a seed starts from: one of its models, and its questions."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from examples.cpu_demo.regime import StartName
from examples.runs.places import CHECKPOINT, ROOT
from recipe_tapo.errors import InputError

COMMITTED = ROOT / "examples" / "study" / "starts"


@dataclass(frozen=True)
class Start:
    """Where models and questions of a regime lie, or are made."""

    regime: str
    made: Path

    def model(self, seed: int, start: StartName = "cold_start") -> Path:
        """The folder of a starting model, made now if there is none (minutes).

        Raises:
            InputError: It cannot be made.
        """
        if self.regime == "demo" and seed == 0 and start == "cold_start":
            return CHECKPOINT
        flags = ["--regime", self.regime, "--seed", str(seed), "--start", start]
        return self._find_or_make(f"{start}_{seed}", "config.json", "cold_start", flags)

    def questions(self, seed: int) -> Path:
        """The folder with train.parquet and val.parquet for a cold start's seed, made now if there is none."""
        flags = ["--regime", self.regime]
        if self.regime == "demo":
            return self._find_or_make("data", "val.parquet", "questions", flags)
        return self._find_or_make(
            f"data_{seed}", "val.parquet", "questions", [*flags, "--model", str(self.model(seed))]
        )

    def _find_or_make(self, name: str, last_file: str, module: str, flags: list[str]) -> Path:
        for folder in (COMMITTED / self.regime / name, self.made / name):
            if (folder / last_file).is_file():
                return folder
        folder = self.made / name
        command = [sys.executable, "-m", f"examples.cpu_demo.{module}", *flags, "--output_dir", str(folder)]
        print(f"making {folder}: python {' '.join(command[1:])}", flush=True)
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        if subprocess.run(command, cwd=ROOT, env=environment).returncode:
            raise InputError(f"{folder}: cannot be made, see above; or put it there yourself")
        return folder
