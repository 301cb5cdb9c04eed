"""A second reading of a comparison: after as many generated tokens instead of as many steps."""

from itertools import pairwise

from examples.study.results import Record


def generated_tokens(record: Record) -> float | None:
    """Tokens that a run generated in all, rollouts and synthesis; None without such a log or a last validation."""
    generated, held_out = (record.get("curve", {}).get(name, []) for name in ("generated_tokens", "held_out"))
    return generated[-1] if generated and str(len(generated)) in held_out else None


def accuracy_after(record: Record, tokens: float) -> float:
    """Held-out accuracy after so many generated tokens, between two validations by linear interpolation.

    Args:
        record: A run with ``curve`` and validations before and after training.
        tokens: At most those that the run generated.
    """
    generated = [0, *record["curve"]["generated_tokens"]]
    points = sorted((generated[int(step)], accuracy) for step, accuracy in record["curve"]["held_out"].items())
    for (left, before), (right, after) in pairwise(points):
        if tokens <= right:
            return before + (after - before) * (tokens - left) / (right - left)
    return points[-1][1]


def accuracy_at_the_end(record: Record) -> float | None:
    """Held-out accuracy at the last validation; None of a run without such a log."""
    tokens = generated_tokens(record)
    return None if tokens is None else accuracy_after(record, tokens)


def difference_at_equal_tokens(record: Record, baseline: Record) -> float | None:
    """By how much a run is above another where the one that generated fewer tokens ends; None without both logs."""
    totals = generated_tokens(record), generated_tokens(baseline)
    if totals[0] is None or totals[1] is None:
        return None
    tokens = min(totals[0], totals[1])
    return accuracy_after(record, tokens) - accuracy_after(baseline, tokens)
