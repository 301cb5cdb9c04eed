"""What the demo shows: progress line, closing table, constructed trajectories in colour."""

from dataclasses import asdict
from pathlib import Path

from rich.columns import Columns
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from examples.arithmetic.problems import REFLECTION, ChainProblem, first_wrong_line
from examples.arithmetic.question_files import ACCURACY
from examples.runs.metrics import StepMetrics, training_steps
from recipe_tapo.records.attempts import AttemptRecord, read_dump


def progress_line(records: list[StepMetrics], steps: int) -> tuple[int, str]:
    """The last step done and a line about it."""
    training = training_steps(records)
    if not training:
        return 0, f"before training: {records[-1].get(ACCURACY, float('nan')):.0%} of held-out questions right"
    last = training[-1]
    line = f"step {last['step']}/{steps}  sampled accuracy {last['critic/score/mean']:.2f}"
    if "tapo/attempts" in last:
        line += (
            f"  eligible {last['tapo/eligible_groups']:.0f}/{last['tapo/groups']:.0f}"
            f"  constructed {last['tapo/parsed']:.0f}, right {last['tapo/right']:.0f}"
        )
    return int(last["step"]), f"{line}  {last['timing_s/step']:.1f} s"


def _total(records: list[StepMetrics], key: str) -> float:
    return sum(record.get(key, 0.0) for record in records)


def _mean(records: list[StepMetrics], key: str) -> float:
    values = [record[key] for record in records if key in record]
    return sum(values) / len(values) if values else float("nan")


def summary_table(records: list[StepMetrics]) -> Table:
    """Accuracy before and after, yields, and where the time went."""
    training = training_steps(records)
    accuracies = [record[ACCURACY] for record in records if ACCURACY in record]
    first, last = training[:5], training[-5:]
    table = Table(title=f"TAPO on the CPU: {len(training)} steps", show_header=False, min_width=72)
    if accuracies:
        table.add_row("held-out accuracy (greedy), before → after", f"{accuracies[0]:.1%} → {accuracies[-1]:.1%}")
    sampled = f"{_mean(first, 'critic/score/mean'):.2f} → {_mean(last, 'critic/score/mean'):.2f}"
    table.add_row("sampled accuracy, first → last five steps", sampled)
    attempts, parsed, right = (_total(training, f"tapo/{name}") for name in ("attempts", "parsed", "right"))
    if attempts:
        groups, eligible = _total(training, "tapo/groups"), _total(training, "tapo/eligible_groups")
        table.add_row("groups eligible", f"{eligible:.0f} of {groups:.0f} ({eligible / groups:.0%})")
        table.add_row("constructions attempted / parsed / right", f"{attempts:.0f} / {parsed:.0f} / {right:.0f}")
        zero = _mean(training, "tapo/zero_advantage_groups_fraction")
        table.add_row("reflection groups without gradient", f"{zero:.0%}")
        prefix = _mean(training, "tapo/prefix_fraction/mean")
        table.add_row("preserved prefix, share of the wrong rollout", f"{prefix:.0%}")
        table.add_row("mean token weight w_t of constructed rows", f"{_mean(training, 'tapo/ots_weight/mean'):.2f}")
    steady = training[1:] or training
    step = _mean(steady, "timing_s/step")
    table.add_row("seconds per step (first left out)", f"{step:.1f}")
    for label, key in (
        ("  generating, constructing included", "timing_s/gen"),
        ("  old log-probs", "timing_s/old_log_prob"),
        ("  update", "timing_s/update_actor"),
        ("  weight sync", "timing_s/update_weights"),
    ):
        table.add_row(label, f"{_mean(steady, key):.1f} ({_mean(steady, key) / step:.0%})")
    return table


def turning_records(dump_dir: Path) -> list[dict]:
    """Right constructions that keep some of the wrong rollout and then reflect, one per question.

    Those whose prefix holds the mistake come first, of these the longest prefixes.
    """
    records = [
        record
        for record in read_dump(dump_dir)
        if record["right"] and record["prefix_length"] and REFLECTION in _after_prefix(record)
    ]
    records.sort(key=lambda record: (not _keeps_a_mistake(record), -record["prefix_length"]))
    one_per_question = {record["question"]: record for record in reversed(records)}
    return [record for record in records if one_per_question[record["question"]] is record]


def side_by_side(rewritten: list[dict], continued: list[AttemptRecord], count: int) -> list[Columns]:
    """Both modes' constructions of one wrong rollout beside each other; those that are right in both come first.

    Args:
        rewritten: Records of the run's rewriting.
        continued: What continuation made of the same wrong rollouts.
        count: How many pairs.
    """
    pairs = [
        (first, asdict(second)) for first, second in zip(rewritten, continued, strict=True) if second.reason is None
    ]
    pairs.sort(key=lambda pair: not pair[1]["right"])
    return [
        Columns([_panel(first, "rewriting"), _panel(second, "continuation")], equal=True)
        for first, second in pairs[:count]
    ]


def modes_line(continued: list[AttemptRecord]) -> str:
    """What came of continuation."""
    usable = [record for record in continued if record.reason is None]
    kept = sum(record.prefix_fraction or 0.0 for record in usable) / max(1, len(usable))
    return (
        f"Continuation from {len(continued)} wrong rollouts whose rewriting was right: {len(usable)} usable, "
        f"{sum(bool(record.right) for record in usable)} right, {kept:.0%} of the wrong rollout preserved. "
        "The model was cold-started for rewriting and never saw this prompt."
    )


def _keeps_a_mistake(record: dict) -> bool:
    whole_lines = record["prefix_text"].rpartition("\n")[0]
    return first_wrong_line(ChainProblem.parse(record["question"]), whole_lines) is not None


def _after_prefix(record: dict) -> str:
    return record["reconstruction"][len(record["prefix_text"]) :]


def _panel(record: dict, mode: str) -> Panel:
    prefix, rest = record["prefix_text"], _after_prefix(record)
    reflection_end = rest.find("\n", rest.find(REFLECTION)) + 1
    body = Text()
    body.append(prefix, style="red")
    body.append(rest[:reflection_end], style="yellow")
    body.append(rest[reflection_end:], style="green")
    legend = Text.assemble(("preserved prefix", "red"), "  ", ("reflection", "yellow"), "  ", ("correction", "green"))
    verdict = "right" if record["right"] else "wrong"
    title = f"{mode}, {verdict}: {record['question']}"
    return Panel(Group(body, Text(), legend), title=title, width=60)
