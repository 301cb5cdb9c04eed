"""What a study leaves: results.jsonl, table.md, learning_curves and training_dynamics."""

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from pathlib import Path

from rich.console import Console
from rich.table import Table

from examples.runs.metrics import METRICS
from examples.study.arms import BASELINE, CONTINUATION_ARMS, OPSD_BASELINE, WRITTEN_ANEW
from examples.study.figures import draw_study
from examples.study.plan import RECORD
from examples.study.results import Record, read_records, write_results
from examples.study.seed_statistics import deviation_between_rl_seeds
from examples.study.settings import Settings
from examples.study.table import (
    HELD_OUT,
    PARTS,
    Column,
    Row,
    headings,
    lines_of,
    make_rows,
    markdown,
    values_by_seeds,
    with_values,
)
from recipe_tapo.records.training_log import Run, read_run
from recipe_tapo.records.write import atomic_paths
from recipe_tapo.report.plots import draw

TABLE = "table.md"
DYNAMICS = {
    "": (BASELINE, "tapo", "tapo_wo_cold_start", "grpo_wo_cold_start"),
    "_ablations": ("wo_ots", "wo_negatives", "wo_ots_negatives", "wo_dae_ots_negatives", "full_reconstruction"),
    "_thresholds": ("thresholds_2_2_2", "thresholds_2_2_4", "thresholds_1_5_3"),
    "_ours": ("anchored", "masked_prefix", "anchored_masked_prefix", "joint_normalization"),
    "_continuation": (*CONTINUATION_ARMS, WRITTEN_ANEW),
    "_opsd": ("opsd", OPSD_BASELINE, "tapo_opsd_start", "opsd_opsd_start"),
}


def write_summary(output_dir: Path, settings: Settings, console: Console) -> None:
    """Writes everything anew from the finished runs and prints the table."""
    records = read_records(output_dir)
    write_results(output_dir, records)
    if not records:
        console.print("No run has finished yet.")
        return
    rows = make_rows(records)
    parts = [(title, known) for title, columns in PARTS if (known := with_values(rows, columns))]
    notes = footnotes(records, settings, [column for _, columns in parts for column in columns])
    with atomic_paths(output_dir / TABLE) as [path]:
        tables = [f"### {title}\n\n{markdown(rows, columns)}" for title, columns in parts]
        path.write_text("\n".join([*tables, *(f"- {note}" for note in notes), ""]), encoding="utf-8")
    for title, columns in parts:
        console.print(_terminal_table(title, rows, columns))
    for note in notes:
        console.print(f"- {note}", markup=False, highlight=False)
    draw_study(records, rows, output_dir / "learning_curves")
    _draw_dynamics(output_dir, rows)
    console.print(f"Written to {output_dir}: results.jsonl, {TABLE}, learning_curves and training_dynamics (png, svg).")


def footnotes(records: Sequence[Record], settings: Settings, columns: Sequence[Column]) -> list[str]:
    """What a reader has to know to judge the table, which has these columns."""
    first = records[0]
    dates = sorted({record["date"] for record in records if record.get("date")})
    commits = sorted({record["commit"] for record in records if record.get("commit")})
    return [
        f"Regime {settings.regime}: {settings.steps} steps of {settings.batch} questions × {settings.rollouts} "
        f"rollouts, lr {settings.learning_rate:g}; {first['questions']} held-out questions, one greedy and "
        f"{first['samples']} sampled responses each (temperature 1, top-p 1). Pass@k is the unbiased estimator.",
        "±: one standard error over cold starts (each the mean of its RL seeds), or over RL seeds where there is one "
        "cold start. A difference to GRPO is paired by seed; that of arms from OPSD's cold start is to GRPO from "
        "there. In brackets its 95 % interval, by Student's t over cold starts (over RL seeds where there is one).",
        "Entropy and length are those of sampled held-out responses. Shares of constructions are totals over all "
        "steps; no gradient: reflection groups whose members are all right or all wrong. Seconds: without the first "
        "step, and of runs that had the machine to themselves.",
        *dict.fromkeys(column.note for column in columns if column.note),
        *_scatter_note(records),
        *_gap_note(records),
        f"{len(records)} runs on {', '.join(sorted({record['machine'] for record in records}))}, "
        f"commit {', '.join(commits) or 'unknown'}, {' to '.join(dict.fromkeys(dates[:1] + dates[-1:])) or 'undated'}.",
    ]


def _scatter_note(records: Sequence[Record]) -> list[str]:
    arms = Counter(record["arm"] for record in records)
    most = max(arms.values())
    pooled = [deviation_between_rl_seeds(values_by_seeds(records, arm, column) for arm in arms) for column in HELD_OUT]
    pooled = [scatter for scatter in pooled if scatter is not None]
    if len(pooled) < len(HELD_OUT):
        return []
    points = [column.scale * deviation for column, (deviation, _) in zip(HELD_OUT, pooled, strict=True)]
    runs = ", ".join(f"{column.name} {value:.1f}" for column, value in zip(HELD_OUT, points, strict=True))
    differences = ", ".join(f"{value * sqrt(2 / most):.1f}" for value in points)
    return [
        f"Runs that differ in nothing but their RL seed scatter by so many points (standard deviation pooled over all "
        f"arms, {pooled[0][1]} degrees of freedom): {runs}. That alone gives the difference of two arms of {most} "
        f"runs an error of {differences}; a smaller one in the table is luck."
    ]


def _gap_note(records: Sequence[Record]) -> list[str]:
    gaps = [record["sampler_gap"] for record in records if record.get("sampler_gap") is not None]
    if not gaps:
        return []
    return [
        f"vLLM's and the trainer's probability of a sampled token differ by at most {max(gaps):.1e} in all steps of "
        "all runs; had one sampled from other weights than its own, it would show here."
    ]


def _terminal_table(title: str, rows: Sequence[Row], columns: Sequence[Column]) -> Table:
    table = Table(title=title)
    for name in headings(columns):
        table.add_column(name, justify="left" if name == "arm" else "right")
    for line in lines_of(rows, columns):
        table.add_row(*(cell.replace(" ", "\N{NO-BREAK SPACE}") for cell in line))
    return table


def _draw_dynamics(output_dir: Path, rows: Sequence[Row]) -> None:
    """Panels of a few arms at a time beside GRPO; a figure without any of its arms is left out."""
    drawn = {row.arm.name: runs for row in rows if (runs := _plot_runs(output_dir, row))}
    for ending, arms in DYNAMICS.items():
        if any(arm in drawn for arm in arms):
            runs = [run for arm in dict.fromkeys((BASELINE, *arms)) for run in drawn.get(arm, [])]
            draw(runs, output_dir / f"training_dynamics{ending}")


def _plot_runs(output_dir: Path, row: Row) -> list[Run]:
    runs = []
    for folder in sorted(output_dir.glob(f"runs/{row.arm.name}-seed*")):
        if (folder / METRICS).is_file() and (folder / RECORD).is_file():
            run = read_run(folder / METRICS)
            run.label = row.arm.title
            runs.append(run)
    return runs
