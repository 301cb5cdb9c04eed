"""Learning curves, and every arm's difference to GRPO, in one figure."""

from collections.abc import Sequence
from pathlib import Path

from examples.cpu_demo.study.arms import ARMS, BASELINE
from examples.cpu_demo.study.records import Record
from examples.cpu_demo.study.statistics import Seeds, mean_over_seeds
from examples.cpu_demo.study.table import HELD_OUT, Row

PRIMARY = HELD_OUT[1]
_STRONG = {"grpo": "black", "tapo": "crimson", "opsd": "royalblue"}
_OTHERS = ("#2a9d8f", "#e9a03b", "#7b5ea7", "#8d6e63", "#d96ba8", "#7f8c3a", "#5fa8d3", "#9e9e9e")


def colour(arm: str) -> str:
    """An arm's colour, the same in every figure."""
    others = [name for name in ARMS if name not in _STRONG]
    return _STRONG.get(arm) or _OTHERS[others.index(arm) % len(_OTHERS)]


def curve_over_seeds(records: Sequence[Record], arm: str, name: str) -> dict[int, tuple[float, float]]:
    """Mean and standard error (0 for a single run) of a learning curve at each step that all runs of the arm have."""
    curves: dict[Seeds, dict[str, float]] = {
        (r["seed"], r["rl_seed"]): r["curve"][name] for r in records if r["arm"] == arm and r.get("curve")
    }
    if not curves:
        return {}
    steps = sorted(set.intersection(*({int(step) for step in curve} for curve in curves.values())))
    points = {}
    for step in steps:
        mean = mean_over_seeds({seeds: curve[str(step)] for seeds, curve in curves.items()})
        points[step] = (mean.value, mean.stderr or 0.0)
    return points


def draw_study(records: Sequence[Record], rows: Sequence[Row], output: Path) -> list[Path]:
    """Writes ``<output>.png`` and ``<output>.svg``: held-out and training accuracy by step, differences to GRPO."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (held_out, training, differences) = plt.subplots(
        1, 3, figsize=(17, 5.6), layout="constrained", width_ratios=(1.1, 1.1, 1)
    )
    _draw_curves(held_out, records, rows, "held_out", "held-out accuracy, greedy")
    _draw_curves(training, records, rows, "training", "accuracy of training rollouts")
    _draw_differences(differences, rows)
    handles, labels = held_out.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(handles)), frameon=False)
    paths = [output.with_name(output.name + suffix) for suffix in (".png", ".svg")]
    for path in paths:
        figure.savefig(path, dpi=130)
    plt.close(figure)
    return paths


def _draw_curves(axis, records: Sequence[Record], rows: Sequence[Row], name: str, title: str) -> None:
    for row in rows:
        points = curve_over_seeds(records, row.arm.name, name)
        if not points:
            continue
        steps = list(points)
        low = [value - error for value, error in points.values()]
        high = [value + error for value, error in points.values()]
        strong = row.arm.name in _STRONG
        style = {"color": colour(row.arm.name), "linewidth": 2.4 if strong else 1.3, "zorder": 3 if strong else 2}
        axis.plot(steps, [value for value, _ in points.values()], label=row.arm.title, **style)
        axis.fill_between(steps, low, high, color=colour(row.arm.name), alpha=0.15, linewidth=0)
    axis.set(title=f"{title} (band: ± 1 standard error)", xlabel="step", ylim=(0, 1))
    axis.title.set_fontsize(11)
    axis.grid(alpha=0.3)


def _draw_differences(axis, rows: Sequence[Row]) -> None:
    shown = [row for row in rows if PRIMARY.title in row.differences and row.arm.kind != "start"]
    axis.axvline(0, color=colour(BASELINE), linewidth=1)
    for position, row in enumerate(shown):
        mean = row.differences[PRIMARY.title]
        axis.errorbar(
            100 * mean.value,
            position,
            xerr=None if mean.stderr is None else 100 * mean.stderr,
            fmt="o",
            color=colour(row.arm.name),
            capsize=4,
        )
    axis.set_yticks(range(len(shown)), [row.arm.title for row in shown])
    axis.invert_yaxis()
    axis.set(title="difference to GRPO, paired by seed", xlabel="points of held-out accuracy, mean of samples (± 1 SE)")
    axis.title.set_fontsize(11)
    axis.grid(alpha=0.3, axis="x")
    if not shown:
        axis.text(0.5, 0.5, "nothing to compare yet", transform=axis.transAxes, ha="center", va="center", color="gray")
