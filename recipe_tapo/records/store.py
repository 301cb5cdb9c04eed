"""Results of a long run by key, in a file of json lines that outlives every interruption.

The one rule for resuming: **what is in the file is not done again, and what is not in it is.** A result is in the file
when its line is whole; of two lines of one key the later one counts, and a line that is broken, or only half there, is
none. What results depend on is either in their keys or in the settings beside the file, and a file that was made with
other settings is refused.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

from recipe_tapo.errors import InputError
from recipe_tapo.records.json_lines import read_whole_lines
from recipe_tapo.records.lock import lock
from recipe_tapo.records.write import atomic_paths, to_json_line

Store = TypeVar("Store", bound="ResultStore")
Row = dict[str, Any]
Key = tuple[str | int, ...]


class ResultStore:
    """A file of results, open for one writer; results stay on disk, only their places are held in memory.

    Args:
        path: The file; made when missing.
        key: The fields of a result that tell it from every other.
        settings: All that the results depend on, kept in a file beside this one; None where it is all in the key.

    Raises:
        InputError: Another process is writing the file, or it was made with other settings.
    """

    def __init__(self, path: Path, key: Sequence[str], settings: Mapping[str, Any] | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._key = tuple(key)
        self._file = open(path, "a+b")  # noqa: SIM115 (closed by __exit__)
        try:
            lock(self._file, path)
            if settings is not None:
                _check_settings(path, settings)
            self._places = self._find_places()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self: Store) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.sync()
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: Key) -> bool:
        return key in self._places

    def get(self, key: Key) -> Row | None:
        """The result of a key; None where there is none yet."""
        return json.loads(self._read(*self._places[key])) if key in self._places else None

    def add(self, results: Iterable[Row]) -> None:
        """Writes results, out of this process's hands at once; ``sync`` brings them safely to the disk."""
        lines = [(self._key_of(result), to_json_line(result)) for result in results]
        end = self._file.seek(0, os.SEEK_END)
        self._file.write(b"".join(line for _, line in lines))
        self._file.flush()
        for key, line in lines:
            self._places[key] = (end, len(line))
            end += len(line)

    def sync(self) -> None:
        """Waits until everything is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def put_in_order(self, keys: Sequence[Key]) -> None:
        """Leaves one line for each of the keys, in their order, and nothing else; atomically, if it is not so already.

        Args:
            keys: Of results that are all there. One that comes twice has its line twice.
        """
        places = [self._places[key] for key in keys]
        starts = list(accumulate((size for _, size in places), initial=0))
        end = self._file.seek(0, os.SEEK_END)
        if [start for start, _ in places] + [end] == starts:
            return
        # Where the path is a link, the file that it leads to.
        with atomic_paths(self.path.resolve()) as (temporary,):
            # Emptied: a killed process of the same number may have left a temporary file of this name.
            ordered = open(temporary, "w+b")  # noqa: SIM115 (takes the place of the file)
            lock(ordered, self.path)
            for place in places:
                ordered.write(self._read(*place))
            ordered.flush()
            os.fsync(ordered.fileno())
        self._file.close()
        self._file = ordered
        self._places = {key: (start, size) for key, start, (_, size) in zip(keys, starts, places, strict=False)}

    def _key_of(self, result: Row) -> Key:
        return tuple(result[name] for name in self._key)

    def _read(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        return self._file.read(size)

    def _find_places(self) -> dict[Key, tuple[int, int]]:
        """Where each result's line starts and how long it is; the half line of a killed run is cut off."""
        places: dict[Key, tuple[int, int]] = {}
        start = 0
        self._file.seek(0)
        for line in self._file:
            if not line.endswith(b"\n"):
                self._file.truncate(start)
                break
            # What is broken, or of another kind, is no result.
            with suppress(ValueError, RecursionError, TypeError, KeyError):
                places[self._key_of(json.loads(line))] = (start, len(line))
            start += len(line)
        return places


def settings_path(path: Path) -> Path:
    """The file beside a store that says what its results were made with."""
    return path.with_name(f"{path.name}.settings.json")


def read_settings(path: Path) -> dict[str, Any]:
    """Returns what the results of a store were made with.

    Raises:
        InputError: There is no store of this name, or nothing is known about it.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    try:
        return dict(json.loads(settings_path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{settings_path(path)}: cannot be read ({error}), so {path.name} is of no use") from error


def read_results(path: Path) -> Iterator[Row]:
    """Yields the results of a store that is complete: as many as the setting ``total`` says.

    Raises:
        InputError: There is no such store, or results are missing.
    """
    total = read_settings(path).get("total")
    lines = 0
    for result in read_whole_lines(path):
        lines += 1
        yield result
    if lines != total:
        raise InputError(f"{path}: has {lines} of {total} results; finish the command that writes it")


def _check_settings(path: Path, settings: Mapping[str, Any]) -> None:
    # Without results, a run that got no further than its model must not bind the next one.
    if path.stat().st_size == 0:
        with atomic_paths(settings_path(path)) as (temporary,):
            temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        return
    known = read_settings(path)
    names = [name for name in {**known, **settings} if known.get(name) != settings.get(name)]
    if names:
        changes = ", ".join(f"{name} {known.get(name)!r} (now {settings.get(name)!r})" for name in names)
        raise InputError(f"{path}: was made with {changes}; go on with the old settings, or choose another file")
