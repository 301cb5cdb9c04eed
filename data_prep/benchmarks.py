"""``python -m data_prep.benchmarks``: AIME 2024, AIME 2025 and HMMT February 2025 as parquet files for verl."""

import argparse
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path

from data_prep import data_flags
from data_prep.clean import clean
from data_prep.findings import print_unverified
from data_prep.gold import unverified_golds
from data_prep.hub import read_hub_rows
from data_prep.problems import MathProblem, RawProblem
from data_prep.read import list_files, read_files, to_raw_problems
from data_prep.reject import MEANINGS, DropReason, Rejections
from data_prep.schema import to_rl_table
from data_prep.sources import (
    BENCHMARK_NAMES,
    BENCHMARK_SIZE,
    BENCHMARKS,
    FILE_SUFFIXES,
    Benchmark,
    find_benchmark_file,
)
from recipe_tapo.cli.flag_types import user_path
from recipe_tapo.cli.run import run_command
from recipe_tapo.cli.tables import print_table, shorten
from recipe_tapo.errors import InputError
from recipe_tapo.records.write import atomic_paths, write_parquet


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = data_flags.new_parser(
        "benchmarks",
        f"Writes one parquet file of {BENCHMARK_SIZE} rows per benchmark in verl's RL format. Each has a data_source "
        "of its own (tapo/<name>), which no default scorer of verl claims.",
    )
    inputs = parser.add_argument_group("input")
    inputs.add_argument(
        "--local_dataset_path",
        type=user_path,
        metavar="DIR",
        help=f"folder with {', '.join(names)} as {', '.join(FILE_SUFFIXES)}; then the hub is not used",
    )
    for benchmark in BENCHMARKS:
        inputs.add_argument(
            f"--{benchmark.name}",
            default=benchmark.hub,
            metavar="SOURCE",
            help="hub data set, or local file with the columns problem and answer (default: %(default)s)",
        )
    inputs.add_argument(
        "--only",
        nargs="+",
        action="extend",
        choices=names,
        metavar="NAME",
        help="prepare these alone (default: all)",
    )
    outputs = parser.add_argument_group("output")
    data_flags.add_save_dir(outputs)
    data_flags.add_prompt_suffix(outputs)
    data_flags.add_gold_check(parser.add_argument_group("checks"))
    return parser.parse_args(argv)


def load_benchmark(benchmark: Benchmark, source: str) -> list[MathProblem]:
    """Reads a benchmark and insists on its being complete.

    Args:
        benchmark: Which one.
        source: Hub data set or local file.

    Raises:
        InputError: Not the right number of problems, an answer missing, or answers of another kind.
    """
    records = _read(source)
    rejections = Rejections()
    problems = clean(records, rejections)
    if rejections.rows:
        row = rejections.rows[0]
        raise InputError(f"{source}: row {row['index'] + 1}: {MEANINGS[DropReason(row['reason'])]}")
    distinct = len({problem.text for problem in problems})
    if len(records) != BENCHMARK_SIZE or distinct != BENCHMARK_SIZE:
        raise InputError(
            f"{source}: {benchmark.name} has {BENCHMARK_SIZE} different problems, "
            f"but here are {distinct} in {len(records)} rows"
        )
    if benchmark.integer_answers:
        return [replace(problem, answer=_aime_answer(problem, source)) for problem in problems]
    return problems


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = parse_args(argv)
    folder = data_flags.save_dir(args.local_save_dir)
    chosen = [benchmark for benchmark in BENCHMARKS if benchmark.name in (args.only or BENCHMARK_NAMES)]
    # All are read before any is written, so that bad input leaves everything as it was.
    targets = [folder / f"{benchmark.name}.parquet" for benchmark in chosen]
    # A folder that is input and output at once would otherwise feed a second run with the first one's output.
    own = {path.resolve() for path in targets}
    loaded = {benchmark: load_benchmark(benchmark, _source_of(benchmark, args, own)) for benchmark in chosen}
    if args.check_gold:
        print_unverified(unverified_golds(problem for problems in loaded.values() for problem in problems))
    with atomic_paths(*targets) as temporary:
        for path, (benchmark, problems) in zip(temporary, loaded.items(), strict=True):
            write_parquet(path, to_rl_table(problems, benchmark.data_source, "test", args.prompt_suffix))
    print_table(
        "Benchmarks",
        ("data_source", "rows", "file"),
        [
            (benchmark.data_source, len(loaded[benchmark]), path)
            for benchmark, path in zip(chosen, targets, strict=True)
        ],
    )


def _source_of(benchmark: Benchmark, args: argparse.Namespace, own: Container[Path]) -> str:
    source = getattr(args, benchmark.name)
    if args.local_dataset_path is None or source != benchmark.hub:
        return source
    folder = args.local_dataset_path
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder; for a single file use --{benchmark.name}")
    path = find_benchmark_file(folder, benchmark.name, own)
    if path is None:
        raise InputError(
            f"{folder}: no file {benchmark.name} with suffix {', '.join(FILE_SUFFIXES)} that is not this command's own "
            "output (--local_save_dir); see also --only"
        )
    return str(path)


def _read(source: str) -> list[RawProblem]:
    path = Path(source).expanduser()
    # "owner/name" is a hub data set unless there is such a file or it is written like a path.
    if path.exists() or path.suffix in FILE_SUFFIXES or source.startswith((".", "/", "~")):
        return read_files(list_files(path))
    return to_raw_problems(read_hub_rows(source), source=source, where=source)


def _aime_answer(problem: MathProblem, source: str) -> str:
    """Returns an AIME answer without the leading zeros that only some copies have."""
    digits = problem.answer.lstrip("0") or "0"
    if not (problem.answer.isascii() and problem.answer.isdigit() and len(digits) <= 3):
        answer = shorten(problem.answer)
        raise InputError(f"{source}: row {problem.index + 1}: '{answer}' is no integer from 0 to 999")
    return digits


if __name__ == "__main__":
    run_command(main)
