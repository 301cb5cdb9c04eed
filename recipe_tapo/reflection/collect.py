"""Outcomes of many cases: from the cache where they are in it, else from the judge, and into the cache at once."""

from collections.abc import Iterable
from itertools import chain

from tqdm import tqdm

from recipe_tapo.errors import InputError
from recipe_tapo.reflection.cache import VerdictCache
from recipe_tapo.reflection.endpoint import EndpointJudge
from recipe_tapo.reflection.verdict import Case, Outcome
from recipe_tapo.sampling.chat import RequestFailed, ask_all

# So many answers of which none is a verdict are no accident of single cases.
_HOPELESS = 32


def judge_by_endpoint(
    judge: EndpointJudge, cases: Iterable[Case], cache: VerdictCache, *, concurrency: int, retry_malformed: bool = False
) -> dict[Case, Outcome]:
    """Outcomes of all cases that the judge answered; equal responses to one question are judged once.

    Args:
        judge: The judge.
        cases: What to judge, repetitions allowed.
        cache: Verdicts of earlier runs; gets the new ones as they come.
        concurrency: Requests under way at a time.
        retry_malformed: Ask again where an earlier answer was no verdict.

    Returns:
        Outcome by case; a case whose request failed is missing, and is asked about again by the next run.

    Raises:
        InputError: The endpoint does not work, or answers with nothing but garbage. The cache keeps what came before.
    """
    distinct = list(dict.fromkeys(cases))
    known = {case: cache.recall(case) for case in distinct}
    open_cases = [case for case, outcome in known.items() if outcome is None or (retry_malformed and outcome.malformed)]
    # Verdicts of an earlier run show that the judge is able to give them.
    useful = sum(outcome is not None and not outcome.malformed for outcome in known.values())
    useless = 0
    last = ""
    with tqdm(total=len(distinct), initial=len(distinct) - len(open_cases), desc="judging", disable=None) as progress:
        for case, outcome in chain.from_iterable(ask_all(judge.judge, open_cases, concurrency)):
            if isinstance(outcome, RequestFailed):
                failure = str(outcome)
            else:
                cache.remember(case, outcome)
                known[case] = outcome
                failure = outcome.malformed and f"malformed ({outcome.malformed.value})"
            useful += not failure
            useless += bool(failure)
            last = failure or last
            if useless >= _HOPELESS and not useful:
                break
            progress.update()
    if useless and not useful:
        raise InputError(
            f"the judge gave no verdict in {useless} answers, the last one: {last}; try another --judge_model or "
            "--judge_response_format, and --retry_malformed to ask again about these responses"
        )
    return {case: outcome for case, outcome in known.items() if outcome is not None}
