"""How well a judge agrees with the truth: confusion counts and Cohen's kappa per question."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from recipe_tapo.reflection.rates import JudgedResponse, effective_reflection
from recipe_tapo.reflection.verdict import QUESTIONS

EFFECTIVE = "effective_reflection"


def agreement(truths: Sequence[JudgedResponse], judged: Sequence[JudgedResponse]) -> dict[str, dict[str, Any]]:
    """Compares two judgements of the same responses, in the same order.

    The questions about a reflection are compared where the truth has one: elsewhere both say "no" with little effort.

    Returns:
        Per question, and for the composite that ERR counts: ``confusion`` (``truth -> judge``: responses), ``compared``
        (responses on which both say yes or no), ``agree`` (their share on which both say the same), ``kappa``.
    """
    pairs = list(zip(truths, judged, strict=True))
    reflecting = [(truth, judge) for truth, judge in pairs if truth.answer("reflection_attempted") == "yes"]
    answers = {
        question: [
            (truth.answer(question), judge.answer(question))
            for truth, judge in (pairs if question == "reflection_attempted" else reflecting)
        ]
        for question in QUESTIONS
    }
    answers[EFFECTIVE] = [(_effective(truth), _effective(judge)) for truth, judge in reflecting]
    return {question: _agreement_of(given) for question, given in answers.items()}


def _effective(response: JudgedResponse) -> str:
    if response.answer("reflection_attempted") == "no":
        return "no"
    return {True: "yes", False: "no", None: "unsure"}[effective_reflection(response)]


def _agreement_of(answers: Sequence[tuple[str, str]]) -> dict[str, Any]:
    decided = [pair for pair in answers if set(pair) <= {"yes", "no"}]
    agree = sum(truth == judge for truth, judge in decided) / len(decided) if decided else None
    return {
        "confusion": {f"{truth} -> {judge}": count for (truth, judge), count in sorted(Counter(answers).items())},
        "compared": len(decided),
        "agree": agree,
        "kappa": cohens_kappa(decided),
    }


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """(p_o - p_e) / (1 - p_e): agreement beyond that of two raters who guess at their own rates.

    Returns:
        None without pairs, and where both raters always give one and the same answer: chance then explains everything.
    """
    if not pairs:
        return None
    total = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    observed = sum(a == b for a, b in pairs) / total
    expected = sum(first[label] * second[label] for label in first) / total**2
    return None if expected == 1.0 else (observed - expected) / (1.0 - expected)
