"""Flags of ``python -m recipe_tapo.cli.reflect``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from recipe_tapo.cli.flag_types import json_object, natural, positive
from recipe_tapo.reflection.endpoint import RESPONSE_FORMATS
from recipe_tapo.reflection.prompt import DEFAULT_PROMPT


def parse_args(argv: Sequence[str] | None, description: str) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="python -m recipe_tapo.cli.reflect", description=description)
    parser.add_argument(
        "evaluations",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="two or more folders that python -m recipe_tapo.cli.evaluate wrote; every two are compared",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="for reflection.json, verdicts.jsonl and the judge's verdicts so far; the same folder again goes on with "
        "an interrupted run, and serves further comparisons by the same judge",
    )
    _add_judge(parser)
    _add_statistics(parser)
    args = parser.parse_args(argv)
    if len(args.evaluations) < 2:
        parser.error("two or more evaluations are needed: the boundary subset is that of two models")
    if args.judge and (args.judge_url or args.judge_model):
        parser.error("--judge is a judge of its own; leave out --judge_url and --judge_model")
    if not args.judge and not (args.judge_url and args.judge_model):
        parser.error("who judges? give --judge_url and --judge_model, or --judge MODULE:FUNCTION")
    return args


def _add_judge(parser: argparse.ArgumentParser) -> None:
    judge = parser.add_argument_group("judge")
    judge.add_argument(
        "--judge_url", metavar="URL", help="OpenAI-compatible server, http://localhost:8000/v1 (key: OPENAI_API_KEY)"
    )
    judge.add_argument("--judge_model", metavar="NAME", help="its name there")
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
        "--judge_prompt", type=Path, default=DEFAULT_PROMPT, metavar="FILE", help="(default: %(default)s)"
    )
    judge.add_argument(
        "--judge_response_format",
        choices=list(RESPONSE_FORMATS),
        default="json_schema",
        help="what the server is asked to enforce; outputs are checked in any case (default: %(default)s)",
    )
    judge.add_argument("--judge_temperature", type=float, default=0.0, metavar="T", help="(default: %(default)s)")
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
    judge.add_argument("--concurrency", type=positive, default=32, metavar="N", help="requests at a time")
    judge.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="per request")
    judge.add_argument("--retries", type=natural, default=4, metavar="N", help="further tries of a request")
    judge.add_argument(
        "--retry_malformed", action="store_true", help="ask again where an earlier answer was no verdict"
    )


def _add_statistics(parser: argparse.ArgumentParser) -> None:
    statistics = parser.add_argument_group("confidence intervals")
    statistics.add_argument("--resamples", type=positive, default=10_000, metavar="N", help="(default: %(default)s)")
    statistics.add_argument("--confidence", type=_level, default=0.95, metavar="SHARE", help="(default: %(default)s)")
    statistics.add_argument("--seed", type=natural, default=0, help="(default: %(default)s)")


def _level(text: str) -> float:
    value = float(text)
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1")
    return value
