r"""Guard against a correction that begins with its result: the right sibling's answer, before any reason (ours).

"Wait, this is 324, which is not 353": nobody who has only the wrong step in view knows of the 353 yet. Whoever is
trained on it learns to state an answer and to look for a way to it afterwards.
"""

import re

# What says its answer later than this does not begin with it.
_REACH = 240
_TOKEN = re.compile(r"\\[A-Za-z]+|\d+|\S")
_LAYOUT = re.compile(r"\\(?:left|right)(?![A-Za-z])|\\[!,;: ]|\$|\\(?:text|mathrm)\s?\{[^{}\n]{0,80}\}")
_FRACTION = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_OPERATOR = r"[-+*/^×·]"
_COMMAND = r"\\(?:frac|cdot|times|div|equiv|implies|pmod|sqrt|sum|leq?|geq?)(?![A-Za-z])"
_SAYS = (
    r"(?i:[=:：]|\b(?:is|are|was|were|be|not|got|gotten|get|gives?|equals?|answer|result|value)\b"
    r"|\b(?:equal|simplif\w{1,3}|evaluat\w{1,3}|com\w{1,3}|lead\w?) to\b|\b(?:answer|result|value|total|sum) of\b"
    r"|是|为|等于|得到?)"
    r"(?:\s{1,3}(?:us|indeed|actually|really|just|exactly|simply|only|not|equal to|the)\b){0,2}"
    r"[\s$*(\[\\]{0,8}(?:boxed\s?\{\s{0,2})?"
)
# Behind a number that is the answer no calculation goes on.
_ENDS = rf"(?!\w|[.,]\d|\s{{0,2}}(?:{_OPERATOR}|[=<>_!]|{_COMMAND}))"
_BARE_CLAIM = r"(?:(?:we|it|the (?:\w{1,20} )?(?:answer|result|value)) (?:should|must)|the (?:\w{1,20} )?answer is)\b"
_WORK = r"(?:(?:subtract|add|divid|multipl|squar|substitut|simplif|factor|count)\w{0,4}|plus|minus|times|half|twice)"
_REASON = re.compile(
    rf"[=≡≈<>]|{_COMMAND}|\w\s?{_OPERATOR}\s?[\d\\(]|\d\s?{_OPERATOR}\s?\w|\d, \d{{1,9}}, |```|\b{_WORK}\b"
    rf"|\b(?:because|since)\b(?! {_BARE_CLAIM})|\b(?:so|thus|hence|therefore|implies|means|due to|if|when|need)\b"
    r"|因为|由于|所以|因此|如果",
    re.IGNORECASE,
)


def states_answer_first(text: str, answer: str, seen: str) -> bool:
    r"""Whether a continuation says the right sibling's answer before it gives any reason.

    An answer counts as said behind a word such as "is", "not" or "=", or in a box. Whatever could lead to it counts
    as a reason: an equation, a calculation, a list of numbers, code, "because", "subtracting".

    Args:
        text: What stands behind the preserved prefix.
        answer: The right sibling's answer as it wrote it, LaTeX included. None ("") and a single letter are never
            said: letters stand in every sentence.
        seen: Question and preserved prefix. An answer that they say already gives nothing away.
    """
    said, begins = _said(answer), _plain(text[:_REACH])
    found = said and said.search(begins)
    return bool(said and found and not _REASON.search(begins, 0, found.start()) and not said.search(_plain(seen)))


def _said(answer: str) -> re.Pattern[str] | None:
    tokens = _TOKEN.findall(_plain(answer).rstrip(". "))
    if not tokens or (len(tokens) == 1 and len(tokens[0]) == 1 and tokens[0].isalpha()):
        return None
    return re.compile(_SAYS + r"\s{0,2}".join(map(re.escape, tokens)) + _ENDS)


def _plain(text: str) -> str:
    """Without what LaTeX has for the look alone."""
    return _FRACTION.sub(r"\\frac", _LAYOUT.sub("", text))
