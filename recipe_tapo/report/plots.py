"""Curves of training runs: the paper's six training-dynamics panels, plus yield and hidden time.

Reads what verl's file logger wrote (``trainer.logger=[console,file]``). Runs whose names differ only in a
trailing seed (``tapo-seed1``, ``tapo-seed2-0``) are drawn as one mean curve with a band of one standard
deviation. A metric that no run has leaves a labelled gap.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recipe_tapo.records.training_log import Run


@dataclass(frozen=True)
class Panel:
    """What one panel shows.

    Attributes:
        title: Its heading.
        metrics: What may fill it, the first that any run has, for all runs alike; a pair is a ratio of two metrics.
        is_share: Whether the axis is that of shares, 0 to 1.
    """

    title: str
    metrics: tuple[str | tuple[str, str], ...]
    is_share: bool = False


PANELS = (
    Panel("OTS weight $w_t$, mean", ("tapo/ots_weight/mean",)),
    Panel("policy-gradient loss", ("actor/pg_loss",)),
    Panel("training accuracy", ("critic/score/mean",)),
    Panel("gradient norm", ("actor/grad_norm",)),
    Panel("response length, tokens", ("response_length/mean",)),
    Panel("KL", ("actor/kl_loss", "actor/ppo_kl")),
    Panel("construction yield, right of attempted", (("tapo/right", "tapo/attempts"),), is_share=True),
    Panel("construction time hidden", ("tapo/construction_hidden_fraction",), is_share=True),
)
MAX_SMOOTHING = 25

_SEED = re.compile(r"([-_./]?seed[-_=]?|[-_./]s)\d+([-.]\d+)*$", re.IGNORECASE)


def metric_of(runs: list[Run], panel: Panel) -> str | tuple[str, str] | None:
    """The panel's metric that is drawn for all runs: the first that any of them has; None if none has."""
    return next((metric for metric in panel.metrics if any(series_of(run, metric) for run in runs)), None)


def series_of(run: Run, metric: str | tuple[str, str]) -> dict[int, float]:
    """A metric by step; a ratio where its denominator is not 0."""
    if isinstance(metric, str):
        return run.series.get(metric, {})
    above, below = (run.series.get(name, {}) for name in metric)
    return {step: above[step] / below[step] for step in above if below.get(step)}


def curve(
    runs: list[Run], metric: str | tuple[str, str], smoothing: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Steps, mean and sample standard deviation over the runs that have the metric; None if none has.

    A mean over fewer seeds would jump where one begins or ends: the curve has the steps between the first and the last
    that all runs share, and a run without a value at one of them stands there on the line between its neighbours.

    Args:
        runs: Seeds of one arm.
        metric: See ``Panel``.
        smoothing: Each run is averaged over so many steps around each step, before anything else.
    """
    series = [values for run in runs if (values := series_of(run, metric))]
    if not series:
        return None
    table = pd.DataFrame(dict(enumerate(series))).sort_index()
    smooth = pd.DataFrame(table.rolling(smoothing, center=True, min_periods=1).mean()).where(table.notna())
    shared = smooth.interpolate(method="index", limit_area="inside").dropna()
    if shared.empty:
        return None
    deviation = shared.std(axis=1).fillna(0)  # one run has none
    return shared.index.to_numpy(), np.asarray(shared.mean(axis=1)), np.asarray(deviation)


def group_by_seed(runs: list[Run]) -> dict[str, list[Run]]:
    """Runs by their label without a trailing seed."""
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[_SEED.sub("", run.label) or run.label].append(run)
    return dict(groups)


def draw(runs: list[Run], output: Path, smoothing: int | None = None) -> list[Path]:
    """Writes ``<output>.png`` and ``<output>.svg`` and returns their paths.

    Args:
        runs: What to draw; runs of one label, apart from a seed, become one curve.
        output: Without suffix.
        smoothing: Steps in the running mean; None for one step in twenty of the longest run, at most ``MAX_SMOOTHING``.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    groups = group_by_seed(runs)
    if smoothing is None:
        longest = max(max(values) - min(values) + 1 for run in runs for values in run.series.values())
        smoothing = min(MAX_SMOOTHING, max(1, longest // 20))
    figure, axes = plt.subplots(2, 4, figsize=(17, 7.6), layout="constrained")
    for axis, panel in zip(axes.flat, PANELS, strict=True):
        metric = metric_of(runs, panel)
        axis.set_title(panel.title, fontsize=13, loc="left", pad=20)
        axis.text(0, 1.02, _name(metric), transform=axis.transAxes, fontsize=8.5, color="gray")
        axis.set_xlabel("step")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
        if metric is None:
            _leave_gap(axis, panel)
            continue
        for number, (label, members) in enumerate(groups.items()):
            points = curve(members, metric, smoothing)
            if points is not None:
                steps, mean, deviation = points
                name = f"{label} ({len(members)} seeds)" if len(members) > 1 else label
                axis.plot(steps, mean, color=f"C{number % 10}", label=name, linewidth=1.9)
                axis.fill_between(steps, mean - deviation, mean + deviation, color=f"C{number % 10}", alpha=0.18, lw=0)
        if panel.is_share:
            axis.set_ylim(0, 1)
        if not any(any(series_of(run, metric).values()) for run in runs):
            axis.text(0.5, 0.6, "zero throughout", transform=axis.transAxes, ha="center", color="gray")
    legends = [axis.get_legend_handles_labels() for axis in axes.flat]
    handles = {label: handle for drawn, labels in legends for handle, label in zip(drawn, labels, strict=True)}
    order = [name for label in groups for name in handles if name == label or name.startswith(f"{label} (")]
    notes = [f"running mean over {smoothing} steps"] if smoothing > 1 else []
    if any(len(members) > 1 for members in groups.values()):
        notes.append("bands: ± 1 sample standard deviation over seeds")
    figure.legend(
        [handles[name] for name in order],
        order,
        loc="outside lower center",
        ncols=min(5, max(1, len(order))),
        frameon=False,
        fontsize=12,
        title="; ".join(notes),
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    paths = [output.with_name(output.name + suffix) for suffix in (".png", ".svg")]
    for path in paths:
        figure.savefig(path, dpi=130)
    plt.close(figure)
    return paths


def _name(metric: str | tuple[str, str] | None) -> str:
    return "" if metric is None else metric if isinstance(metric, str) else " / ".join(metric)


def _leave_gap(axis, panel: Panel) -> None:
    wanted = "\n".join(_name(metric) for metric in panel.metrics)
    axis.text(0.5, 0.5, f"not recorded\n{wanted}", transform=axis.transAxes, ha="center", va="center", color="gray")
    axis.set(xticks=[], yticks=[])
