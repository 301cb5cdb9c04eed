"""The tables of one evaluation on the terminal."""

from typing import Any

from recipe_tapo.cli.tables import print_table
from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import Evaluation
from recipe_tapo.evaluation.metrics import Metrics

_PASS_ROWS = (
    ("paper", "pass@{}"),
    ("± problems", "pass@{}/stderr_problems"),
    ("± runs", "pass@{}/stderr_runs"),
    ("unbiased", "pass@{}_unbiased"),
    ("± problems", "pass@{}_unbiased/stderr_problems"),
)


def print_evaluation(evaluation: Evaluation) -> None:
    """Prints what was evaluated and how, Pass@k by both estimators, and everything else that was measured."""
    metrics, names = evaluation.metrics, evaluation.benchmarks
    print(describe_settings(evaluation.settings, metrics, names))
    ks = range(1, max(grid_size(metrics, name)[0] for name in names) + 1)
    print_table(
        "Pass@k, %. paper: any of a run's first k is right; unbiased: 1 - C(n-c, k) / C(n, k) over all runs;\n"
        "±: standard error over problems (were others drawn) and over runs (were the same ones sampled anew)",
        ("benchmark", "estimate", *(f"k={k}" for k in ks)),
        [row for name in names for row in _pass_rows(metrics, name, ks)],
    )
    measures = [_other_measures(metrics, name) for name in names]
    print_table(
        "Other measures, n = samples × runs; maj: the most frequent answer is right",
        ("", *names),
        [(label, *(measure[label] for measure in measures)) for label in measures[0]],
    )


def describe_settings(settings: dict[str, Any], metrics: Metrics, benchmarks: list[str]) -> str:
    """One line on what the numbers were made with; what is not known is said to be so."""
    grids = dict.fromkeys(grid_size(metrics, name) for name in benchmarks)
    parts = {
        "model": settings.get("model"),
        "n": ", ".join(f"{samples} samples × {runs} runs" for samples, runs in grids),
        "temperature": settings.get("temperature"),
        "top-p": settings.get("top_p"),
        "max tokens": settings.get("max_tokens"),
        "chat template": settings.get("chat_template_kwargs"),
        "vLLM": settings.get("vllm"),
        "seed": settings.get("seed"),
        "date": settings.get("date"),
    }
    return " | ".join(f"{name} {'not known' if value is None else value}" for name, value in parts.items())


def grid_size(metrics: Metrics, benchmark: str) -> tuple[int, int]:
    """Samples per run, and runs."""
    return _count(metrics, f"{benchmark}/samples"), _count(metrics, f"{benchmark}/runs")


def _count(metrics: Metrics, key: str) -> int:
    """A number that every evaluation has."""
    value = _known(metrics, key)
    if value is None:
        raise InputError(f"metrics.json: {key} has no value; evaluate again")
    return int(value)


def _known(metrics: Metrics, key: str) -> float | None:
    """What every evaluation's ``metrics.json`` names, if only to say that it could not be measured."""
    if key not in metrics:
        raise InputError(f"metrics.json: {key} is missing; evaluate again")
    return metrics[key]


def percent(value: float | None) -> float | None:
    """A fraction as a percentage."""
    return None if value is None else 100 * value


def _pass_rows(metrics: Metrics, name: str, ks: range) -> list[tuple[object, ...]]:
    return [
        (name if label == "paper" else "", label, *(percent(metrics.get(f"{name}/{key.format(k)}")) for k in ks))
        for label, key in _PASS_ROWS
    ]


def _other_measures(metrics: Metrics, name: str) -> dict[str, float | None]:
    samples, runs = grid_size(metrics, name)
    n = samples * runs
    lengths = {f"tokens, {key}": _known(metrics, f"{name}/response_length/{key}") for key in ("mean", "median", "max")}
    return {
        "problems": _count(metrics, f"{name}/problems"),
        "mean@n, %": percent(_known(metrics, f"{name}/mean@{n}")),
        "  ± problems": percent(_known(metrics, f"{name}/mean@{n}/stderr_problems")),
        "maj@n, %, of each run": percent(_known(metrics, f"{name}/maj@{samples}")),
        "maj@n, %, of all runs": percent(_known(metrics, f"{name}/maj@{n}")),
        "truncated, %": percent(_known(metrics, f"{name}/truncated_share")),
        "no final answer, %": percent(_known(metrics, f"{name}/unparsed_share")),
        "request failed, %": percent(_known(metrics, f"{name}/failed_share")),
        **lengths,
    }
