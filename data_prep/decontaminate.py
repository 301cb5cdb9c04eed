"""``python -m data_prep.decontaminate``: training problems that overlap a benchmark, listed and, on demand, removed."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from data_prep import data_flags
from data_prep.contamination import (
    benchmark_files,
    find_contaminated,
    load_index,
    print_findings,
    read_training_table,
)
from recipe_tapo.cli.run import run_command
from recipe_tapo.errors import InputError
from recipe_tapo.records.write import atomic_paths, write_jsonl, write_parquet


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = data_flags.new_parser(
        "decontaminate",
        "Lists the rows of a training parquet (RL or SFT format of verl, or with a problem column) whose question "
        "overlaps a benchmark problem.",
    )
    inputs = parser.add_argument_group("input")
    inputs.add_argument("--train", type=Path, required=True, metavar="FILE", help="training parquet to check")
    inputs.add_argument(
        "--benchmarks",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="benchmark files (parquet, json, jsonl), or folders with aime_2024, aime_2025, hmmt_feb_2025; "
        "left out: the folder of --train",
    )
    check = parser.add_argument_group("check")
    data_flags.add_overlap_threshold(check)
    outputs = parser.add_argument_group("output")
    outputs.add_argument("--findings", type=Path, metavar="FILE", help="also write the findings to this jsonl file")
    outputs.add_argument("--output", type=Path, metavar="FILE", help="write --train without the findings here")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = parse_args(argv)
    train = args.train.expanduser()
    index = load_index(benchmark_files(args.benchmarks or [train.parent]))
    table, questions = read_training_table(train)
    findings = find_contaminated(list(enumerate(questions)), index, args.overlap_threshold)
    print_findings(findings, index, args.overlap_threshold)

    found = {finding.index for finding in findings}
    if args.output and len(found) == len(questions):
        raise InputError(f"{train}: every row is contaminated, so nothing is left for {args.output}")
    if args.findings:
        with atomic_paths(args.findings.expanduser()) as (path,):
            write_jsonl(path, (finding.as_record() for finding in findings))
    if args.output:
        kept = table.filter(pa.array([position not in found for position in range(len(questions))]))
        with atomic_paths(args.output.expanduser()) as (path,):
            write_parquet(path, kept)
        print(f"wrote {args.output}: {kept.num_rows} rows")


if __name__ == "__main__":
    run_command(main)
