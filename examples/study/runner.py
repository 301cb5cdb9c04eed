"""Carries out a plan: trains, measures and records each run, passing over what is finished."""

import dataclasses
import json
import shutil
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from examples.cpu_demo.display import progress_line
from examples.cpu_demo.regime import REGIMES
from examples.runs.metrics import METRICS, read_metrics
from examples.runs.provenance import commit, machine
from examples.study import rl_arm, sft_arm
from examples.study.plan import DUMP, TRAINED, StudyRun, sft_source
from examples.study.prefixes import construction_record
from examples.study.results import training_record, write_record
from examples.study.settings import Settings
from examples.study.start import Start
from recipe_tapo.errors import InputError

Watch = Callable[[int, str], None]


@dataclasses.dataclass(frozen=True)
class Runner:
    """What all runs of a study have in common; several may be carried out at once, in threads.

    Attributes:
        output_dir: The study's folder.
        settings: What all runs share.
        start: Models and questions to start from.
        jobs: How many runs are under way at a time.
    """

    output_dir: Path
    settings: Settings
    start: Start
    jobs: int = 1
    # Measuring seeds torch's one generator.
    _measuring: threading.Lock = dataclasses.field(default_factory=threading.Lock, init=False, repr=False)

    def carry_out(self, run: StudyRun, watch: Watch) -> None:
        """Leaves the run's record.

        A run whose training was cut short starts again from nothing; one whose measurement was, is measured.

        Args:
            run: A run that is not done.
            watch: Told the last training step and a line about it; what it raises ends the run.

        Raises:
            TrainingFailed: The training process ended with an error; its log stays.
        """
        folder = run.folder(self.output_dir).resolve()
        if run.arm.kind != "start" and not (folder / TRAINED).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            circumstances = self._circumstances()
            started = time.monotonic()
            self._train(run, folder, watch)
            circumstances["training_s"] = round(time.monotonic() - started, 1)
            (folder / TRAINED).write_text(json.dumps(circumstances) + "\n", encoding="utf-8")
        with self._measuring:
            watch(self.settings.steps, "measuring on held-out questions")
            self._measure(run, folder)

    def _train(self, run: StudyRun, folder: Path, watch: Watch) -> None:
        model = self.start.model(run.seed, run.arm.start)
        if run.arm.kind == "sft":
            source = sft_source(run)
            if not source.is_done(self.output_dir):
                raise InputError(f"{source.folder(self.output_dir).name}, whose constructions it learns, has failed")
            dump = source.folder(self.output_dir) / DUMP
            sft_arm.train(dump, self.settings, model, folder, lambda: watch(0, "training"))
            return

        def follow() -> None:
            records = read_metrics(folder / METRICS)
            if records:
                watch(*progress_line(records, self.settings.steps))

        rl_arm.train(run, self.settings, model, self.start.questions(run.seed), folder, follow)

    def _measure(self, run: StudyRun, folder: Path) -> None:
        from examples.study.held_out import evaluate

        model = self._model(run, folder)
        questions = self.start.questions(run.seed) / "val.parquet"
        if run.arm.kind == "start":
            circumstances = self._circumstances()
        else:  # measured later than trained, perhaps, and elsewhere
            circumstances = json.loads((folder / TRAINED).read_text(encoding="utf-8"))
        record = {
            "arm": run.arm.name,
            "seed": run.seed,
            "rl_seed": run.rl_seed,
            "regime": self.settings.regime,
            "steps": self.settings.steps if run.rl_seed is not None else 0,
            **dataclasses.asdict(evaluate(model, questions, REGIMES[self.settings.regime].max_response_length)),
            **training_record(folder / METRICS, self.settings.batch * self.settings.rollouts),
            **construction_record(folder),
            "settings": self.settings.of_training(),
            **circumstances,
        }
        write_record(folder, record)

    def _circumstances(self) -> dict[str, Any]:
        return {
            "jobs": self.jobs,
            "commit": commit(),
            "machine": machine(),
            "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        }

    def _model(self, run: StudyRun, folder: Path) -> Path:
        if run.arm.kind == "start":
            return self.start.model(run.seed, run.arm.start)
        trained = {"sft": sft_arm.trained_model, "engine": rl_arm.trained_model}[run.arm.kind]
        return trained(self.settings, folder)
