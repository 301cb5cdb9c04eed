"""DSR and ERR (paper, §4), with bootstrap confidence intervals over problems.

DSR, the direct solution rate: of the right responses, the share without any reflection.
ERR, the effective reflection rate: of the responses with a reflection, the share that locate the error, diagnose it
and reach the right answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recipe_tapo.reflection.verdict import Outcome


@dataclass(frozen=True)
class JudgedResponse:
    """A response with what grader and judge say of it.

    Attributes:
        problem: Position of its problem in the boundary subset.
        right: The grader's verdict.
        outcome: The judge's; None where the request failed.
    """

    problem: int
    right: bool
    outcome: Outcome | None

    def answer(self, question: str) -> str:
        """The judge's answer; ``failed`` where there is none."""
        return self.outcome.answer(question) if self.outcome else "failed"


@dataclass(frozen=True)
class Tally:
    """A rate's counts per problem, shape (problems,).

    Attributes:
        successes_P: Responses that count for it.
        responses_P: Responses it is a share of.
        undecided: Responses left out because the judge did not say what is needed.
    """

    successes_P: np.ndarray
    responses_P: np.ndarray
    undecided: int


@dataclass(frozen=True)
class Rate:
    """A share with its confidence interval.

    Attributes:
        value: None where it is a share of nothing.
        low: Lower end of the interval; None where there is none.
        high: Upper end.
        successes: Responses that count for it.
        responses: Responses it is a share of.
        problems: Problems that these belong to.
        undecided: Responses left out because the judge did not say what is needed.
        note: Why value or interval is missing.
    """

    value: float | None
    low: float | None
    high: float | None
    successes: int
    responses: int
    problems: int
    undecided: int
    note: str | None


def direct_solution(response: JudgedResponse) -> bool | None:
    """Whether a right response came about without reflection; None where the judge does not say."""
    return {"no": True, "yes": False}.get(response.answer("reflection_attempted"))


def effective_reflection(response: JudgedResponse) -> bool | None:
    """Whether a reflecting response located and diagnosed its error and reached the right answer.

    One "no" decides, whatever else is unsure; the answer is right only if the grader agrees. None where the judge does
    not say enough.
    """
    if response.answer("reflection_attempted") != "yes":
        return None
    answers = [response.answer(question) for question in ("error_located", "error_diagnosed", "led_to_right_answer")]
    if "no" in answers or not response.right:
        return False
    return True if answers == ["yes"] * 3 else None


def tally_dsr(responses: Sequence[JudgedResponse], problems: int) -> Tally:
    """Counts for DSR."""
    return _tally([(r.problem, direct_solution(r)) for r in responses if r.right], problems)


def tally_err(responses: Sequence[JudgedResponse], problems: int) -> Tally:
    """Counts for ERR; a response that may or may not reflect is undecided."""
    reflecting = [r for r in responses if r.answer("reflection_attempted") != "no"]
    return _tally([(r.problem, effective_reflection(r)) for r in reflecting], problems)


def _tally(outcomes: Sequence[tuple[int, bool | None]], problems: int) -> Tally:
    successes_P, responses_P = np.zeros(problems), np.zeros(problems)
    for problem, success in outcomes:
        if success is not None:
            successes_P[problem] += success
            responses_P[problem] += 1
    return Tally(successes_P, responses_P, sum(success is None for _, success in outcomes))


def resample(problems: int, resamples: int, seed: int) -> np.ndarray:
    """How often each problem is drawn in each resample, shape (resamples, problems)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(problems, np.full(problems, 1.0 / problems), size=resamples)


def rate(tally: Tally, draws_RP: np.ndarray, confidence: float, nothing: str) -> Rate:
    """A share and its percentile interval.

    Args:
        tally: The counts.
        draws_RP: Of ``resample``.
        confidence: Of the interval, 0.95 for instance.
        nothing: What to note where there are no responses.
    """
    counts = {
        "successes": int(tally.successes_P.sum()),
        "responses": int(tally.responses_P.sum()),
        "problems": int((tally.responses_P > 0).sum()),
        "undecided": tally.undecided,
    }
    if not counts["responses"]:
        return Rate(value=None, low=None, high=None, **counts, note=nothing)
    low, high, note = _interval(_shares(tally, draws_RP), confidence, counts["problems"])
    return Rate(value=counts["successes"] / counts["responses"], low=low, high=high, **counts, note=note)


def difference(first: Tally, second: Tally, draws_RP: np.ndarray, confidence: float) -> dict[str, float | str | None]:
    """Second rate minus first, both on the same resamples, so that hard problems count for both alike."""
    if not (first.responses_P.sum() and second.responses_P.sum()):
        return {"value": None, "low": None, "high": None, "note": "one of the two rates is missing"}
    value = second.successes_P.sum() / second.responses_P.sum() - first.successes_P.sum() / first.responses_P.sum()
    problems = int(min((first.responses_P > 0).sum(), (second.responses_P > 0).sum()))
    low, high, note = _interval(_shares(second, draws_RP) - _shares(first, draws_RP), confidence, problems)
    return {"value": float(value), "low": low, "high": high, "note": note}


def _shares(tally: Tally, draws_RP: np.ndarray) -> np.ndarray:
    """The share in each resample, shape (resamples,); NaN where it has no responses."""
    responses_R = draws_RP @ tally.responses_P
    shares_R = np.full(len(draws_RP), np.nan)
    np.divide(draws_RP @ tally.successes_P, responses_R, out=shares_R, where=responses_R > 0)
    return shares_R


def _interval(values_R: np.ndarray, confidence: float, problems: int) -> tuple[float | None, float | None, str | None]:
    if problems < 2:
        return None, None, "all responses belong to one problem: no interval"
    known = values_R[~np.isnan(values_R)]
    if not known.size:
        return None, None, "no resample had such a response: no interval"
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    missing = len(values_R) - len(known)
    note = f"{missing} of {len(values_R)} resamples had no such response and are left out" if missing else None
    return float(low), float(high), note
