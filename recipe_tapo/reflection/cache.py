"""Verdicts on disk: one json line each, found again by what was judged and by whom."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from recipe_tapo.records.store import ResultStore
from recipe_tapo.reflection.verdict import Case, Outcome

_OUTCOME = TypeAdapter(Outcome)


class VerdictCache(ResultStore):
    """A store of a judge's outcomes; those of other judges in the same file are left alone.

    Args:
        path: The file; made when missing.
        judge: What identifies the judge.
    """

    def __init__(self, path: Path, judge: str) -> None:
        super().__init__(path, ("judge", "case"))
        self._judge = judge

    def recall(self, case: Case) -> Outcome | None:
        """The judge's outcome for a case, None if there is none yet."""
        try:
            return _OUTCOME.validate_python(self.get((self._judge, case.digest)))
        except ValidationError:
            return None

    def remember(self, case: Case, outcome: Outcome) -> None:
        """Stores an outcome; a later one of the same case counts."""
        self.add([{"judge": self._judge, "case": case.digest, **_OUTCOME.dump_python(outcome, mode="json")}])
