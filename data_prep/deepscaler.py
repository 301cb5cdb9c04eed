"""``python -m data_prep.deepscaler``: DeepScaleR, or data of its schema, as a training parquet for verl."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from data_prep import data_flags
from data_prep.clean import clean
from data_prep.contamination import Finding, benchmark_files, find_contaminated, load_index, print_findings
from data_prep.duplicates import CONFLICT_CHOICES, merge_duplicates
from data_prep.findings import conflict_record, print_conflicts, print_unverified, unverified_record
from data_prep.gold import unverified_golds, verifies
from data_prep.hub import read_hub_rows
from data_prep.problems import MathProblem, RawProblem
from data_prep.read import list_files, read_files, to_raw_problems
from data_prep.reject import DropReason, Rejections
from data_prep.schema import to_rl_table
from data_prep.sources import BENCHMARK_NAMES, DEEPSCALER_DATA_SOURCE, DEEPSCALER_HUB, find_benchmark_files
from recipe_tapo.cli.flag_types import user_path
from recipe_tapo.cli.run import run_command
from recipe_tapo.errors import InputError
from recipe_tapo.records.write import atomic_paths, write_jsonl, write_parquet

OUTPUT_NAMES = ("train.parquet", "rejected.jsonl", "findings.jsonl")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = data_flags.new_parser(
        "deepscaler",
        "Turns DeepScaleR into a training file for verl: train.parquet (RL format), rejected.jsonl (every dropped row "
        "and why) and findings.jsonl (conflicts, overlaps with benchmarks, gold answers that do not verify). "
        "Prepare the benchmarks first, so that the training problems are compared with them.",
    )
    inputs = parser.add_argument_group("input")
    inputs.add_argument("--dataset", default=DEEPSCALER_HUB, metavar="NAME", help="hub data set (default: %(default)s)")
    inputs.add_argument(
        "--local_dataset_path",
        type=user_path,
        nargs="+",
        action="extend",
        metavar="PATH",
        help="json, jsonl or parquet files, or folders of them, with the columns problem and answer (solution and "
        "others are ignored), instead of the hub; files of a folder named like a benchmark "
        f"({', '.join(sorted(BENCHMARK_NAMES))}) are left out",
    )
    cleaning = parser.add_argument_group("cleaning")
    cleaning.add_argument(
        "--conflicts",
        choices=CONFLICT_CHOICES,
        default="drop",
        help="problems that come with different answers: drop all their rows, keep one row per answer, or report: "
        "keep one row per answer and print the list (default: %(default)s)",
    )
    data_flags.add_gold_check(cleaning)
    overlap = parser.add_argument_group("decontamination")
    overlap.add_argument(
        "--benchmarks",
        type=user_path,
        nargs="+",
        action="extend",
        metavar="PATH",
        help="benchmark files (parquet, json, jsonl), or folders with the benchmarks named above; "
        "left out: those found in --local_save_dir",
    )
    overlap.add_argument(
        "--contaminated",
        choices=("drop", "report"),
        default="drop",
        help="problems that overlap a benchmark: drop them, or keep them; both list them (default: %(default)s)",
    )
    data_flags.add_overlap_threshold(overlap)
    outputs = parser.add_argument_group("output")
    data_flags.add_save_dir(outputs)
    data_flags.add_prompt_suffix(outputs)
    outputs.add_argument(
        "--data_source",
        default=DEEPSCALER_DATA_SOURCE,
        metavar="NAME",
        help="name of the rows in verl's metrics (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = parse_args(argv)
    folder = data_flags.save_dir(args.local_save_dir)
    outputs = [folder / name for name in OUTPUT_NAMES]
    # Read first: a mistyped benchmark path should not cost the time of everything before it.
    files = benchmark_files(args.benchmarks) if args.benchmarks else find_benchmark_files(folder)
    index = load_index(files)
    records = _read(args, outputs)

    rejections = Rejections()
    problems = clean(records, rejections)
    problems, conflicts = merge_duplicates(problems, rejections, verifies, args.conflicts == "drop")
    contaminated: list[Finding] = []
    if files:
        questions = [(problem.index, problem.text) for problem in problems]
        contaminated = find_contaminated(questions, index, args.overlap_threshold)
        if args.contaminated == "drop":
            problems = _drop_contaminated(problems, contaminated, rejections)
    unverified = unverified_golds(problems) if args.check_gold else []

    rejections.print_summary(len(records))
    if conflicts and args.conflicts == "report":
        print_conflicts(conflicts)
    if files:
        print_findings(contaminated, index, args.overlap_threshold)
    else:
        print(f"contamination: not checked, no benchmark in {folder}; run python -m data_prep.benchmarks first")
    if args.check_gold:
        print_unverified(unverified)
    if not problems:
        raise InputError("no row is left, so nothing was written")

    with atomic_paths(*outputs) as (train, rejected, findings):
        write_parquet(train, to_rl_table(problems, args.data_source, "train", args.prompt_suffix))
        write_jsonl(rejected, rejections.rows)
        write_jsonl(
            findings,
            [conflict_record(conflict) for conflict in conflicts]
            + [finding.as_record() for finding in contaminated]
            + [unverified_record(problem) for problem in unverified],
        )
    print(f"wrote {outputs[0]} ({len(problems)} rows), {outputs[1].name} and {outputs[2].name}")


def _read(args: argparse.Namespace, outputs: Sequence[Path]) -> list[RawProblem]:
    if not args.local_dataset_path:
        return to_raw_problems(read_hub_rows(args.dataset), source=args.dataset, where=args.dataset)
    files = [file for path in args.local_dataset_path for file in list_files(path, skip_stems=BENCHMARK_NAMES)]
    # A folder that is input and output at once would otherwise feed a second run with the first one's output.
    own = {path.resolve() for path in outputs}
    files = [file for file in files if file.resolve() not in own]
    if not files:
        raise InputError(f"{args.local_dataset_path[0]}: no data file besides this command's own output")
    print(f"reading {', '.join(file.name for file in files)}", flush=True)
    return read_files(files)


def _drop_contaminated(problems: list[MathProblem], found: list[Finding], rejections: Rejections) -> list[MathProblem]:
    matches = {finding.index: finding.match for finding in found}
    for problem in problems:
        match = matches.get(problem.index)
        if match:
            detail = f"overlap {match.overlap:.2f} with {match.benchmark} row {match.number}"
            rejections.add(DropReason.CONTAMINATED, problem, detail)
    return [problem for problem in problems if problem.index not in matches]


if __name__ == "__main__":
    run_command(main)
