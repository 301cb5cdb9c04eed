r"""Guard against a correction that begins with its result: the right sibling's answer, before any reason (ours).

"Wait, this is 324, which is not 353": nobody who has only the wrong step in view knows of the 353 yet. Whoever is
trained on it learns to state an answer and to look for a way to it afterwards.
"""

import re

from recipe_tapo.algorithm.answer_spelling import plain

# What says its answer later than this does not begin with it.
_REACH = 320
# A longer answer is no value that a sentence mentions.
_LONGEST = 100

_SENTENCE_ENDS = ("\n", ".", "!", "?", "。", "！", "？")
_UNIT = re.compile(r"(?<=\d)\s?(?:%|°|\^\{?\\circ\}?|\s[A-Za-z][A-Za-z ]{0,40})?[.\s]*\Z")
_TOKEN = re.compile(r"\\[A-Za-z]+|\d+|\S")

_OPENS = r"(?:[ (]|\\\(|\s{0,2}\\\[\s{0,2}|\\boxed\s?\{\s{0,2}){0,5}"
_SAYS = (
    r"(?:(?i:(?<!final answer)[:：]|是|为|等于|得到?"
    r"|\b(?:is|are|was|were|be|been|not|got|gotten|get|gives?|yields?|equals?|answer|result|value)\b"
    r"|\b(?:it|that)['’]s\b|\b(?:equal|simplif\w{1,3}|evaluat\w{1,3}|com\w{1,3}(?: out)?|lead\w?) to\b"
    r"|\b(?:answer|result|value|total|sum) of\b)"
    r"(?: (?:us|indeed|actually|really|just|exactly|simply|only|not|equal to|the)\b){0,2})" + _OPENS
)
_EQUALS_OR_SAYS = rf"(?:={_OPENS}|{_SAYS})"
# "2 cases" counts something on the way; "12 dollars" is a value with its unit.
_UNITS = (
    r"(?:dollars|cents|degrees|units|percents|points|seconds|minutes|hours|days|weeks|months|years"
    r"|inches|met(?:er|re)s|centimet(?:er|re)s|kilomet(?:er|re)s|miles|grams|kilograms|pounds|ounces|liters|gallons)\b"
)
_COUNTED = (
    r"(?:(?:different|distinct|possible|separate|real|integer|positive|negative|other|such) )?"
    rf"(?!{_UNITS})[a-z]{{3,20}}s\b"
)
# A value ends where it is no part of a longer number, a list, a calculation, a comparison, a count or a condition.
_ENDS = (
    r"(?!\w|[.,]\d|:|, \d|\s?[-+*/^×÷·⋅=<>_!(]|\s?\\(?:cdot|times|div|equiv|pmod|leq?|geq?|sqrt|frac|pi)(?![A-Za-z])"
    rf"|\s?%\s+of\b|\s+(?:times|more|less|of|when|if|for|only)\b|\s+{_COUNTED})"
)
_STATED = re.compile(_EQUALS_OR_SAYS + r"-?\d+(?:\.\d+)?%?" + _ENDS)
_LOOKING = re.compile(r"\b(?:see|check|verify) (?:if|whether)\b|\bnot so\b|\bstep[- ]by[- ]step\b", re.IGNORECASE)
_CLAIMED = r"(?:(?:we|it|the (?:\w{1,20} )?(?:answer|result|value|sum)) (?:should|must)|the (?:\w{1,20} )?answer is)\b"
_REASON = re.compile(
    r"[\d=<>≡≈+^]|\w\s?[*/×÷·⋅]\s?\w|\\(?:frac|cdot|times|div|equiv|implies|sqrt|sum|binom|leq?|geq?)(?![A-Za-z])|```"
    rf"|\b(?:because|since)\b(?! {_CLAIMED})|\b(?:for|let|take|try) (?:\\\(\s?)?[a-z]\b"
    r"|\b(?:so|thus|hence|therefore|implies|means|due to|if|when|by|using|forgot|missed|missing|theorem|formula)\b"
    r"|因为|由于|所以|因此|如果|那么|既然|根据|代入|漏",
    re.IGNORECASE,
)


def states_answer_first(text: str, answer: str, question: str, kept: str = "") -> bool:
    r"""Whether a continuation says the right sibling's answer before it gives any reason.

    An answer counts as said after a word such as "is" or "not", within the first 320 characters; "x = 4" is an
    equation, which says it as the last step of a solution does. Whatever could lead to it counts as a reason: a number
    (but a value that is only stated, as that of the wrong step is), a formula, code, or a word such as "because", "so"
    or "using". In doubt it is a reason.

    Args:
        text: What stands after the preserved prefix. Its line "Final Answer:" says nothing first.
        answer: The right sibling's answer as it wrote it, LaTeX included. An empty one, a single letter and one of
            more than 100 characters never count as said.
        question: The question. An answer that stands in it may be named.
        kept: The preserved prefix. An answer that stands in it may be named, too (one digit where it is stated as a
            value), and a sentence that it has begun belongs to it.
    """
    spelled = _spelled(answer)
    if spelled is None:
        return False
    begins = plain(text[: 2 * _REACH])
    if kept and not kept.rstrip(" ").endswith(_SENTENCE_ENDS):
        begins = begins.partition("\n")[2]
    found = re.search(_SAYS + spelled + _ENDS, begins)
    if found is None or found.start() > _REACH:
        return False
    if _REASON.search(_LOOKING.sub("", _STATED.sub("", begins[: found.start()]))):
        return False
    said = rf"(?<![\w.]){spelled}(?!\w|\.\d)"
    # One digit stands in nearly every solution, so that it has to be stated there.
    stated = _EQUALS_OR_SAYS + spelled + _ENDS if len(answer.strip()) == 1 else said
    return not (re.search(said, plain(question)) or re.search(stated, plain(kept)))


def _spelled(answer: str) -> str | None:
    if len(answer) > _LONGEST:
        return None
    tokens = _TOKEN.findall(_UNIT.sub("", plain(answer)))
    if not tokens or (len(tokens) == 1 and len(tokens[0]) == 1 and tokens[0].isalpha()):
        return None
    return r"\s{0,2}".join(map(re.escape, tokens))
