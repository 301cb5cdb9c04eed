"""Summaries side by side: a line per quantity, a column per variant."""

from collections.abc import Mapping, Sequence

from recipe_tapo.preview.summary import Summary

_LINES = (
    ("groups eligible", "eligible", "{:.0%}"),
    ("attempts", "attempts", "{}"),
    ("usable of attempts", "usable", "{:.0%}"),
    ("recovered", "recovered", "{:.0%}"),
    ("right, of usable", "right", "{:.0%}"),
    ("a doubt of its own after the preserved prefix, of usable", "doubts", "{:.0%}"),
    ("preserved prefix, mean share of y⁻", "prefix", "{:.1%}"),
    ("leaks, of usable", "leaks", "{:.0%}"),
    ("NLL after the prefix", "nll", "{:.2f}"),
    ("of its first 12 tokens", "turn_nll", "{:.2f}"),
    ("tokens at w_min", "at_w_min", "{:.1%}"),
    ("new tokens per usable", "new_tokens", "{:.0f}"),
    ("seconds per usable", "seconds", "{:.1f}"),
)


def table_lines(summaries: Sequence[Summary], batch: int | None = None) -> list[list[str]]:
    """The lines of the table.

    Args:
        summaries: One per variant.
        batch: Questions per training step, for the constructed rows to expect; None for no such line.

    Returns:
        Lists of a heading and a cell per variant; the reasons for rejection come last, those for sampling anew before.
    """
    lines = [[heading, *(_cell(getattr(s, name), form) for s in summaries)] for heading, name, form in _LINES]
    if batch is not None:
        rows = [None if s.rows_per_group is None else batch * s.rows_per_group for s in summaries]
        lines.append([f"constructed rows per step of {batch} questions", *(_cell(row, "{:.1f}") for row in rows)])
    lines += _reasons("sampled anew after", [s.retried for s in summaries])
    return lines + _reasons("rejected as", [s.rejected for s in summaries])


def _reasons(heading: str, counts: Sequence[Mapping[str, int]]) -> list[list[str]]:
    reasons = sorted({reason for count in counts for reason in count})
    return [[f"{heading} {reason}", *(str(count.get(reason, 0)) for count in counts)] for reason in reasons]


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)
