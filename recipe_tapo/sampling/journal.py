"""Results of a long run as json lines, written so that a run killed at any point goes on where it stopped.

Line k is the result of item k. Items are worked on in chunks of a fixed size, and a resumed run repeats the chunk that
was under way from its start: so the items of a chunk always meet the same neighbours, and a sampling engine whose
rounding depends on its batch still gives the same results as in a run without interruption.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from tqdm import tqdm

from recipe_tapo.errors import InputError
from recipe_tapo.records.lock import lock
from recipe_tapo.records.write import atomic_paths

Item = TypeVar("Item")


def settings_path(path: Path) -> Path:
    """The file beside a journal that says what its results were made with."""
    return path.with_name(f"{path.name}.settings.json")


def fill_journal(
    path: Path,
    settings: dict[str, Any],
    items: Iterable[Item],
    *,
    total: int,
    chunk: int,
    work: Callable[[list[Item]], list[dict]],
    desc: str,
) -> None:
    """Works on all items that the journal has no result of yet.

    Args:
        path: The journal; made when missing.
        settings: All that the results depend on; a journal made with others is refused.
        items: In an order that is the same in every run; those with a result are skipped.
        total: Their number.
        chunk: How many are worked on, and stored, at a time.
        work: Items to as many results, each one a json object.
        desc: What to show beside the progress bar.

    Raises:
        InputError: The journal was made with other settings, or another process is filling it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        lock(file, path)
        _check_settings(path, {**settings, "chunk": chunk, "total": total})
        done, size = _whole_chunks(path, total, chunk)
        file.truncate(size)
        rest = islice(items, done, None)
        started, resumed = time.monotonic(), done
        with tqdm(total=total, initial=done, desc=desc, disable=None) as progress:
            while batch := list(islice(rest, chunk)):
                lines = "".join(json.dumps(result, ensure_ascii=False) + "\n" for result in work(batch))
                file.write(lines.encode("utf-8", "backslashreplace"))
                file.flush()
                os.fsync(file.fileno())
                done += len(batch)
                progress.update(len(batch))
                if progress.disable:
                    # In a log file, a line for each chunk.
                    meter = tqdm.format_meter(
                        done, total, time.monotonic() - started, prefix=desc, initial=resumed, ascii=True, ncols=80
                    )
                    print(meter, file=sys.stderr, flush=True)


def read_journal(path: Path) -> Iterator[dict]:
    """Yields the results of a journal that is complete.

    Raises:
        InputError: There is no such journal, or results are missing.
    """
    total = read_settings(path)["total"]
    lines = 0
    with open(path, "rb") as file:
        for result, _ in _results(file):
            lines += 1
            yield result
    if lines != total:
        raise InputError(f"{path}: has {lines} of {total} results; finish the command that writes it")


def read_settings(path: Path) -> dict[str, Any]:
    """Returns what a journal was made with.

    Raises:
        InputError: There is no journal of this name, or nothing is known about it.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    try:
        return json.loads(settings_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{settings_path(path)}: cannot be read ({error}), so {path.name} is of no use") from error


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
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


def _whole_chunks(path: Path, total: int, chunk: int) -> tuple[int, int]:
    """How many results are kept, and where in the file they end."""
    kept = size = 0
    with open(path, "rb") as file:
        for number, (_, end) in enumerate(_results(file), start=1):
            if number % chunk == 0 or number == total:
                kept, size = number, end
    return kept, size


def _results(file: BinaryIO) -> Iterator[tuple[dict, int]]:
    """Yields results and the positions after them, up to a line that is broken or only half there."""
    end = 0
    for line in file:
        end += len(line)
        try:
            result = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            return
        if not isinstance(result, dict):
            return
        yield result, end
