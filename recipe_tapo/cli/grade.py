"""``tapo grade``: a file of responses graded with the reward's own grader."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

from recipe_tapo.cli.flag_types import above_zero, output_file, positive, user_path
from recipe_tapo.errors import InputError
from recipe_tapo.grading import DEFAULT_TIME_LIMIT_S
from recipe_tapo.grading.batch import score_all
from recipe_tapo.grading.score import Score
from recipe_tapo.records.write import atomic_paths, write_jsonl

DESCRIPTION = """\
Grades a file of responses with the grader of training. It takes the content of
the last \\boxed{}, with that of other boxes in the same statement, or else the
last 'Final Answer:' line, and compares it with the right answer. What follows
</think> and what stands in a later <answer> tag have precedence.

reads:    a jsonl file whose lines are objects with "response" and
          "ground_truth"
writes:   the accuracy on the terminal; with --output each line again, in the
          same order, with score, acc, pred, timed_out and grader_died added; a
          line that has all five, from an earlier grading, gets new ones, and
          where one has some of them, as verl's dumps have a score, they are
          kept as score_before and the like
example:  tapo grade responses.jsonl --output graded.jsonl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    files = parser.add_argument_group("files")
    files.add_argument("file", metavar="FILE", type=user_path, help="jsonl file with response and ground_truth")
    files.add_argument(
        "--output", metavar="FILE", type=output_file, help="graded jsonl to write, replaced as a whole (default: none)"
    )
    files.add_argument(
        "--response_key", default="response", metavar="NAME", help="field of the response (default: %(default)s)"
    )
    files.add_argument(
        "--gold_key", default="ground_truth", metavar="NAME", help="field of the right answer (default: %(default)s)"
    )
    grading = parser.add_argument_group("grading")
    grading.add_argument(
        "--time_limit",
        type=above_zero,
        default=DEFAULT_TIME_LIMIT_S,
        metavar="SECONDS",
        help="for one comparison, after which the answer counts as wrong (default: %(default)s)",
    )
    grading.add_argument(
        "--threads", type=positive, default=4, metavar="N", help="comparisons under way at once (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> None:
    """Grades the file."""
    if args.file.exists() and not args.file.is_file():  # a pipe can be read once, and the file is read three times
        raise InputError(f"{args.file}: is no file; write what is to be graded into one")
    # The first pass finds a bad line before an hour of grading, and counts for the progress bar.
    total = sum(1 for _ in _read_rows(args))
    if not total:
        raise InputError(f"{args.file}: the file has no rows")
    counts = {"acc": 0.0, "timed_out": 0.0, "grader_died": 0.0}

    def graded() -> Iterator[dict[str, Any]]:
        pairs = ((row[args.response_key], row[args.gold_key]) for row in _read_rows(args))
        scores = tqdm(score_all(pairs, args.threads, args.time_limit), total=total, desc="grading", disable=None)
        for row, score in zip(_read_rows(args), scores, strict=True):
            for name in counts:
                counts[name] += score[name]
            yield {**_kept(row), **score}

    if args.output:
        with atomic_paths(args.output) as (path,):
            write_jsonl(path, graded())
    else:
        for _ in graded():
            pass
    right, timed_out, died = (int(counts[name]) for name in ("acc", "timed_out", "grader_died"))
    print(f"accuracy {right / total:.4f} ({right} of {total} right; {timed_out} timed out, {died} broke the grader)")


def _read_rows(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yields the objects of the file, one at a time: files of responses are large.

    Raises:
        InputError: It cannot be read, or a line is no object with a response and a gold.
    """
    try:
        # As data_prep reads: some editors put a byte-order mark in front.
        with args.file.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _parse(line, f"{args.file}, line {number}", args.response_key, args.gold_key)
    except UnicodeDecodeError as error:
        raise InputError(f"{args.file}: not UTF-8 text ({error})") from error


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    """The row's own fields; where some are called like a grading's, they get another name."""
    own = [name for name in Score.__annotations__ if name in row]
    if len(own) == len(Score.__annotations__):  # an earlier grading
        return row
    return {f"{name}_before" if name in own else name: value for name, value in row.items()}


def _parse(line: str, place: str, response_key: str, gold_key: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: broken json ({error})") from error
    if not isinstance(row, dict):
        raise InputError(f"{place}: an object is needed, not {type(row).__name__}")
    for key, flag in ((response_key, "--response_key"), (gold_key, "--gold_key")):
        if key not in row:
            raise InputError(f"{place}: the field {key!r} is missing; another name is chosen by {flag}")
    if not isinstance(row.get(response_key), str):
        raise InputError(f"{place}: the field {response_key!r} must be a string")
    if not isinstance(row.get(gold_key), str | int | float):
        raise InputError(f"{place}: the field {gold_key!r} must be a string or a number")
    return row
