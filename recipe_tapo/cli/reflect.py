"""``python -m recipe_tapo.cli.reflect``: DSR and ERR of evaluated models, by a judge of their reflections."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain, combinations
from typing import Any

from recipe_tapo.cli.reflect_flags import parse_args
from recipe_tapo.cli.run import run_command
from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import Evaluation, load_evaluation, write_object
from recipe_tapo.evaluation.names import distinct_names
from recipe_tapo.records.write import atomic_paths, write_jsonl
from recipe_tapo.reflection.agreement import agreement
from recipe_tapo.reflection.boundary import boundary_subset
from recipe_tapo.reflection.cache import VerdictCache
from recipe_tapo.reflection.collect import judge_by_endpoint, judge_by_function
from recipe_tapo.reflection.compare import Bootstrap, cases_of, compare_pair, judged_responses
from recipe_tapo.reflection.endpoint import EndpointJudge, EndpointSettings
from recipe_tapo.reflection.function import FunctionJudge
from recipe_tapo.reflection.prompt import load_judge_prompt
from recipe_tapo.reflection.results import REFLECTION, VERDICTS, count_verdicts, print_results, verdict_rows
from recipe_tapo.reflection.verdict import Case, Outcome

CACHE = "judge_cache.jsonl"


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command."""
    args = parse_args(argv, __doc__.split(": ", 1)[1])
    evaluations = [load_evaluation(folder) for folder in args.evaluations]
    names = distinct_names(evaluations)
    pairs = list(combinations(range(len(evaluations)), 2))
    subsets = {pair: boundary_subset(*(evaluations[i] for i in pair)) for pair in pairs}
    # What any of the comparisons needs of each model.
    needed = {
        i: list(dict.fromkeys(chain.from_iterable(subset for pair, subset in subsets.items() if i in pair)))
        for i in range(len(evaluations))
    }
    cases = {names[i]: cases_of(evaluation, needed[i]) for i, evaluation in enumerate(evaluations)}
    to_judge = [case for judged in cases.values() for _, case in judged]
    if not to_judge:
        raise InputError("nothing to judge: no two models have a problem that both get right sometimes but not always")

    truth = FunctionJudge(args.agreement) if args.agreement else None
    outcomes = _judge(args, to_judge)
    rows = verdict_rows(cases, outcomes)
    bootstrap = Bootstrap(args.resamples, args.confidence, args.seed)
    results = {
        "judge": _describe_judge(args),
        "bootstrap": asdict(bootstrap),
        "models": dict(zip(names, map(str, args.evaluations), strict=True)),
        "pairs": [
            {
                "models": [names[i] for i in pair],
                "benchmarks": compare_pair(*(evaluations[i] for i in pair), outcomes, bootstrap),
            }
            for pair in pairs
        ],
        "verdicts": count_verdicts(rows),
        "agreement": _agreement(truth, evaluations, needed, outcomes) if truth else None,
    }
    with atomic_paths(args.output / VERDICTS) as (path,):
        write_jsonl(path, rows)
    write_object(args.output / REFLECTION, results)
    print_results(results)
    failed = sum(case not in outcomes for case in dict.fromkeys(to_judge))
    if failed:
        print(f"{failed} requests to the judge failed and count as undecided; run the same command again to retry them")
    print(f"wrote {args.output / REFLECTION} and {VERDICTS}")


def _judge(args: argparse.Namespace, cases: list[Case]) -> dict[Case, Outcome]:
    if args.judge:
        return judge_by_function(FunctionJudge(args.judge), cases)
    judge = EndpointJudge(
        EndpointSettings(
            url=args.judge_url,
            model=args.judge_model,
            prompt=load_judge_prompt(args.judge_prompt),
            response_format=args.judge_response_format,
            temperature=args.judge_temperature,
            max_tokens=args.judge_max_tokens,
            options=args.judge_options,
            timeout=args.timeout,
            retries=args.retries,
        )
    )
    with VerdictCache(args.output / CACHE, judge.identity) as cache:
        try:
            return judge_by_endpoint(
                judge, cases, cache, concurrency=args.concurrency, retry_malformed=args.retry_malformed
            )
        except InputError as error:
            raise InputError(f"{error} ({len(cache)} verdicts are safe in {cache.path})") from error


def _describe_judge(args: argparse.Namespace) -> dict[str, Any]:
    if args.judge:
        return {"function": args.judge}
    return {
        "model": args.judge_model,
        "url": args.judge_url,
        "prompt": str(args.judge_prompt),
        "response_format": args.judge_response_format,
        "temperature": args.judge_temperature,
        "max_tokens": args.judge_max_tokens,
        "options": args.judge_options,
    }


def _agreement(
    truth: FunctionJudge,
    evaluations: Sequence[Evaluation],
    needed: Mapping[int, list[tuple[str, int]]],
    outcomes: Mapping[Case, Outcome],
) -> dict[str, Any]:
    cases = [case for i, evaluation in enumerate(evaluations) for _, case in cases_of(evaluation, needed[i])]
    true_outcomes = judge_by_function(truth, cases)
    truths, judged = (
        [r for i, evaluation in enumerate(evaluations) for r in judged_responses(evaluation, needed[i], known)]
        for known in (true_outcomes, outcomes)
    )
    return agreement(truths, judged)


if __name__ == "__main__":
    run_command(main)
