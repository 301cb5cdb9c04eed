"""Atomic output: a file appears under its name when it is complete, or not at all."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recipe_tapo.errors import InputError


@contextmanager
def atomic_paths(*paths: Path) -> Iterator[list[Path]]:
    """Yields a temporary neighbour per path and moves them all into place when the block succeeds.

    Args:
        paths: The final paths; their folders are made when missing.

    Yields:
        The temporary paths to write, in the same order.

    Raises:
        InputError: One of the paths is a folder; none is replaced then.
    """
    _refuse_folders(paths)
    temporary = [path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in paths]
    with ExitStack() as cleanup:
        for path, temp in zip(paths, temporary, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            cleanup.callback(temp.unlink, missing_ok=True)
        yield temporary
        _refuse_folders(paths)
        for path, temp in zip(paths, temporary, strict=True):
            os.replace(temp, path)


def _refuse_folders(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            raise InputError(f"{path}: is a folder; move it away, or name another file")


def write_parquet(path: Path, table: pa.Table) -> None:
    """Writes a table as one parquet file."""
    pq.write_table(table, path)


def write_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Writes one json object per line."""
    with open(path, "wb") as file:
        file.writelines(map(to_json_line, records))


def to_json_line(record: Mapping[str, Any]) -> bytes:
    """A json object as a line of UTF-8; half a surrogate pair, which that cannot hold, becomes its json escape."""
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
