r"""Grades a jsonl file of responses with the reward's own grader.

    python -m examples.grade responses.jsonl --output graded.jsonl

Each line of FILE is an object with "response" and "ground_truth" (and, if you like, "data_source"). With --output
each line is written again with score, acc, pred, timed_out and grader_died added, in the same order.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from recipe_tapo.grading import DEFAULT_TIME_LIMIT_S
from recipe_tapo.grading.pool import GraderUnavailable
from recipe_tapo.reward import compute_score

_CHUNK_ROWS = 1024


class BadInput(Exception):
    """Input that cannot be graded; the message is the one line the user sees."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit code, 2 for input or settings that cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except (BadInput, GraderUnavailable) as error:
        print(f"examples.grade: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.grade", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    files = parser.add_argument_group("files")
    files.add_argument("file", metavar="FILE", type=Path, help="jsonl file with response and ground_truth")
    files.add_argument("--output", type=Path, help="graded jsonl to write, replaced as a whole (default: none)")
    files.add_argument("--response_key", default="response", help="field of the response (default: %(default)s)")
    files.add_argument("--gold_key", default="ground_truth", help="field of the right answer (default: %(default)s)")
    grading = parser.add_argument_group("grading")
    grading.add_argument(
        "--time_limit",
        type=float,
        default=DEFAULT_TIME_LIMIT_S,
        help="seconds for one comparison, after which the answer counts as wrong (default: %(default)s)",
    )
    grading.add_argument("--threads", type=int, default=4, help="comparisons under way at once (default: %(default)s)")
    return parser


def _run(options: argparse.Namespace) -> int:
    if not options.time_limit > 0:
        raise BadInput(f"--time_limit must be positive, not {options.time_limit}")
    if options.threads < 1:
        raise BadInput(f"--threads must be at least 1, not {options.threads}")
    if options.output and not options.output.parent.is_dir():
        raise BadInput(f"the folder of --output does not exist: {options.output.parent}")
    # The first pass finds a bad line before an hour of grading, and counts for the progress bar.
    total = sum(1 for _ in _read_rows(options.file, options.response_key, options.gold_key))
    if not total:
        raise BadInput(f"{options.file} has no rows")

    def score(row: dict[str, Any]) -> dict[str, Any]:
        return compute_score(
            str(row.get("data_source", "")),
            row[options.response_key],
            row[options.gold_key],
            time_limit=options.time_limit,
        )

    counts = {"acc": 0.0, "timed_out": 0.0, "grader_died": 0.0}
    rows = _read_rows(options.file, options.response_key, options.gold_key)

    def graded() -> Iterator[dict[str, Any]]:
        with ThreadPoolExecutor(options.threads) as threads, tqdm(total=total, unit="row", desc="grading") as bar:
            while chunk := list(islice(rows, _CHUNK_ROWS)):
                for row, result in zip(chunk, threads.map(score, chunk), strict=True):
                    for name in counts:
                        counts[name] += result[name]
                    bar.update()
                    yield {**row, **result}

    if options.output:
        _write_atomically(options.output, graded())
    else:
        for _ in graded():
            pass
    right, timed_out, died = (int(counts[name]) for name in ("acc", "timed_out", "grader_died"))
    print(f"accuracy {right / total:.4f} ({right} of {total} right; {timed_out} timed out, {died} beyond memory)")
    return 0


def _read_rows(path: Path, response_key: str, gold_key: str) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                place = f"{path}, line {number}"
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise BadInput(f"{place}: not JSON ({getattr(error, 'msg', error)})") from error
                if not isinstance(row, dict):
                    raise BadInput(f"{place}: an object is needed, not {type(row).__name__}")
                if not isinstance(row.get(response_key), str):
                    raise BadInput(f"{place}: the field {response_key!r} must be a string")
                if not isinstance(row.get(gold_key), str | int | float):
                    raise BadInput(f"{place}: the field {gold_key!r} must be a string or a number")
                yield row
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BadInput(f"cannot read {path}: {reason}") from error


def _write_atomically(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row) + "\n")
        # mkstemp makes files for the owner only.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
