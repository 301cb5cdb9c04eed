"""``python -m data_prep.zpd_filter``: keeps the queries that a model gets right sometimes but not always (paper §4)."""

import argparse
from collections.abc import Sequence
from functools import cache, partial

import pyarrow as pa

from data_prep import data_flags
from data_prep.accuracy import draw_histogram, measure_accuracies, print_accuracies, with_accuracy
from data_prep.queries import read_query_table
from data_prep.responses import read_groups, sample_responses
from recipe_tapo.cli.flag_types import fraction, user_path
from recipe_tapo.cli.run import run_command
from recipe_tapo.cli.sampling_flags import (
    add_retry_failed,
    add_sampling,
    make_sampler,
    model_settings,
    print_failed,
    sampling_of,
)
from recipe_tapo.errors import InputError
from recipe_tapo.records.write import atomic_paths, write_parquet
from recipe_tapo.sampling.fill import count_failed


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = data_flags.new_parser(
        "zpd_filter",
        "Samples n responses per query, grades them and keeps the queries whose accuracy lies within bounds: the zone "
        "of proximal development of the model that RL starts from. Writes OUTPUT with the accuracy in extra_info, "
        "OUTPUT's neighbours .responses.jsonl (every response, for reuse) and .accuracy.png. An interrupted run goes "
        "on where it stopped when the same command is given again.",
    )
    files = parser.add_argument_group("files")
    files.add_argument("--input", type=user_path, required=True, metavar="FILE", help="parquet in verl's RL format")
    files.add_argument("--output", type=user_path, required=True, metavar="FILE", help="parquet of the kept queries")
    bounds = parser.add_argument_group("filter")
    bounds.add_argument(
        "--min_accuracy",
        type=fraction,
        default=0.125,
        metavar="SHARE",
        help="least share of right responses, itself kept (default: %(default)s)",
    )
    bounds.add_argument(
        "--max_accuracy",
        type=fraction,
        default=0.875,
        metavar="SHARE",
        help="largest share of right responses, itself kept (default: %(default)s)",
    )
    data_flags.add_sampled_model(parser)
    add_retry_failed(add_sampling(parser))
    args = parser.parse_args(argv)
    if args.min_accuracy > args.max_accuracy:
        parser.error(f"--min_accuracy {args.min_accuracy:g} is above --max_accuracy {args.max_accuracy:g}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = parse_args(argv)
    source, output = args.input, args.output
    if output.suffix != ".parquet" or output.is_dir():
        raise InputError(f"{output}: --output must be a .parquet file")
    if source.resolve() == output.resolve():
        raise InputError(f"{output}: --output is --input; name another file")
    # Read once: the file may have another content when the sampling is done.
    table, queries = read_query_table(source)
    journal, picture = output.with_suffix(".responses.jsonl"), output.with_suffix(".accuracy.png")
    sample_responses(
        journal,
        queries,
        n=args.n,
        seed=args.seed,
        sampling=sampling_of(args),
        chunk=args.chunk,
        model=model_settings(args),
        sampler=cache(partial(make_sampler, args)),
        retry_failed=args.retry_failed,
    )
    accuracies = measure_accuracies(read_groups(journal))
    inside = [accuracy is not None and args.min_accuracy <= accuracy <= args.max_accuracy for accuracy in accuracies]
    print_accuracies(accuracies, args.min_accuracy, args.max_accuracy)
    failed = count_failed(journal)
    if not any(inside):
        raise InputError(
            f"no query has an accuracy from {args.min_accuracy:g} to {args.max_accuracy:g}, so {output} was not "
            f"written; the responses are in {journal}" + data_flags.retry_hint(failed)
        )
    table = with_accuracy(table, accuracies).filter(pa.array(inside))
    with atomic_paths(output, picture) as (table_path, picture_path):
        write_parquet(table_path, table)
        draw_histogram(picture_path, accuracies, args.n, args.min_accuracy, args.max_accuracy)
    print(f"wrote {output} ({table.num_rows} rows), {journal.name} and {picture.name}")
    print_failed(failed, "are left out of the accuracies")


if __name__ == "__main__":
    run_command(main)
