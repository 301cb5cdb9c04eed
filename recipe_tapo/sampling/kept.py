"""Answers of a server that are not in the journal yet, kept so that no interruption costs one."""

import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recipe_tapo.records.write import atomic_paths, write_jsonl
from recipe_tapo.sampling.requests import Response


class KeptAnswers:
    """Answers by key, in a file that grows as they arrive; for use by many threads.

    Args:
        path: The file, beside the journal; made when missing. Lines that are broken or half there are passed over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._answers = dict(_read(path))

    def keep_only(self, keys: Iterable[str]) -> None:
        """Forgets all others, which the journal holds by now."""
        self._answers = {key: self._answers[key] for key in keys if key in self._answers}
        with atomic_paths(self._path) as (temporary,):
            write_jsonl(temporary, ({"key": key, **asdict(answer)} for key, answer in self._answers.items()))

    def get(self, key: str) -> Response | None:
        """The answer of this key, if it arrived before."""
        return self._answers.get(key)

    def add(self, key: str, answer: Response) -> None:
        """Keeps an answer."""
        line = json.dumps({"key": key, **asdict(answer)}) + "\n"
        with self._lock, open(self._path, "a", encoding="utf-8") as file:
            file.write(line)


def key_of(*parts: Any) -> str:
    """A key that depends on all parts, each of which json can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> Iterable[tuple[str, Response]]:
    if not path.is_file():
        return
    with open(path, "rb") as file:
        for line in file:
            try:
                values = json.loads(line)
                yield values.pop("key"), Response(**values)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
