"""The study's table: one row per arm, from the records of its runs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from examples.study.arms import ARMS, Arm
from examples.study.equal_tokens import accuracy_at_the_end, difference_at_equal_tokens, generated_tokens
from examples.study.results import Record
from examples.study.seed_statistics import Mean, Seeds, mean_over_seeds, paired_difference

MISSING = "–"


@dataclass(frozen=True)
class Column:
    """A number of every run.

    Attributes:
        title: Its heading.
        read: Takes it from a record; None where the run has none.
        scale: What it is multiplied with for display.
        digits: After the decimal point.
        compared: Whether its difference to GRPO is shown beside it.
        difference: How a run differs from GRPO's of the same seeds, where that is not the difference of the numbers.
        difference_title: The heading of the difference.
        note: What a reader of the table has to know of it.
    """

    title: str
    read: Callable[[Record], float | None]
    scale: float = 1.0
    digits: int = 1
    compared: bool = False
    difference: Callable[[Record, Record], float | None] | None = None
    difference_title: str = "to GRPO"
    note: str | None = None

    @property
    def name(self) -> str:
        """The heading without its unit."""
        return self.title.split(",")[0]


def _key(name: str) -> Callable[[Record], float | None]:
    return lambda record: record.get(name)


def _seconds_alone(record: Record) -> float | None:
    """Runs that shared the machine with others say nothing about cost."""
    return record.get("seconds_per_step") if record.get("jobs", 1) == 1 else None


_REFLECTION_NOTE = (
    "Reflecting: sampled held-out responses that doubt a line. DSR: right ones that do not reflect, of the right "
    "ones. ERR: those that find and mend a wrong line and end right because of it, of those that reflect; both by "
    "the true steps."
)

HELD_OUT = (
    Column("greedy, %", _key("greedy_accuracy"), 100, compared=True),
    Column("mean of samples, %", _key("sampled_accuracy"), 100, compared=True),
    Column("Pass@8, %", lambda record: record["pass_at"].get("8"), 100, compared=True),
)
RESPONSES_AND_COST = (
    Column("length, tokens", _key("response_length")),
    Column("reflecting, %", _key("reflecting"), 100, note=_REFLECTION_NOTE),
    Column("DSR, %", _key("direct_solution_rate"), 100, note=_REFLECTION_NOTE),
    Column("ERR, %", _key("effective_reflection_rate"), 100, note=_REFLECTION_NOTE),
    Column("entropy, nats", _key("entropy"), digits=3),
    Column("rows a step", _key("rows_per_step")),
    Column("seconds a step", _seconds_alone, digits=2),
)
EQUAL_TOKENS = (
    Column("generated, k tokens", generated_tokens, 1e-3, compared=True),
    Column(
        "greedy at the end, %",
        accuracy_at_the_end,
        100,
        compared=True,
        difference=difference_at_equal_tokens,
        difference_title="to GRPO at equal tokens",
        note="At equal tokens: verl's validations (greedy) are read, between two of them linearly, where that of both "
        "runs ends that generated fewer tokens, those of constructing included.",
    ),
)
TRAINING = (
    Column("accuracy, %", _key("training_accuracy"), 100),
    Column("eligible, %", _key("eligible"), 100),
    Column("attempts a step", _key("attempts_per_step")),
    Column("parsed, %", _key("parsed"), 100),
    Column("right, %", _key("right"), 100),
    Column("no gradient, %", _key("zero_advantage_groups"), 100),
    Column("prefix kept, %", _key("prefix_fraction"), 100),
    Column("w_t", _key("ots_weight"), digits=2),
)
PREFIXES = (
    Column("up to the first error, %", _key("prefix_up_to_error"), 100),
    Column("less: a right step doubted, %", _key("prefix_before_error"), 100),
    Column("more, %", _key("prefix_beyond_error"), 100),
    Column("not verbatim, %", _key("prefix_not_verbatim"), 100),
    Column(
        "located, %",
        _key("located"),
        100,
        note="Located: attempts of continuation whose located step is the first wrong line; in turning ones: of those "
        "whose wrong rollout doubts a line.",
    ),
    Column("located in turning ones, %", _key("located_turning"), 100),
    Column(
        "advantage of the errors",
        _key("error_advantage"),
        digits=3,
        note="Advantage of the errors: Eq. 5's, summed over the rows that keep the first wrong line, per constructed "
        "row; above 0, G_ref makes the mistakes themselves more likely. Given where prefixes are trained with Eq. 5.",
    ),
)
PARTS = (
    ("Held-out accuracy", HELD_OUT),
    ("At equal generated tokens", EQUAL_TOKENS),
    ("Held-out responses; cost of training", RESPONSES_AND_COST),
    ("Training rollouts and constructions", TRAINING),
    ("What constructions keep of the wrong rollout", PREFIXES),
)


@dataclass(frozen=True)
class Row:
    """An arm's means by column title, and their differences to its GRPO where both have runs of the same seeds."""

    arm: Arm
    seeds: tuple[int, int]
    means: dict[str, Mean]
    differences: dict[str, Mean]


def values_by_seeds(records: Iterable[Record], arm: str, column: Column) -> dict[Seeds, float]:
    """One number of all runs of an arm."""
    values = {seeds: column.read(run) for seeds, run in _runs_by_seeds(records, arm).items()}
    return {seeds: value for seeds, value in values.items() if value is not None}


def _runs_by_seeds(records: Iterable[Record], arm: str) -> dict[Seeds, Record]:
    return {(run["seed"], run["rl_seed"]): run for run in records if run["arm"] == arm}


def make_rows(records: Sequence[Record]) -> list[Row]:
    """The table's rows, in the order of the arms; arms without a finished run are left out."""
    rows = []
    for arm in ARMS.values():
        runs = [record for record in records if record["arm"] == arm.name]
        if not runs:
            continue
        means, differences = {}, {}
        for column in (column for _, columns in PARTS for column in columns):
            values = values_by_seeds(records, arm.name, column)
            if values:
                means[column.title] = mean_over_seeds(values)
            if column.compared and arm.name != arm.baseline:
                difference = _difference(records, arm, column)
                if difference is not None:
                    differences[column.title] = difference
        rows.append(Row(arm, (len({run["seed"] for run in runs}), len(runs)), means, differences))
    return rows


def _difference(records: Sequence[Record], arm: Arm, column: Column) -> Mean | None:
    if column.difference is not None:
        return paired_difference(
            _runs_by_seeds(records, arm.name), _runs_by_seeds(records, arm.baseline), column.difference
        )
    return paired_difference(values_by_seeds(records, arm.name, column), values_by_seeds(records, arm.baseline, column))


def headings(columns: Sequence[Column]) -> list[str]:
    """Column headings, those of differences included."""
    names = ["arm", "cold starts / runs"]
    for column in columns:
        names += [column.title, column.difference_title] if column.compared else [column.title]
    return names


def cells(row: Row, columns: Sequence[Column]) -> list[str]:
    """A row's cells under ``headings``."""
    texts = [row.arm.title, "{} / {}".format(*row.seeds)]
    for column in columns:
        texts.append(_show(row.means.get(column.title), column))
        if column.compared:
            texts.append(_show_difference(row.differences.get(column.title), column))
    return texts


def lines_of(rows: Sequence[Row], columns: Sequence[Column]) -> list[list[str]]:
    """Cells of the rows that have a value in any of the columns."""
    return [cells(row, columns) for row in rows if any(column.title in row.means for column in columns)]


def with_values(rows: Sequence[Row], columns: Sequence[Column]) -> list[Column]:
    """The columns that any row has a value in: records of earlier studies lack some."""
    return [column for column in columns if any(column.title in row.means for row in rows)]


def markdown(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """The rows as a Markdown table."""
    names = headings(columns)
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *lines_of(rows, columns)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _show(mean: Mean | None, column: Column) -> str:
    if mean is None:
        return MISSING
    value = f"{mean.value * column.scale:.{column.digits}f}"
    return value if mean.stderr is None else f"{value} ± {mean.stderr * column.scale:.{column.digits}f}"


def _show_difference(mean: Mean | None, column: Column) -> str:
    if mean is None:
        return MISSING
    ends = [] if mean.half_width is None else [mean.value - mean.half_width, mean.value + mean.half_width]
    value, *interval = (f"{number * column.scale:+.{column.digits}f}" for number in (mean.value, *ends))
    return f"{value} [{', '.join(interval)}]" if interval else value
