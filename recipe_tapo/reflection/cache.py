"""Verdicts on disk: one json line each, found again by what was judged and by whom."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from recipe_tapo.records.store import ResultStore
from recipe_tapo.reflection.verdict import Outcome

_OUTCOME = TypeAdapter(Outcome)


class VerdictCache:
    """A judge's outcomes in a store; a run that is killed at any point leaves all that it had received.

    Args:
        path: The store; made when missing.
        judge: What identifies the judge; other judges' verdicts in the same store are left alone.

    Raises:
        InputError: Another process is writing the store.
    """

    def __init__(self, path: Path, judge: str) -> None:
        self.path = path
        self._judge = judge
        self._store = ResultStore(path, ("judge", "case"))

    def __enter__(self) -> "VerdictCache":
        return self

    def __exit__(self, *raised: object) -> None:
        self._store.__exit__(*raised)

    def __len__(self) -> int:
        return len(self._store)

    def get(self, digest: str) -> Outcome | None:
        """The judge's outcome for a case, None if there is none yet."""
        try:
            return _OUTCOME.validate_python(self._store.get((self._judge, digest)))
        except ValidationError:
            return None

    def add(self, digest: str, outcome: Outcome) -> None:
        """Stores an outcome; a later one of the same case counts."""
        self._store.add([{"judge": self._judge, "case": digest, **_OUTCOME.dump_python(outcome, mode="json")}])
