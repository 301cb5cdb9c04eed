"""A variant's results in numbers, and what they mean in a sentence."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from recipe_tapo.algorithm.prompts import CONTINUATION, FULL_RECONSTRUCTION
from recipe_tapo.construction.failed_steps import MACHINERY
from recipe_tapo.reasons import RejectReason

# What a model is rejected for that needs no lesson but a longer context or budget.
_NO_ROOM = (RejectReason.TRUNCATED, RejectReason.TOO_LONG, RejectReason.DOES_NOT_FIT)


@dataclass(frozen=True)
class Summary:
    """What one variant gives; shares are None where they are shares of nothing.

    Attributes:
        name: The variant.
        eligible: Share of the groups that are eligible (Eq. 3).
        attempts: Construction attempts.
        usable: Share of the attempts that gave a row to train on.
        recovered: Share of the attempts that missed the format and were read nevertheless.
        rejected: Attempts that came to nothing, by reason.
        retried: Outputs that were rejected and then sampled anew, by reason.
        right: Share of the usable ones whose reward says right.
        doubts: Share of the usable ones in which the policy expresses a doubt after the preserved prefix.
        prefix: Preserved share of y⁻'s tokens, mean over the usable ones.
        leaks: Usable ones that speak of what only the synthesis prompt shows, as a share.
        nll: Negative log-likelihood per token after the prefix under the plain question.
        turn_nll: The same over the first tokens after the prefix.
        at_w_min: Share of those tokens at the lower bound of w (Eq. 7).
        new_tokens: Generated tokens per usable trajectory.
        seconds: Seconds of construction per usable trajectory, as the groups overlapped here.
        rows_per_group: Constructed rows to expect per rollout group of a training step.
    """

    name: str
    eligible: float | None
    attempts: int
    usable: float | None
    recovered: float | None
    rejected: dict[str, int]
    retried: dict[str, int]
    right: float | None
    doubts: float | None
    prefix: float | None
    leaks: float | None
    nll: float | None
    turn_nll: float | None
    at_w_min: float | None
    new_tokens: float | None
    seconds: float | None
    rows_per_group: float | None

    @property
    def machinery(self) -> dict[str, int]:
        """Attempts that failed for reasons of the engine or the grader, by reason."""
        return {reason: count for reason, count in self.rejected.items() if reason in MACHINERY}

    @property
    def failed(self) -> bool:
        """Whether these are most of the attempts."""
        return 2 * sum(self.machinery.values()) > self.attempts


def summarize(name: str, results: Sequence[dict[str, Any]]) -> Summary:
    """Adds up a variant's results, one per question."""
    reports = [result["report"] for result in results]
    records = [record for result in results for record in result["records"]]
    usable = [record for record in records if record["reason"] is None]
    measured = [m for result in results for m in result["measured"] if m is not None]

    def mean(key: str) -> float | None:
        return fmean(m[key] for m in measured) if measured else None

    return Summary(
        name=name,
        eligible=_share(reports, lambda report: report["eligible"]),
        attempts=len(records),
        usable=_share(records, lambda record: record["reason"] is None),
        recovered=_share(records, lambda record: record["recovered"] is not None),
        rejected=_counts(reports, "rejected"),
        retried=_counts(reports, "retried"),
        right=_share(usable, lambda record: record["right"]),
        doubts=_share(usable, lambda record: record["doubt"]),
        prefix=fmean(record["prefix_fraction"] for record in usable) if usable else None,
        leaks=_share(usable, lambda record: record["leak"]),
        nll=mean("nll"),
        turn_nll=mean("turn_nll"),
        at_w_min=mean("at_w_min"),
        new_tokens=sum(report["synthesis_tokens"] for report in reports) / len(usable) if usable else None,
        seconds=sum(result["seconds"] for result in results) / len(usable) if usable else None,
        rows_per_group=len(usable) / len(reports) if reports else None,
    )


def _counts(reports: Sequence[dict[str, Any]], name: str) -> dict[str, int]:
    return dict(sum((Counter(report[name]) for report in reports), Counter[str]()))


def _share(items: Iterable[Any], holds: Callable[[Any], Any]) -> float | None:
    flags = [bool(holds(item)) for item in items]
    return fmean(flags) if flags else None


def advice(summary: Summary) -> str:
    """What a variant's numbers say about training with it."""
    if summary.failed:
        return (
            f"{summary.name}: most attempts failed for reasons of the engine or the grader "
            f"({', '.join(summary.machinery)}), which says nothing about the model. See the messages above, and run it "
            "again when they are mended."
        )
    if not summary.attempts:
        return f"{summary.name}: no group is eligible, so nothing would be constructed; see tapo.selection."
    problems: list[tuple[str, bool]] = []  # each with whether a cold start teaches what is amiss
    if summary.usable is not None and summary.usable < 0.8:
        most = max(summary.rejected, key=summary.rejected.__getitem__, default="none")
        said = f"only {summary.usable:.0%} of the attempts are usable (most often rejected: {most})"
        problems.append((said, most not in _NO_ROOM))
    anew = summary.name == FULL_RECONSTRUCTION  # keeps nothing and doubts nothing, by what it asks for
    if summary.prefix is not None and summary.prefix < 0.1 and not anew:
        problems.append((f"{summary.prefix:.1%} of the wrong rollout is preserved, so the mistake is not shown", True))
    if summary.leaks is not None and summary.leaks > 0.05:
        problems.append((f"{summary.leaks:.0%} speak of the synthesis prompt", True))
    if summary.doubts is not None and summary.doubts < 0.5 and not anew:
        said = f"{summary.doubts:.0%} doubt anything after what is preserved, so they do not show a turn"
        problems.append((said, True))
    if summary.right is not None and summary.right < 0.3:
        problems.append((f"{summary.right:.0%} end right, so they hardly show how to mend a mistake", False))
    if not problems:
        return f"{summary.name}: this model's constructions are fit to train on."
    if not any(taught for _, taught in problems):
        remedy = "Read its attempts before you train on them, and give it more room where outputs are cut."
    elif summary.name.startswith(CONTINUATION):
        remedy = (
            "If locate, transition, sibling, temperature and tries are not at their defaults, go back to these; "
            "otherwise train the cold start and use micro_reflective."
        )
    else:
        remedy = "This model needs the cold start for this mode; without one use tapo.synthesis.mode=continuation."
    return f"{summary.name}: {'; '.join(said for said, _ in problems)}. {remedy}"
