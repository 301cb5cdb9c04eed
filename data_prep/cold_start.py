"""``python -m data_prep.cold_start``: the paper's joint SFT and IFT set, written by the model itself (§3.2)."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

import pyarrow as pa

from data_prep import data_flags
from data_prep.ift_rows import IFT_MODES
from data_prep.joint_report import examples_text, make_report, print_report
from data_prep.joint_set import SFT_SCHEMA, JointSetSettings, build_joint_set
from data_prep.queries import digest, read_queries, refuse_earlier_answers
from data_prep.responses import sample_responses
from data_prep.thinking import warn_of_closing_tags, warn_of_open_block
from data_prep.tokenizer import load_tokenizer
from data_prep.trajectory_store import read_constructions, sample_constructions
from recipe_tapo.algorithm.prompts import MICRO_REFLECTIVE, load_template
from recipe_tapo.cli.flag_types import fraction, natural, positive, user_path
from recipe_tapo.cli.run import run_command
from recipe_tapo.cli.sampling_flags import (
    add_retry_failed,
    add_sampling,
    make_sampler,
    model_settings,
    print_failed,
    sampling_of,
)
from recipe_tapo.config import SynthesisConfig
from recipe_tapo.errors import InputError
from recipe_tapo.records.store import read_settings
from recipe_tapo.records.write import atomic_paths, write_parquet
from recipe_tapo.sampling.fill import count_failed

OUTPUT_NAMES = ("cold_start.parquet", "report.json", "examples.md")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = data_flags.new_parser(
        "cold_start",
        "Samples n responses per query, pairs a wrong with a right one, has the same model rebuild the wrong one into "
        "a micro-reflective trajectory, and keeps what is verified right. Writes cold_start.parquet for "
        "examples/run_cold_start_sft.sh, report.json and examples.md, beside responses.jsonl and constructions.jsonl, "
        "which these are made from. An interrupted run goes on where it stopped when the same command is given again.",
    )
    files = parser.add_argument_group("files")
    files.add_argument("--input", type=user_path, required=True, metavar="FILE", help="parquet in verl's RL format")
    files.add_argument(
        "--output_dir", type=user_path, required=True, metavar="DIR", help="folder for the written files"
    )
    files.add_argument(
        "--responses",
        type=user_path,
        metavar="FILE",
        help="responses to the same --input, as an earlier run or zpd_filter left them; left out: sampled here",
    )
    rows = parser.add_argument_group("rows")
    rows.add_argument(
        "--sft_size", type=natural, default=30000, metavar="N", help="question → trajectory (default: %(default)s)"
    )
    rows.add_argument(
        "--ift_size",
        type=natural,
        default=15000,
        metavar="N",
        help="synthesis prompt → its answer (default: %(default)s)",
    )
    rows.add_argument(
        "--ift_mode",
        choices=sorted(IFT_MODES),
        default=MICRO_REFLECTIVE,
        help="the synthesis mode whose prompts the IFT rows teach: micro_reflective's (the paper), continuation's "
        "locating and continuing prompts, two rows for a trajectory, or both (default: %(default)s)",
    )
    rows.add_argument(
        "--fill_up",
        action="store_true",
        help="make up for missing SFT rows with ordinary right responses to other queries, marked in column fill_up",
    )
    rows.add_argument(
        "--max_row_tokens",
        type=positive,
        default=16384,
        metavar="N",
        help="leave out longer rows; data.max_length of the training (default: %(default)s)",
    )
    synthesis = parser.add_argument_group("synthesis")
    synthesis.add_argument(
        "--prompt_path", type=user_path, metavar="FILE", help="a synthesis prompt of your own (default: the project's)"
    )
    synthesis.add_argument(
        "--synthesis_max_tokens", type=positive, metavar="N", help="longest construction (default: --max_tokens)"
    )
    synthesis.add_argument(
        "--min_prefix_fraction",
        type=fraction,
        default=0.0,
        metavar="SHARE",
        help="least share of the wrong response's tokens that a trajectory must repeat from its start "
        "(default: %(default)s)",
    )
    synthesis.add_argument(
        "--min_new_tokens",
        type=natural,
        default=SynthesisConfig().min_new_tokens,
        metavar="N",
        help="least tokens of a trajectory after what it repeats, as tapo.synthesis.min_new_tokens in training "
        "(default: %(default)s)",
    )
    synthesis.add_argument(
        "--tokenizer",
        metavar="PATH",
        help="Hugging Face folder or name of the model's tokenizer, which counts these tokens (default: --model)",
    )
    data_flags.add_sampled_model(parser)
    add_retry_failed(add_sampling(parser))
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = parse_args(argv)
    folder = data_flags.save_dir(args.output_dir, "--output_dir")
    settings = JointSetSettings(
        args.sft_size,
        args.ift_size,
        args.fill_up,
        args.max_row_tokens,
        args.min_prefix_fraction,
        args.min_new_tokens,
        load_template(args.prompt_path),
        args.seed,
        args.ift_mode,
    )
    queries = read_queries(args.input)
    refuse_earlier_answers(queries, args.input)
    tokenizer = load_tokenizer(args.tokenizer or args.model)
    warn_of_open_block(tokenizer, args.chat_template_kwargs)
    model, sampling, sampler = model_settings(args), sampling_of(args), cache(partial(make_sampler, args))
    responses = args.responses or folder / "responses.jsonl"
    if args.responses:
        if read_settings(responses).get("queries") != digest(queries):
            raise InputError(f"{responses}: was sampled for other queries than those of {args.input}")
    else:
        sample_responses(
            responses,
            queries,
            n=args.n,
            seed=args.seed,
            sampling=sampling,
            chunk=args.chunk,
            model=model,
            sampler=sampler,
            retry_failed=args.retry_failed,
        )
    warn_of_closing_tags(responses)
    constructions = folder / "constructions.jsonl"
    sample_constructions(
        constructions,
        queries,
        responses,
        template=settings.template,
        tokenizer=tokenizer,
        seed=args.seed,
        sampling=replace(sampling, max_tokens=args.synthesis_max_tokens or args.max_tokens),
        chunk=args.chunk,
        model=model,
        sampler=sampler,
        retry_failed=args.retry_failed,
    )

    joint = build_joint_set(read_constructions(constructions, queries, tokenizer), settings)
    report = make_report(joint, settings)
    print_report(report)
    failed = sum(map(count_failed, [constructions] if args.responses else [responses, constructions]))
    if not joint.rows:
        raise InputError(
            f"there is not one row, so nothing was written; see {constructions}" + data_flags.retry_hint(failed)
        )
    report["responses"], report["synthesis"] = read_settings(responses), read_settings(constructions)
    outputs = [folder / name for name in OUTPUT_NAMES]
    with atomic_paths(*outputs) as (table_path, report_path, examples_path):
        write_parquet(table_path, pa.Table.from_pylist(joint.rows, schema=SFT_SCHEMA))
        report_path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        examples_path.write_text(examples_text(joint, args.seed), encoding="utf-8")
    print(f"wrote {outputs[0]} ({len(joint.rows)} rows), {outputs[1].name} and {outputs[2].name}")
    print_failed(failed, "give no rows")
    short = args.sft_size + args.ift_size - len(joint.rows)
    if short > 0:
        print(f"{short} rows fewer than asked for; more come of a larger --n or more queries" + _fill_up_hint(args))


def _fill_up_hint(args: argparse.Namespace) -> str:
    return "" if args.fill_up else ", or (SFT rows) of --fill_up"


if __name__ == "__main__":
    run_command(main)
