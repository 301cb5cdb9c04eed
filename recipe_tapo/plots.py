"""``python -m recipe_tapo.plots RUN…``: the paper's six training-dynamics panels, plus yield and hidden time.

Reads what verl's file logger wrote (``trainer.logger=[console,file]``). Runs whose names differ only in a
trailing seed (``tapo-seed1``, ``tapo-seed2``) are drawn as one mean curve with a band of one standard
deviation. A metric that no run has leaves a labelled gap.
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Panel:
    """A title and the metrics that may fill it, the first one that a run has being used."""

    title: str
    metrics: tuple[str, ...]


PANELS = (
    Panel("OTS weight, mean", ("tapo/ots_weight/mean",)),
    Panel("policy-gradient loss", ("actor/pg_loss",)),
    Panel("training accuracy", ("critic/score/mean",)),
    Panel("gradient norm", ("actor/grad_norm",)),
    Panel("response length, tokens", ("response_length/mean",)),
    Panel("KL", ("actor/kl_loss", "tapo/kl_to_reference", "actor/ppo_kl")),
    Panel("constructions right / attempted", ("tapo/right_fraction",)),
    Panel("construction hidden", ("tapo/construction_hidden_fraction",)),
)

_SEED = re.compile(r"[-_./]?(seed|s)[-_=]?\d+$", re.IGNORECASE)


class RunError(ValueError):
    """A path that holds no metrics; the message says which and why."""


@dataclass
class Run:
    """One run's metrics by name: step to value."""

    label: str
    series: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))


def metrics_file(path: Path) -> Path:
    """The run's jsonl: the path itself, ``metrics.jsonl`` in it, or the only jsonl with metrics below it."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise RunError(f"{path}: no such file or folder")
    if (path / "metrics.jsonl").is_file():
        return path / "metrics.jsonl"
    found = [file for file in sorted(path.rglob("*.jsonl")) if _holds_metrics(file)]
    if len(found) != 1:
        raise RunError(f"{path}: {len(found)} files of verl's file logger below it; name the one to draw")
    return found[0]


def _holds_metrics(file: Path) -> bool:
    with open(file, encoding="utf-8") as lines:
        try:
            entry = json.loads(next(lines, "null"))
        except json.JSONDecodeError:
            return False
    return isinstance(entry, dict) and isinstance(entry.get("data"), dict) and "step" in entry


def read_run(path: Path) -> Run:
    """Reads one run; lines cut short by a killed run are passed over.

    Raises:
        RunError: There is no metric in it.
    """
    file = metrics_file(path)
    run = Run(label=path.resolve().stem if path.is_file() else path.resolve().name)
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
            step, data = int(entry["step"]), entry["data"]
        except (json.JSONDecodeError, KeyError, TypeError, ValueError):
            continue
        for name, value in data.items():
            if isinstance(value, int | float):
                run.series[name][step] = float(value)
    if not run.series:
        raise RunError(f"{file}: no metrics; was trainer.logger=[console,file] set?")
    return run


def curve(runs: list[Run], panel: Panel) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Steps, mean and standard deviation over the runs that have one of the panel's metrics; None if none has."""
    series = [next((run.series[name] for name in panel.metrics if run.series.get(name)), None) for run in runs]
    series = [values for values in series if values]
    if not series:
        return None
    steps = sorted(set().union(*series))
    table = np.array([[values.get(step, np.nan) for step in steps] for values in series])
    return np.array(steps), np.nanmean(table, axis=0), np.nanstd(table, axis=0)


def group_by_seed(runs: list[Run]) -> dict[str, list[Run]]:
    """Runs by their label without a trailing seed."""
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[_SEED.sub("", run.label) or run.label].append(run)
    return dict(groups)


def draw(runs: list[Run], output: Path) -> list[Path]:
    """Writes ``<output>.png`` and ``<output>.svg`` and returns their paths."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    groups = group_by_seed(runs)
    figure, axes = plt.subplots(2, 4, figsize=(17, 7), layout="constrained")
    for axis, panel in zip(axes.flat, PANELS, strict=True):
        axis.set_title(panel.title, fontsize=11)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        empty = True
        for number, (label, members) in enumerate(groups.items()):
            points = curve(members, panel)
            if points is None:
                continue
            empty = False
            steps, mean, deviation = points
            name = f"{label} ({len(members)} seeds)" if len(members) > 1 else label
            axis.plot(steps, mean, color=f"C{number % 10}", label=name, linewidth=1.6)
            if len(members) > 1:
                axis.fill_between(steps, mean - deviation, mean + deviation, color=f"C{number % 10}", alpha=0.2, lw=0)
        if empty:
            axis.text(0.5, 0.5, "not recorded", transform=axis.transAxes, ha="center", va="center", color="gray")
    legends = [axis.get_legend_handles_labels() for axis in axes.flat]
    handles = {label: handle for drawn, labels in legends for handle, label in zip(drawn, labels, strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(5, max(1, len(handles))))
    output.parent.mkdir(parents=True, exist_ok=True)
    paths = [output.with_name(output.name + suffix) for suffix in (".png", ".svg")]
    for path in paths:
        figure.savefig(path, dpi=130)
    plt.close(figure)
    return paths


def main(argv: list[str] | None = None) -> int:
    """Draws the runs; 2 for input that cannot be drawn."""
    parser = argparse.ArgumentParser(
        prog="python -m recipe_tapo.plots", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="metrics files, or folders that hold one each"
    )
    parser.add_argument("--output", type=Path, default=Path("training_dynamics"), help="without suffix (%(default)s)")
    arguments = parser.parse_args(argv)
    try:
        runs = [read_run(path) for path in arguments.runs]
    except (RunError, OSError) as error:
        print(f"plots: {error}", file=sys.stderr)
        return 2
    for path in draw(runs, arguments.output):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
