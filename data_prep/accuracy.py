"""A model's accuracy on each query: measured, shown, drawn, and put into the query's row."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from recipe_tapo.cli.tables import print_table


def measure_accuracies(groups: Iterable[tuple[str, list[dict]]]) -> list[float | None]:
    """Returns each query's share of right responses among those that the engine gave; None where it gave none."""
    accuracies = []
    for _, responses in groups:
        given = [response["right"] for response in responses if response["failure"] is None]
        accuracies.append(sum(given) / len(given) if given else None)
    return accuracies


def with_accuracy(table: pa.Table, accuracies: Sequence[float | None]) -> pa.Table:
    """Adds ``extra_info.accuracy`` to rows in verl's RL schema, and ``extra_info`` itself where it is missing."""
    field = pa.field("accuracy", pa.float64())
    column = pa.array(accuracies, field.type)
    if "extra_info" in table.column_names and pa.types.is_null(table.schema.field("extra_info").type):
        table = table.drop_columns(["extra_info"])
    if "extra_info" not in table.column_names:
        return table.append_column("extra_info", pa.StructArray.from_arrays([column], fields=[field]))
    extra_info = table["extra_info"].combine_chunks()
    # Unlike field(), flatten() gives nulls where the whole struct is null.
    children = dict(zip(extra_info.type, extra_info.flatten(), strict=True))
    children = {child: values for child, values in children.items() if child.name != field.name} | {field: column}
    struct = pa.StructArray.from_arrays(list(children.values()), fields=list(children))
    return table.set_column(table.column_names.index("extra_info"), "extra_info", struct)


def print_accuracies(accuracies: Sequence[float | None], low: float, high: float) -> None:
    """Prints how many queries are kept, and why the others are not."""
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    too_hard, too_easy = sum(accuracy < low for accuracy in known), sum(accuracy > high for accuracy in known)
    print_table(
        "Queries",
        ("", "count", "meaning"),
        [
            ("queries read", len(accuracies), ""),
            ("- too hard", too_hard, f"accuracy below {low:g}"),
            ("- too easy", too_easy, f"accuracy above {high:g}"),
            ("- no response", len(accuracies) - len(known), "every request failed"),
            ("queries kept", len(known) - too_hard - too_easy, ""),
        ],
    )
    if known:
        print(f"mean accuracy {sum(known) / len(known):.3f}")


def draw_histogram(path: Path, accuracies: Sequence[float | None], n: int, low: float, high: float) -> None:
    """Draws how many queries have which accuracy, the kept ones in colour.

    Args:
        path: The png file, whatever its suffix.
        accuracies: Of the queries.
        n: Responses per query, so that each possible accuracy gets a bar of its own.
        low: Least accuracy that is kept.
        high: Largest accuracy that is kept.
    """
    # Imported here, so that --help and bad input need not wait for it.
    from matplotlib.figure import Figure

    counts = [0] * (n + 1)
    for accuracy in accuracies:
        if accuracy is not None:
            counts[round(accuracy * n)] += 1
    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    colours = ["C0" if low <= bar / n <= high else "lightgray" for bar in range(n + 1)]
    bars = axis.bar([bar / n for bar in range(n + 1)], counts, width=0.9 / n, color=colours)
    axis.bar_label(bars, fontsize=8)
    axis.set_xlabel(f"share of right responses among {n}")
    axis.set_ylabel("queries")
    axis.set_title(f"{sum(counts)} queries; in colour those from {low:g} to {high:g}", fontsize=11)
    figure.savefig(path, format="png", dpi=130)
