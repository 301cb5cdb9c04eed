"""``tapo preview``: what a model's constructions would be, before anyone trains on them."""

import argparse
import asyncio
import json
from dataclasses import asdict
from pathlib import Path

from recipe_tapo.algorithm.doubt import doubts_somewhere
from recipe_tapo.algorithm.tokens import decode
from recipe_tapo.cli.flag_types import natural, positive, user_path
from recipe_tapo.cli.policy_flags import add_policy, make_policy, policy_settings
from recipe_tapo.cli.tables import print_table
from recipe_tapo.evaluation.benchmarks import load_problems
from recipe_tapo.evaluation.records import Problem
from recipe_tapo.preview.run import Preview, remove_others, write_attempts
from recipe_tapo.preview.summary import Summary, advice, summarize
from recipe_tapo.preview.table import table_lines
from recipe_tapo.preview.variants import Variant, make_variant
from recipe_tapo.records.write import atomic_paths
from recipe_tapo.report.write import write_report

DESCRIPTION = """\
Samples rollouts of a model to training questions, selects wrong and right
ones as training would, constructs trajectories from them in each variant, and
shows side by side what came of it. Run it before a training run: it takes
minutes and tells whether the model can write micro-reflective trajectories
without a cold start. An interrupted run goes on where it stopped.

reads:    a parquet file in verl's RL format, and a model: in this process, or
          of a running vLLM server (--base_url)
writes:   in --output rollouts.jsonl, two files per variant, preview.json, the
          attempts, and preview.html, which shows them; and a table on the
          terminal
example:  tapo preview --model Qwen/Qwen2.5-7B-Instruct --input train.parquet
          --output preview --variants micro_reflective continuation
"""

_VARIANTS = ("micro_reflective", "continuation")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    files = parser.add_argument_group("files")
    files.add_argument(
        "--input", type=user_path, required=True, metavar="FILE", help="training questions, a parquet file"
    )
    files.add_argument("--output", type=user_path, required=True, metavar="DIR", help="folder of this preview")
    work = parser.add_argument_group("what to try")
    work.add_argument(
        "--questions", type=positive, default=64, metavar="N", help="the first N rows of --input (default: %(default)s)"
    )
    work.add_argument(
        "--variants",
        nargs="+",
        action="extend",
        metavar="MODE[:LOCATE[:TRANSITION]]",
        help=f"synthesis modes, for instance continuation:teacher:own (default: {' '.join(_VARIANTS)})",
    )
    work.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="settings under tapo: as in training, for instance selection.n_neg=2; a value is json or a text",
    )
    work.add_argument(
        "--batch",
        type=natural,
        default=32,
        metavar="N",
        help="questions per training step, for the constructed rows to expect",
    )
    add_policy(parser)


def run(args: argparse.Namespace) -> int:
    """Runs the command; exit code 1 where a variant's attempts failed for reasons of the engine or the grader."""
    variants = [make_variant(text, args.set) for text in args.variants or _VARIANTS]
    questions = load_problems("train", args.input, args.questions)
    folder = args.output
    summaries, rollouts = asyncio.run(_preview(args, folder, variants, questions))
    with atomic_paths(folder / "preview.json") as (path,):
        path.write_text(json.dumps([asdict(s) for s in summaries], indent=2) + "\n", encoding="utf-8")
    page = folder / "preview.html"
    attempts = any(summary.attempts for summary in summaries)
    if attempts:
        write_report(page, [], folder / "attempts")
    print_table("Constructions of this model", ("", *(s.name for s in summaries)), table_lines(summaries, args.batch))
    left_out = len(questions) - len(rollouts) // args.n
    if left_out:
        print(f"{left_out} of {len(questions)} questions leave no room for an answer and were left out.")
    doubting = sum(map(doubts_somewhere, rollouts))
    print(f"{doubting} of {len(rollouts)} rollouts doubt themselves in words (wait, let me check, …).")
    for summary in summaries:
        print(advice(summary))
    if attempts:
        print(f"examples: {page}")
    return int(any(summary.failed for summary in summaries))


async def _preview(
    args: argparse.Namespace, folder: Path, variants: list[Variant], questions: list[Problem]
) -> tuple[list[Summary], list[str]]:
    """The variants' summaries, and the texts of all rollouts."""
    policy = make_policy(args)
    await policy.start()
    try:
        settings = {**policy_settings(args, policy), "seed": args.seed, "n": args.n}
        preview = Preview(
            policy,
            folder,
            settings,
            chat_template_kwargs=args.chat_template_kwargs,
            rollouts=args.n,
            seed=args.seed,
            concurrency=max(1, args.chunk // args.n),
        )
        groups = await preview.sample(questions)
        summaries = []
        for variant in variants:
            results = await preview.construct(variant, questions, groups)
            write_attempts(folder / "attempts" / variant.name, results)
            summaries.append(summarize(variant.name, results))
        remove_others(folder / "attempts", {variant.name for variant in variants})
        rollouts = [decode(policy.tokenizer, r.response_ids) for group in groups.values() for r in group.rollouts]
    finally:
        policy.close()
    return summaries, rollouts
