"""Verdicts on disk: one json line each, found again by what was judged and by whom."""

import json
import os
from pathlib import Path
from types import TracebackType

from recipe_tapo.errors import InputError
from recipe_tapo.records.lock import lock
from recipe_tapo.reflection.verdict import Malformed, Outcome, Verdict


class VerdictCache:
    """An append-only file of verdicts. A run that is killed at any point leaves all that it had received.

    Args:
        path: The file; made when missing.
        judge: What identifies the judge; other judges' verdicts in the same file are left alone.

    Raises:
        InputError: Another process is writing the file.
    """

    def __init__(self, path: Path, judge: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._judge = judge
        self._file = open(path, "a+b")  # noqa: SIM115 (closed by __exit__)
        try:
            lock(self._file, path)
        except InputError:
            self._file.close()
            raise
        self._outcomes = self._load()

    def __enter__(self) -> "VerdictCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

    def __len__(self) -> int:
        return len(self._outcomes)

    def get(self, digest: str) -> Outcome | None:
        """The judge's outcome for a case, None if there is none yet."""
        return self._outcomes.get(digest)

    def add(self, digest: str, outcome: Outcome) -> None:
        """Stores an outcome; a later one of the same case counts."""
        line = {
            "judge": self._judge,
            "case": digest,
            "verdict": outcome.verdict.model_dump() if outcome.verdict else None,
            "malformed": outcome.malformed.value if outcome.malformed else None,
            "output": outcome.output,
        }
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        self._outcomes[digest] = outcome

    def _load(self) -> dict[str, Outcome]:
        outcomes = {}
        self._file.seek(0)
        for line in self._file:
            if not line.endswith(b"\n"):
                # The half line of a killed run must not swallow the next one.
                self._file.write(b"\n")
                break
            try:
                row = json.loads(line)
                if row["judge"] == self._judge:
                    outcomes[row["case"]] = Outcome(
                        verdict=Verdict.model_validate(row["verdict"]) if row["verdict"] else None,
                        malformed=Malformed(row["malformed"]) if row["malformed"] else None,
                        output=row["output"],
                    )
            except (ValueError, KeyError, TypeError):
                continue
        return outcomes
