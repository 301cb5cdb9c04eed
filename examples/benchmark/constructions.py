"""Constructs anew, in any variants, from wrong rollouts that were dumped, and prints what came of it.

    python -m examples.benchmark.constructions --attempts dump.jsonl --golds train.parquet --model MODEL \\
        --output outputs/constructions --variants micro_reflective continuation:judge:own continuation:teacher:none

reads:    --attempts, a jsonl file whose lines have "question", "error_rollout" and "correct_rollout", or the folder
          tapo.dump_dir of a training run (default: the wrong rollouts of docs/construction_evidence.md, sampled from
          Qwen2.5-Coder-1.5B-Instruct); --golds, a parquet file in verl's RL format with the questions' prompts and
          right answers, where the lines have no "prompt" and "gold" of their own; --labels, a json file that says
          which step of an attempt is its first wrong one, by its place
writes:   in --output two files per variant, the attempts of each, which 'tapo report --constructions' shows, and
          table.json; and the table of docs/construction_evidence.md on the terminal

Each dumped attempt is one construction: the right sibling is the one that it had. Rollouts are tokenised from their
text, for a dump has no token ids. An interrupted run goes on where it stopped.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from examples.benchmark.attempts import OWN_ATTEMPTS, read_attempts, to_problems
from examples.benchmark.located import against_labels, label_rows, read_labels
from recipe_tapo.algorithm.chats import render_chat
from recipe_tapo.cli.flag_types import natural, positive, user_path
from recipe_tapo.cli.policy_flags import add_policy, make_policy, policy_settings
from recipe_tapo.cli.run import run_command
from recipe_tapo.construction.group import RolloutGroup, pair_of_texts
from recipe_tapo.evaluation.records import Problem
from recipe_tapo.preview.policy import PreviewPolicy
from recipe_tapo.preview.run import Preview, write_attempts
from recipe_tapo.preview.summary import Summary, advice, summarize
from recipe_tapo.preview.table import table_lines
from recipe_tapo.preview.variants import Variant, make_variant
from recipe_tapo.records.write import atomic_paths

# An attempt is a group of its own: one wrong rollout and its right sibling.
_ONE_PAIR = ("selection.n_pos=1", "selection.n_neg=1", "selection.m_max=1")


def to_groups(
    attempts: dict[int, dict[str, Any]],
    problems: Sequence[Problem],
    policy: PreviewPolicy,
    chat_template_kwargs: dict[str, Any],
) -> dict[int, RolloutGroup]:
    """Each attempt as a finished group of two rollouts, as the constructor is given them."""
    groups = {}
    for problem in problems:
        attempt = attempts[problem.problem_idx]
        prompt_ids = render_chat(policy.tokenizer, problem.messages, chat_template_kwargs)
        group = RolloutGroup(
            str(problem.problem_idx), attempt["question"], global_step=0, size=2, messages=problem.messages
        )
        error, correct = attempt["error_rollout"], attempt["correct_rollout"]
        group.rollouts = pair_of_texts(error, correct, prompt_ids, policy.tokenizer)
        groups[problem.problem_idx] = group
    return groups


async def construct(
    policy: PreviewPolicy,
    attempts: dict[int, dict[str, Any]],
    problems: Sequence[Problem],
    variants: Sequence[Variant],
    args: argparse.Namespace,
) -> list[tuple[Summary, list[dict[str, Any]]]]:
    """Constructs in each variant and writes the attempts; returns each variant's summary and results."""
    await policy.start()
    try:
        settings = {**policy_settings(args, policy), "attempts": str(args.attempts)}
        preview = Preview(
            policy,
            args.output,
            settings,
            chat_template_kwargs=args.chat_template_kwargs,
            rollouts=2,
            seed=args.seed,
            concurrency=args.at_a_time,
        )
        groups = to_groups(attempts, problems, policy, args.chat_template_kwargs)
        made = []
        for variant in variants:
            results = await preview.construct(variant, problems, groups)
            write_attempts(args.output / "attempts" / variant.name, results)
            made.append((summarize(variant.name, results), results))
    finally:
        policy.close()
    return made


def markdown(summaries: Sequence[Summary], more: Sequence[list[str]]) -> str:
    """The table, a column per variant and ``more`` lines, as the documentation has it."""
    lines = [["", *(s.name for s in summaries)], ["---"] * (len(summaries) + 1), *table_lines(summaries), *more]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.benchmark.constructions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--attempts",
        type=user_path,
        default=OWN_ATTEMPTS,
        metavar="PATH",
        help=f"dumped attempts, file or folder (default: {OWN_ATTEMPTS.name}, beside this module)",
    )
    parser.add_argument(
        "--golds",
        type=user_path,
        metavar="FILE",
        help="parquet file with prompts and right answers (default: those of the attempts' own lines)",
    )
    parser.add_argument("--output", type=user_path, required=True, metavar="DIR", help="folder of this run")
    parser.add_argument(
        "--variants",
        nargs="+",
        action="extend",
        required=True,
        metavar="MODE[:LOCATE[:TRANSITION]]",
        help="ways to construct, for instance continuation:teacher:own",
    )
    parser.add_argument("--labels", type=user_path, metavar="FILE", help="first wrong steps by place (default: none)")
    parser.add_argument("--every", type=positive, default=1, metavar="N", help="each N-th attempt (default: all)")
    parser.add_argument("--first", type=natural, default=0, metavar="N", help="the first N of these (default: all)")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="settings under tapo: for all variants, as in training",
    )
    parser.add_argument(
        "--at_a_time", type=positive, default=64, metavar="N", help="attempts under way at a time (default: 64)"
    )
    add_policy(parser, n=False)
    return parser


def run(args: argparse.Namespace) -> None:
    """Constructs, prints and writes the table."""
    variants = [make_variant(text, [*_ONE_PAIR, *args.set]) for text in args.variants]
    attempts = read_attempts(args.attempts, args.every, args.first)
    problems = to_problems(attempts, args.golds)
    labels = read_labels(args.labels) if args.labels else {}
    made = asyncio.run(construct(make_policy(args), attempts, problems, variants, args))
    summaries = [summary for summary, _ in made]
    with atomic_paths(args.output / "table.json") as (path,):
        path.write_text(json.dumps([asdict(s) for s in summaries], indent=2) + "\n", encoding="utf-8")
    more = label_rows([against_labels(results, labels) for _, results in made]) if labels else []
    print(markdown(summaries, more))
    for summary in summaries:
        print(advice(summary))


def main(argv: list[str] | None = None) -> None:
    """Runs the command; exit code 2 for bad input."""
    args = build_parser().parse_args(argv)
    run_command(lambda: run(args))


if __name__ == "__main__":
    main()
