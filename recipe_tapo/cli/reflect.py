"""``tapo reflect``: DSR and ERR of evaluated models, by a judge of their reflections."""

import argparse
from dataclasses import asdict
from typing import Any

from recipe_tapo.cli.flag_types import above_zero, json_object, natural, positive, temperature, user_path
from recipe_tapo.cli.reflection_tables import print_reflection
from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import load_evaluation, write_object
from recipe_tapo.records.write import atomic_paths, write_jsonl
from recipe_tapo.reflection.agreement import agreement
from recipe_tapo.reflection.cache import VerdictCache
from recipe_tapo.reflection.function import FunctionJudge, judge_by_function
from recipe_tapo.reflection.pairs import Bootstrap, ModelPairs
from recipe_tapo.reflection.prompt import DEFAULT_PROMPT, RESPONSE_FORMATS, load_judge_prompt
from recipe_tapo.reflection.results import REFLECTION, VERDICTS, count_verdicts, verdict_rows
from recipe_tapo.reflection.verdict import Case, Outcome

CACHE = "judge_cache.jsonl"

DESCRIPTION = """\
Asks a judge about the responses of two or more evaluated models: does a
response reflect on itself, does it locate an error, is the diagnosis right,
and did that lead to the right answer? Every two models are compared on the
problems that both solve sometimes but not always.

DSR, the direct solution rate: of the right responses, the share without
reflection. ERR, the effective reflection rate: of the responses that reflect,
the share that locate an error, diagnose it and reach the right answer.

reads:    folders that 'tapo evaluate' wrote; a judge model behind an
          OpenAI-compatible server, or a Python function as judge
writes:   reflection.json and verdicts.jsonl in --output, and tables on the
          terminal; the same --output again goes on with an interrupted run,
          and serves further comparisons by the same judge
example:  tapo reflect evaluations/grpo evaluations/tapo --output reflection
          --judge_url http://localhost:8000/v1 --judge_model Qwen/Qwen3-32B
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("evaluations", nargs="+", type=user_path, metavar="DIR", help="two or more evaluated models")
    parser.add_argument("--output", type=user_path, required=True, metavar="DIR", help="folder for the results")
    _add_judge(parser)
    _add_statistics(parser)


def run(args: argparse.Namespace) -> None:
    """Has the responses judged, and writes and prints the rates."""
    _check(args)
    pairs = ModelPairs([load_evaluation(folder) for folder in args.evaluations])
    cases = pairs.to_judge()
    if not cases:
        raise InputError("nothing to judge: no two models have a problem that both get right sometimes but not always")
    truth = FunctionJudge(args.agreement) if args.agreement else None
    outcomes = _judge(args, cases)
    rows = verdict_rows(pairs.cases, outcomes)
    bootstrap = Bootstrap(args.resamples, args.confidence, args.seed)
    results = {
        "judge": _describe_judge(args),
        "bootstrap": asdict(bootstrap),
        "models": {name: str(folder.resolve()) for name, folder in zip(pairs.names, args.evaluations, strict=True)},
        "pairs": pairs.rates(outcomes, bootstrap),
        "verdicts": count_verdicts(rows),
        "agreement": None
        if truth is None
        else agreement(pairs.judged(judge_by_function(truth, cases)), pairs.judged(outcomes)),
    }
    with atomic_paths(args.output / VERDICTS) as (path,):
        write_jsonl(path, rows)
    write_object(args.output / REFLECTION, results)
    print_reflection(results)
    failed = sum(case not in outcomes for case in dict.fromkeys(cases))
    if failed:
        print(f"{failed} requests to the judge failed and count as undecided; run the same command again to retry them")
    print(f"wrote {args.output / REFLECTION} and {VERDICTS}")


def _check(args: argparse.Namespace) -> None:
    if len(args.evaluations) < 2:
        raise InputError("two or more evaluations are needed: the boundary subset is that of two models")
    if args.judge and (args.judge_url or args.judge_model):
        raise InputError("--judge is a judge of its own; leave out --judge_url and --judge_model")
    if not args.judge and not (args.judge_url and args.judge_model):
        raise InputError("who judges? give --judge_url and --judge_model, or --judge MODULE:FUNCTION")


def _judge(args: argparse.Namespace, cases: list[Case]) -> dict[Case, Outcome]:
    if args.judge:
        return judge_by_function(FunctionJudge(args.judge), cases)
    # Imported here: the library that asks a server belongs to the extra "evaluate".
    from recipe_tapo.reflection.collect import judge_by_endpoint
    from recipe_tapo.reflection.endpoint import EndpointJudge, EndpointSettings

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


def _add_judge(parser: argparse.ArgumentParser) -> None:
    judge = parser.add_argument_group("judge")
    judge.add_argument(
        "--judge_url", metavar="URL", help="OpenAI-compatible server, http://localhost:8000/v1 (key: OPENAI_API_KEY)"
    )
    judge.add_argument("--judge_model", metavar="NAME", help="name of the judge model there")
    judge.add_argument(
        "--judge",
        metavar="MODULE:FUNCTION",
        help="a Python function instead; examples.arithmetic.step_judge:judge knows the demo's arithmetic",
    )
    judge.add_argument(
        "--agreement",
        metavar="MODULE:FUNCTION",
        help="a function that knows the truth: also measure how well the judge agrees with it",
    )
    judge.add_argument(
        "--judge_prompt",
        type=user_path,
        default=DEFAULT_PROMPT,
        metavar="FILE",
        help="instruction with the placeholders {question}, {gold} and {response} (default: the project's)",
    )
    judge.add_argument(
        "--judge_response_format",
        choices=list(RESPONSE_FORMATS),
        default="json_schema",
        help="what the server is asked to enforce; outputs are checked in any case (default: %(default)s)",
    )
    judge.add_argument(
        "--judge_temperature", type=temperature, default=0.0, metavar="T", help="0 is greedy (default: %(default)s)"
    )
    judge.add_argument(
        "--judge_max_tokens",
        type=natural,
        default=4096,
        metavar="N",
        help="longest output, thinking included; 0 leaves it to the server (default: %(default)s)",
    )
    judge.add_argument(
        "--judge_options",
        type=json_object,
        default={},
        metavar="JSON",
        help='further fields of the request, such as \'{"chat_template_kwargs": {"enable_thinking": false}}\'',
    )
    judge.add_argument("--concurrency", type=positive, default=32, metavar="N", help="requests at a time (default: 32)")
    judge.add_argument(
        "--timeout", type=above_zero, default=600.0, metavar="SECONDS", help="per request (default: %(default)s)"
    )
    judge.add_argument("--retries", type=natural, default=4, metavar="N", help="further tries (default: %(default)s)")
    judge.add_argument(
        "--retry_malformed", action="store_true", help="ask again where an earlier answer was no verdict"
    )


def _add_statistics(parser: argparse.ArgumentParser) -> None:
    statistics = parser.add_argument_group("confidence intervals")
    statistics.add_argument(
        "--resamples",
        type=positive,
        default=10_000,
        metavar="N",
        help="bootstrap resamples of the problems (default: %(default)s)",
    )
    statistics.add_argument(
        "--confidence", type=_level, default=0.95, metavar="SHARE", help="of the intervals (default: %(default)s)"
    )
    statistics.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="of the resamples (default: %(default)s)"
    )


def _level(text: str) -> float:
    value = float(text)
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1")
    return value
