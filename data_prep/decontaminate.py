"""``python -m data_prep.decontaminate``: training problems that overlap a benchmark, listed and, on demand, removed."""

import argparse
from collections.abc import Sequence

import pyarrow as pa

from data_prep import data_flags
from data_prep.contamination import (
    benchmark_files,
    find_contaminated,
    load_index,
    print_findings,
    read_training_table,
)
from recipe_tapo.cli.flag_types import output_file, user_path
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
    inputs.add_argument("--train", type=user_path, required=True, metavar="FILE", help="training parquet to check")
    inputs.add_argument(
        "--benchmarks",
        type=user_path,
        nargs="+",
        action="extend",
        metavar="PATH",
        help="benchmark files (parquet, json, jsonl), or folders with aime_2024, aime_2025, hmmt_feb_2025; "
        "left out: the folder of --train",
    )
    check = parser.add_argument_group("check")
    data_flags.add_overlap_threshold(check)
    outputs = parser.add_argument_group("output")
    outputs.add_argument(
        "--findings", type=output_file, metavar="FILE", help="also write the findings to this jsonl file"
    )
    outputs.add_argument("--output", type=output_file, metavar="FILE", help="write --train without the findings here")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = parse_args(argv)
    index = load_index(benchmark_files(args.benchmarks or [args.train.parent]))
    table, questions = read_training_table(args.train)
    findings = find_contaminated(list(enumerate(questions)), index, args.overlap_threshold)
    print_findings(findings, index, args.overlap_threshold)

    found = {finding.index for finding in findings}
    if args.output and len(found) == len(questions):
        raise InputError(f"{args.train}: every row is contaminated, so nothing is left for {args.output}")
    if args.findings:
        with atomic_paths(args.findings) as (path,):
            write_jsonl(path, (finding.as_record() for finding in findings))
    if args.output:
        kept = table.filter(pa.array([position not in found for position in range(len(questions))]))
        with atomic_paths(args.output) as (path,):
            write_parquet(path, kept)
        print(f"wrote {args.output}: {kept.num_rows} rows")


if __name__ == "__main__":
    run_command(main)
