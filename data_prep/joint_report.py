"""What the cold-start builder tells: yields, rejections by reason, and examples to read."""

import random
from collections.abc import Iterator
from statistics import median
from typing import Any

from data_prep.joint_set import IFT, SFT, JointSet, JointSetSettings
from data_prep.trajectories import INELIGIBLE, WRONG_ANSWER
from recipe_tapo.cli.tables import print_table

EXAMPLES = 10
_FENCE = "~" * 8


def make_report(joint: JointSet, settings: JointSetSettings) -> dict[str, Any]:
    """Returns yields and rejections as one json object."""
    queries = sum(joint.reasons.values())
    ineligible = {reason: joint.reasons[reason] for reason in INELIGIBLE}
    attempted = queries - sum(ineligible.values())
    rejected = {
        reason: count for reason, count in sorted(joint.reasons.items(), key=str) if reason and reason not in INELIGIBLE
    }
    verified = joint.reasons[None]
    fractions = joint.prefix_fractions
    return {
        "queries": queries,
        "ineligible": ineligible,
        "constructions": {
            "attempted": attempted,
            "parsed": verified + rejected.get(WRONG_ANSWER, 0),
            "verified_right": verified,
            "rejected": rejected,
        },
        "preserved_prefix": {
            "mean": sum(fractions) / max(1, len(fractions)),
            "median": median(fractions) if fractions else 0.0,
            "none": sum(fraction == 0.0 for fraction in fractions),
        },
        "unfit": {f"{row_format}/{reason}": count for (row_format, reason), count in sorted(joint.dropped.items())},
        "rows": {
            "sft": {
                "asked": settings.sft,
                "trajectories": joint.used[SFT, False],
                "fill_up": joint.used[SFT, True],
            },
            "ift": {"asked": settings.ift, "trajectories": joint.used[IFT, False]},
            "total": len(joint.rows),
        },
    }


def print_report(report: dict[str, Any]) -> None:
    """Prints the report as a table."""
    constructions, prefix, rows = report["constructions"], report["preserved_prefix"], report["rows"]
    attempted = constructions["attempted"]
    lines: list[tuple[str, int | str, str]] = [("queries", report["queries"], "")]
    lines += [(f"- {reason}", count, "") for reason, count in report["ineligible"].items()]
    lines.append(("constructions attempted", attempted, _share(attempted, report["queries"])))
    lines += [(f"- {reason}", count, _share(count, attempted)) for reason, count in constructions["rejected"].items()]
    right = constructions["verified_right"]
    lines.append(("trajectories verified right", right, _share(right, attempted)))
    lines += [(f"- unfit for {name}", count, "") for name, count in report["unfit"].items()]
    for name in ("sft", "ift"):
        made = rows[name]["trajectories"]
        lines.append((f"{name} rows", made, f"of {rows[name]['asked']} asked for"))
    lines.append(("sft rows filled up", rows["sft"]["fill_up"], "ordinary right responses, marked fill_up"))
    lines.append(("rows in all", rows["total"], ""))
    print_table("Cold start", ("", "count", ""), lines)
    print(f"preserved prefix: mean {prefix['mean']:.0%}, median {prefix['median']:.0%} of the wrong response's tokens")


def examples_text(joint: JointSet, seed: int) -> str:
    """Ten trajectories to read, as Markdown: question, wrong response, what was kept of it and what follows."""
    chosen = random.Random(seed).sample(joint.trajectories, min(EXAMPLES, len(joint.trajectories)))
    return "\n".join(line for number, pair in enumerate(chosen, start=1) for line in _example(number, *pair))


def _example(number: int, query: Any, result: dict) -> Iterator[str]:
    prefix = result["prefix_text"]
    preserved = f"{result['prefix_length']} of {result['error_tokens']} tokens"
    yield f"# {number}. Gold answer: {query.gold}\n"
    for title, text in (
        ("Question", query.messages[-1]["content"]),
        ("Wrong response", result["error"].strip()),
        (f"Trajectory: preserved prefix ({preserved})", prefix),
        ("Trajectory: what follows", result["trajectory"].removeprefix(prefix)),
    ):
        yield f"## {title}\n\n{_FENCE}\n{text}\n{_FENCE}\n"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""
