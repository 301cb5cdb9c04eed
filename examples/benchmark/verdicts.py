r"""The grader's verdicts beside those of math-verify alone, on a file of responses.

    python -m examples.benchmark.verdicts responses.jsonl --output differences.jsonl

reads:    a jsonl file whose lines are objects with "response" and "ground_truth"
writes:   how often either says right or wrong, on the terminal; with --output every response on which they differ, with
          both verdicts and the answer that this grader found

math-verify parses response and gold with its own defaults; it may give up on one after its own five seconds.
"""

import argparse
import json
import logging
from collections import Counter
from typing import Any

from recipe_tapo.cli.flag_types import natural, output_file, user_path
from recipe_tapo.grading.batch import score_all
from recipe_tapo.records.write import atomic_paths, write_jsonl


def math_verifys(response: str, gold: str) -> bool:
    """Returns whether math-verify, with its defaults, finds that a response answers the gold."""
    from math_verify import parse, verify

    return bool(verify(parse(f"\\boxed{{{gold}}}"), parse(response)))


def compare(rows: list[dict[str, Any]], limit: int = 0) -> tuple[Counter[tuple[bool, bool]], list[dict[str, Any]]]:
    """Grades rows twice.

    Args:
        rows: Objects with ``response`` and ``ground_truth``.
        limit: The first so many rows only; 0 for all.

    Returns:
        How often (this grader, math-verify) gave each pair of verdicts, and the rows where they differ.
    """
    rows = rows[:limit] if limit else rows
    counts: Counter[tuple[bool, bool]] = Counter()
    different = []
    scores = score_all((row["response"], row["ground_truth"]) for row in rows)
    for row, score in zip(rows, scores, strict=True):
        verdicts = score["score"] == 1.0, math_verifys(row["response"], str(row["ground_truth"]))
        counts[verdicts] += 1
        if verdicts[0] != verdicts[1]:
            different.append({**row, "ours": verdicts[0], "math_verify": verdicts[1], "pred": score["pred"]})
    return counts, different


def main(argv: list[str] | None = None) -> None:
    """Prints the table and the differences."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.benchmark.verdicts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=user_path, help="jsonl file with response and ground_truth")
    parser.add_argument(
        "--output", metavar="FILE", type=output_file, help="jsonl file of the differences (default: none)"
    )
    parser.add_argument("--rows", type=natural, default=0, help="most responses, 0 for all (default: %(default)s)")
    options = parser.parse_args(argv)
    # math-verify logs every text that it cannot read.
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    rows = [json.loads(line) for line in options.file.read_bytes().splitlines() if line.strip()]
    counts, different = compare(rows, options.rows)
    for ours, theirs in ((True, True), (True, False), (False, True), (False, False)):
        words = ["right" if verdict else "wrong" for verdict in (ours, theirs)]
        print(f"this grader {words[0]}, math-verify {words[1]}: {counts[ours, theirs]}")
    for row in different:
        tail = row["response"][-80:].replace("\n", " ")
        print(f"    {'only here' if row['ours'] else 'only math-verify'}: gold {row['ground_truth']!r}, …{tail!r}")
    if options.output:
        with atomic_paths(options.output) as (path,):
            write_jsonl(path, different)


if __name__ == "__main__":
    main()
