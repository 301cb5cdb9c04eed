"""``tapo compare``: evaluated models side by side, with paired differences."""

import argparse
from pathlib import Path

from recipe_tapo.cli.evaluation_tables import describe_settings, grid_size, percent, print_evaluation
from recipe_tapo.cli.flag_types import user_path
from recipe_tapo.cli.report import add_report, check_report, write_report_if_asked
from recipe_tapo.cli.tables import print_table
from recipe_tapo.evaluation.folder import Evaluation, load_evaluation
from recipe_tapo.evaluation.names import distinct_names
from recipe_tapo.evaluation.paired import Difference, differing_prompts, paired_differences, shared_benchmarks

DEFAULT_REPORT = Path("comparison.html")


DESCRIPTION = """\
Shows evaluated models side by side. Differences are to the first one, problem
by problem, with the standard error of the paired difference. A single folder
has its tables printed again.

reads:    folders that 'tapo evaluate' wrote, all for the same benchmark files
writes:   tables on the terminal; with --report also an HTML page
example:  tapo compare evaluations/grpo evaluations/tapo --report
          comparison.html
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument(
        "folders", type=user_path, nargs="+", metavar="DIR", help="evaluated models, first the baseline"
    )
    add_report(parser.add_argument_group("output"), str(DEFAULT_REPORT))


def run(args: argparse.Namespace) -> None:
    """Prints the tables."""
    check_report(args)
    evaluations = [load_evaluation(folder) for folder in args.folders]
    if len(evaluations) == 1:
        print_evaluation(evaluations[0])
    else:
        _print_comparison(evaluations)
    write_report_if_asked(args, evaluations, DEFAULT_REPORT)


def _print_comparison(evaluations: list[Evaluation]) -> None:
    names = distinct_names(evaluations)
    benchmarks = shared_benchmarks(evaluations)
    # Computed first: what cannot be compared is refused before anything is printed.
    differences = [paired_differences(evaluation, evaluations[0]) for evaluation in evaluations[1:]]
    for name, evaluation in zip(names, evaluations, strict=True):
        print(f"{name}: {describe_settings(evaluation.settings, evaluation.metrics, benchmarks)}")
    differing = differing_prompts(evaluations)
    if differing:
        print(f"different prompts: {', '.join(differing)}; the differences are those of model and prompt together")
    largest = max(grid_size(evaluation.metrics, name)[0] for evaluation in evaluations for name in benchmarks)
    print_table(
        "Pass@k, % (the paper's estimator; ± standard error over problems)",
        ("benchmark", "model", *(f"k={k}" for k in range(1, largest + 1))),
        [
            ("" if number else benchmark, name, *(_with_error(evaluation, benchmark, k) for k in range(1, largest + 1)))
            for benchmark in benchmarks
            for number, (name, evaluation) in enumerate(zip(names, evaluations, strict=True))
        ],
    )
    print_table(
        f"Difference to {names[0]}, percentage points (± standard error of the paired difference per problem)",
        ("benchmark", "model", "estimator", *(f"k={k}" for k in range(1, largest + 1))),
        [
            row
            for benchmark in benchmarks
            for name, difference in zip(names[1:], differences, strict=True)
            for row in _difference_rows(benchmark, name, difference[benchmark], largest)
        ],
    )


def _with_error(evaluation: Evaluation, benchmark: str, k: int) -> str | None:
    value = evaluation.metrics.get(f"{benchmark}/pass@{k}")
    return _show(value, evaluation.metrics.get(f"{benchmark}/pass@{k}/stderr_problems"), sign="")


def _difference_rows(benchmark: str, name: str, differences: list[Difference], largest: int) -> list[tuple]:
    rest = [None] * (largest - len(differences))
    paper = [_show(each.paper, each.paper_stderr, sign="+") for each in differences]
    unbiased = [_show(each.unbiased, each.unbiased_stderr, sign="+") for each in differences]
    return [(benchmark, name, "paper", *paper, *rest), ("", "", "unbiased", *unbiased, *rest)]


def _show(value: float | None, error: float | None, sign: str) -> str | None:
    if value is None:
        return None
    return f"{percent(value):{sign}.2f}" + ("" if error is None else f" ± {percent(error):.2f}")
