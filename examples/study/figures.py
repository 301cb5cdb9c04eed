"""Learning curves, and every arm's difference to GRPO, in one figure."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from textwrap import fill

from examples.study.arms import ARMS, BASELINE, Arm
from examples.study.results import Record
from examples.study.seed_statistics import Seeds, mean_over_seeds
from examples.study.table import HELD_OUT, Row

PRIMARY = HELD_OUT[1]
# Curves of more arms than that cannot be told apart: then those with the most runs have one or, if all have as many,
# GRPO, TAPO and OPSD alone.
MAX_CURVES = 8
TRAINING_SMOOTHING = 5
LABEL_WIDTH = 34
_METHODS = {"grpo": "black", "tapo": "crimson", "opsd": "royalblue"}
_OTHERS = ("#2a9d8f", "#e9a03b", "#7b5ea7", "#8d6e63", "#d96ba8", "#7f8c3a", "#5fa8d3", "#9e9e9e")
_LINES = {"cold_start": "-", "opsd_start": "--", "base": ":"}


def is_method(arm: Arm) -> bool:
    """Whether it is GRPO, TAPO or OPSD, from any start; the others are ablations and variants."""
    return arm.config in _METHODS


def colour(arm: Arm) -> str:
    """The method's colour, whatever the start; ablations and variants have one of their own each."""
    others = [other for other in ARMS.values() if not is_method(other)]
    return _METHODS[arm.config] if arm.config in _METHODS else _OTHERS[others.index(arm) % len(_OTHERS)]


def curve_over_seeds(
    records: Sequence[Record], arm: str, name: str, smoothing: int = 1
) -> dict[int, tuple[float, float]]:
    """Mean and standard error (0 for a single run) of a learning curve at each step that all runs of the arm have.

    Args:
        records: All runs.
        arm: Whose runs.
        name: ``held_out`` or ``training``.
        smoothing: Steps in the running mean of each run.
    """
    curves: dict[Seeds, dict[int, float]] = {
        (r["seed"], r["rl_seed"]): _smooth(r["curve"][name], smoothing)
        for r in records
        if r["arm"] == arm and r.get("curve")
    }
    if not curves:
        return {}
    points = {}
    for step in sorted(set.intersection(*map(set, curves.values()))):
        mean = mean_over_seeds({seeds: curve[step] for seeds, curve in curves.items()})
        points[step] = (mean.value, mean.stderr or 0.0)
    return points


def draw_study(records: Sequence[Record], rows: Sequence[Row], output: Path) -> list[Path]:
    """Writes ``<output>.png`` and ``<output>.svg``: held-out and training accuracy by step, differences to GRPO."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    curved = [row for row in rows if row.arm.kind == "engine"]
    if len(curved) > MAX_CURVES:
        most = max(row.seeds for row in curved)
        trained_most = [row for row in curved if row.seeds == most]
        curved = trained_most if len(trained_most) <= MAX_CURVES else [row for row in curved if is_method(row.arm)]
    height = max(6.0, 2.0 + 0.28 * sum(row.arm.kind != "start" for row in rows))
    figure, (held_out, training, differences) = plt.subplots(
        1, 3, figsize=(17, height), layout="constrained", width_ratios=(1.1, 1.1, 1)
    )
    for axis, name, smoothing in ((held_out, "held_out", 1), (training, "training", TRAINING_SMOOTHING)):
        for row in curved:
            _draw_curve(axis, row, curve_over_seeds(records, row.arm.name, name, smoothing))
        axis.set_xlabel("step")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.25)
    held_out.set_title("held-out accuracy, greedy", loc="left")
    training.set_title(f"accuracy of training rollouts, mean of {TRAINING_SMOOTHING} steps", loc="left")
    _draw_differences(differences, rows)
    for axis in (held_out, training, differences):
        axis.spines[["top", "right"]].set_visible(False)
    handles, labels = held_out.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            [fill(label, LABEL_WIDTH) for label in labels],
            loc="outside lower center",
            ncols=min(6, len(handles)),
            frameon=False,
            fontsize=11,
            title="bands and bars: ± 1 standard error over seeds (no cold start: without bands)",
        )
    paths = [output.with_name(output.name + suffix) for suffix in (".png", ".svg")]
    for path in paths:
        figure.savefig(path, dpi=130)
    plt.close(figure)
    return paths


def _smooth(curve: dict[str, float], width: int) -> dict[int, float]:
    """The mean over the ``width`` (odd) points around each point, over fewer at the ends."""
    steps, values = zip(*sorted((int(step), value) for step, value in curve.items()), strict=True)
    half = width // 2
    return {step: fmean(values[max(i - half, 0) : i + half + 1]) for i, step in enumerate(steps)}


def _draw_curve(axis, row: Row, points: dict[int, tuple[float, float]]) -> None:
    if not points:
        return
    strong = is_method(row.arm) and row.arm.start == "cold_start"
    values, errors = zip(*points.values(), strict=True)
    style = {"color": colour(row.arm), "linestyle": _LINES[row.arm.start], "linewidth": 2.4 if strong else 1.5}
    axis.plot(list(points), values, label=row.arm.title, zorder=3 if strong else 2, **style)
    if row.arm.start == "base":
        return  # Models before the cold start differ so much that their bands would cover everything else.
    low = [value - error for value, error in points.values()]
    high = [value + error for value, error in zip(values, errors, strict=True)]
    axis.fill_between(list(points), low, high, color=colour(row.arm), alpha=0.13, linewidth=0)


def _draw_differences(axis, rows: Sequence[Row]) -> None:
    """One bar per trained arm; what lies far outside is an arrow with its number, so that the others stay legible."""
    shown = [row for row in rows if PRIMARY.title in row.differences and row.arm.kind != "start"]
    axis.set_title(f"difference to GRPO, {PRIMARY.name}", loc="left")
    axis.set_xlabel("points of held-out accuracy, paired by seed")
    axis.grid(alpha=0.25, axis="x")
    if not shown:
        axis.text(0.5, 0.5, "nothing to compare yet", transform=axis.transAxes, ha="center", va="center", color="gray")
        return
    means = [row.differences[PRIMARY.title] for row in shown]
    sizes = sorted(100 * (abs(mean.value) + (mean.stderr or 0.0)) for mean in means)
    limit = max(1.0, 1.25 * min(sizes[-1], 4 * sizes[(len(sizes) - 1) // 2]))
    axis.axvline(0, color=colour(ARMS[BASELINE]), linewidth=1)
    axis.set_xlim(-limit, limit)
    for position, (row, mean) in enumerate(zip(shown, means, strict=True)):
        value, style = 100 * mean.value, {"color": colour(row.arm)}
        if abs(value) <= limit:
            error = None if mean.stderr is None else 100 * mean.stderr
            axis.errorbar(value, position, xerr=error, fmt="o", capsize=4, **style)
            continue
        side = 1 if value > 0 else -1
        arrow = {"arrowstyle": "->", "lw": 2, **style}
        axis.annotate("", (side * limit, position), (side * 0.8 * limit, position), arrowprops=arrow)
        align = "right" if side > 0 else "left"
        axis.text(side * 0.78 * limit, position, f"{value:+.1f}", ha=align, va="center", **style)
    axis.set_yticks(range(len(shown)), [fill(row.arm.title, LABEL_WIDTH) for row in shown])
    axis.set_ylim(len(shown) - 0.5, -0.5)
