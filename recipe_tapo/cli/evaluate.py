"""``tapo evaluate``: Pass@k of a model on benchmarks, as in the paper and unbiased."""

import argparse
from pathlib import Path

from recipe_tapo.cli.evaluation_tables import print_evaluation
from recipe_tapo.cli.flag_types import positive, user_path
from recipe_tapo.cli.report import add_report, check_report, write_report_if_asked
from recipe_tapo.cli.sampling_flags import (
    add_model,
    add_retry_failed,
    add_sampling,
    make_sampler,
    model_settings,
    print_failed,
    sampling_of,
)
from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.benchmarks import ALIASES, DEFAULT_DATA_DIR, digests, find_benchmarks, load_all
from recipe_tapo.evaluation.checkpoint import MERGED, resolve_model
from recipe_tapo.evaluation.elsewhere import place_answers
from recipe_tapo.evaluation.finish import finish_evaluation
from recipe_tapo.evaluation.folder import METRICS, RESPONSES, Evaluation, write_records
from recipe_tapo.evaluation.grid import make_grids
from recipe_tapo.evaluation.provenance import THINKING_VARIABLE, provenance, template_kwargs, vllm_version
from recipe_tapo.evaluation.records import Answer, read_records
from recipe_tapo.evaluation.sample import sample_problems
from recipe_tapo.evaluation.score import score_records
from recipe_tapo.records.store import read_settings, settings_path
from recipe_tapo.sampling.requests import Sampler

DESCRIPTION = """\
Samples responses of one model to benchmarks, grades them as in training, and
reports Pass@k, both as the paper computes it and without bias. The defaults
are the paper's. An interrupted run goes on where it stopped when the same
command is given again.

reads:    benchmarks as parquet files in verl's RL format, which 'python -m
          data_prep.benchmarks' of the repository writes; and a model: a
          folder, a name on Hugging Face, a checkpoint of verl's (of a
          folder of them the last), or a server
writes:   responses.jsonl, problems.jsonl, settings.json and metrics.json in
          --output, and tables on the terminal
example:  tapo evaluate --model Qwen/Qwen3-8B --benchmark aime_2024 --output
          qwen3-8b
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    inputs = parser.add_argument_group("benchmarks")
    inputs.add_argument(
        "--benchmark",
        type=lambda text: [name.strip() for name in text.split(",") if name.strip()],
        action="extend",
        default=[],
        metavar="NAME,…",
        help="names of files in --data_dir, paths of .parquet files in verl's RL format, or NAME=PATH; "
        f"{', '.join(f'{alias} is {name}' for alias, name in ALIASES.items())} (with --responses, default: all in it)",
    )
    inputs.add_argument(
        "--data_dir",
        type=user_path,
        default=DEFAULT_DATA_DIR,
        metavar="DIR",
        help="where data_prep.benchmarks wrote them (default: %(default)s)",
    )
    inputs.add_argument(
        "--responses",
        type=user_path,
        metavar="FILE",
        help="score answers produced elsewhere instead of sampling: json lines with benchmark (any name of "
        "--benchmark), problem_idx (row in the benchmark's file from 0, or the file's own number), run, sample and "
        "response, and as far as known truncated, tokens and failure",
    )
    outputs = parser.add_argument_group("output")
    outputs.add_argument(
        "--output", type=user_path, required=True, metavar="DIR", help="folder of this evaluation; one model per folder"
    )
    add_report(outputs, "DIR/report.html")
    model = add_model(parser, required=False)
    model.add_argument(
        "--merged_dir",
        type=user_path,
        metavar="DIR",
        help="where merged weights of verl's checkpoints (global_step_N, or its actor) are kept for reuse "
        f"(default: {MERGED} inside the checkpoint)",
    )
    model.add_argument(
        "--thinking",
        choices=("off", "on", "template"),
        default="off",
        help=f"sets {THINKING_VARIABLE} where the chat template knows it; template: leave it alone "
        "(default: %(default)s)",
    )
    sampling = add_sampling(parser, n=False)
    sampling.add_argument(
        "--samples", type=positive, default=5, metavar="N", help="responses per problem and run (default: %(default)s)"
    )
    sampling.add_argument(
        "--runs", type=positive, default=16, metavar="N", help="independent runs (default: %(default)s)"
    )
    add_retry_failed(sampling)
    parser.set_defaults(temperature=0.6, top_p=0.9)


def run(args: argparse.Namespace) -> None:
    """Evaluates."""
    if args.responses is None and not (args.model and args.benchmark):
        raise InputError("--model and --benchmark are needed, or else --responses")
    check_report(args)
    folder = args.output
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; choose another --output")
    try:
        evaluation = _score(args, folder) if args.responses else _sample(args, folder)
    except OSError as error:
        if error.filename is not None:
            raise
        raise InputError(f"{folder}: {error.strerror}; results so far are kept, run the command again") from error
    print_evaluation(evaluation)
    print(f"numbers: {folder / METRICS}; responses: {folder / RESPONSES}")
    write_report_if_asked(args, [evaluation], folder / "report.html")


def _sample(args: argparse.Namespace, folder: Path) -> Evaluation:
    files = find_benchmarks(args.benchmark, args.data_dir)
    problems = load_all(files)
    model = args.model
    if not args.base_url:
        args.model = resolve_model(model, args.merged_dir)
    args.chat_template_kwargs = template_kwargs(args.model, args.base_url, args.thinking, args.chat_template_kwargs)
    responses = folder / RESPONSES

    def start_sampler() -> Sampler:
        sampler = make_sampler(args)
        (folder / METRICS).unlink(missing_ok=True)  # of other responses, should this be cut short
        return sampler

    records = sample_problems(
        responses,
        problems,
        runs=args.runs,
        samples=args.samples,
        seed=args.seed,
        sampling=sampling_of(args),
        chunk=args.chunk,
        settings={
            "kind": "evaluation",
            "benchmarks": digests(problems),
            **model_settings(args),
            "vllm": vllm_version(args.base_url),
        },
        make_sampler=start_sampler,
        retry_failed=args.retry_failed,
    )
    print_failed(sum(record.failure is not None for record in records), "count as wrong")
    known = {**read_settings(responses), "model": model, "loaded_from": args.model, "base_url": args.base_url}
    return finish_evaluation(folder, problems, records, {**known, **provenance(files)})


def _score(args: argparse.Namespace, folder: Path) -> Evaluation:
    target = folder / RESPONSES
    if settings_path(target).exists():
        raise InputError(f"{target}: holds responses that were sampled; choose another --output")
    answers = list(read_records(args.responses, Answer))
    files = find_benchmarks(args.benchmark or dict.fromkeys(answer.benchmark for answer in answers), args.data_dir)
    problems = load_all(files)
    records = place_answers(answers, files, problems, args.data_dir, str(args.responses))
    # Sorted before grading, so that what is missing is said at once.
    records = [record for grid in make_grids(problems, records, str(args.responses)) for record in grid.records]
    scored = score_records(records, problems)
    (folder / METRICS).unlink(missing_ok=True)  # of other responses, should this be cut short
    write_records(target, scored)
    known = {"model": args.model, "responses": str(args.responses)}
    return finish_evaluation(folder, problems, scored, {**known, **provenance(files)})
