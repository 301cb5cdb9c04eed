"""What ``tapo reflect`` leaves behind.

``reflection.json`` holds every number that the command prints, ``verdicts.jsonl`` a line per judged response.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from recipe_tapo.reflection.pairs import JudgedCases
from recipe_tapo.reflection.verdict import QUESTIONS, Case, Outcome

REFLECTION = "reflection.json"
VERDICTS = "verdicts.jsonl"


def verdict_rows(cases: Mapping[str, JudgedCases], outcomes: Mapping[Case, Outcome]) -> list[dict[str, Any]]:
    """The lines of ``verdicts.jsonl``; ``malformed`` says why there is no verdict."""
    rows = []
    for model, judged in cases.items():
        for record, case in judged:
            outcome = outcomes.get(case)
            rows.append(
                {
                    "model": model,
                    "benchmark": record.benchmark,
                    "problem_idx": record.problem_idx,
                    "run": record.run,
                    "sample": record.sample,
                    "right": record.right,
                    "verdict": outcome.verdict.model_dump() if outcome and outcome.verdict else None,
                    "malformed": "request_failed" if outcome is None else outcome.malformed and outcome.malformed.value,
                }
            )
    return rows


def count_verdicts(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Per model: judged responses, verdicts with an unsure answer, outputs that are no verdict by reason.

    ``contradicts_grader`` counts verdicts that see a right answer where the grader does not.
    """
    counts: dict[str, Counter] = {}
    for row in rows:
        model, verdict = counts.setdefault(row["model"], Counter()), row["verdict"]
        model["responses"] += 1
        if verdict is None:
            model[row["malformed"]] += 1
            continue
        model["verdicts"] += 1
        model["unsure"] += any(verdict[question] == "unsure" for question in QUESTIONS)
        model["contradicts_grader"] += verdict["led_to_right_answer"] == "yes" and not row["right"]
    return {model: dict(count) for model, count in counts.items()}
