r"""What introduces an answer ("The answer is", ``\therefore``) and what explains it ("since x > 0")."""

import re

_ADJECTIVES = r"(?:(?:final|correct|required|desired|right|only|possible)\s+)*"
_ANSWER = rf"(?:the\s+)?{_ADJECTIVES}(?:ans|answers?|results?|solutions?|solution\s+set|values?)"
_OF_WHAT = r"(?:\s+(?:to\s+the\s+(?:problem|question)|(?:for|of)\s+(?:\\?[a-z]|\$[a-z]\$)))?"
_IS = r"(?:\b(?:is|are|be|equals?)\b|[:=])"
_SO = r"(?:therefore|thus|hence|so|then|finally)"
_ABOUT_THE_VALUE = (
    r"(?:no|not|never|than|at most|at least|over|under|below|above|between|half|twice|double|triple|either|neither|or"
    r"|if|unless|minus|negative|squared?|cubed?|roots? of|option|choice"
    r"|inverse|reciprocal|opposite|up|wrong|incorrect|isn't|aren't|cannot|can't)\b"
)
_VERB = r"(?:is|are|be|gets?|have|has|obtains?|finds?|gives?|equals?)"
_OF_SOMETHING = rf"(?=[^{{}}]*[a-zA-Z]{{2}})(?![^{{}}]*\b{_ABOUT_THE_VALUE})[a-zA-Z ,'-]*"
_LEAD_INS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\\text\{{[^{{}}]*\b(?:ans|answer|result|solution|value)s?\b[^{{}}]*{_IS}\s*\}}\s*[:=]?\s*",
        rf"{_ANSWER}{_OF_WHAT}\s*{_IS}\s*[:=]?\s*",
        r"\\(?:therefore|implies|(?:Long)?(?:left)?[rR]ightarrow|(?:Long|L)eftrightarrow|longrightarrow|leadsto|iff|to)"
        r"(?![a-zA-Z])\s*,?\s*",
        rf"\\text\{{\s*{_SO}\s*,?\s*\}}\s*|{_SO}\b\s*,?\s+",
        r"(?:\\approx(?![a-zA-Z])|\\checkmark(?![a-zA-Z])|=|:)\s*",
        # A text that says of what the value is; what it says about the value itself stays.
        rf"\\text\{{{_OF_SOMETHING}(?:\b{_VERB}|[:=])\s*\}}\s*[:=]?\s*",
        rf"\\text\{{{_OF_SOMETHING}\}}\s*\$?\\?[a-zA-Z]\$?\s*\\text\{{\s*(?:is|are|equals?)\s*:?\s*\}}\s*",
        r"\\text\{\s*(?:ans|answer)\s*\}\s*[:=]\s*",
        r"\\text\{\s*(?:both|all)\s*\}\s*|both\s+",
        r"\\text\{\s*(?:approximately|approx\.?|about|exactly)\s*\}\s*|(?:approximately|exactly)\s+",
        r"\\text\{\s*(?:所以|因此|故)?\s*,?\s*(?:最终|正确|最后)?的?(?:答案|结果|解|值)\s*(?:是|为|等于|[:=])\s*[:=]?\s*\}",
        r"(?:所以|因此|故|于是|从而)?\s*,?\s*(?:最终|正确|最后)?的?(?:答案|结果|解|值)\s*(?:是|为|等于|[:=])\s*[:=]?",
        r"答?案?选(?!项)\s*[:=]?\s*(?=\(?[A-J])|大?约(?=\s*[\d.\\-])|第(?=\d)",
        r"答\s*[:=]\s*|(?:所以|因此|故)\s*,?",
    )
]
# "2\\sqrt{3} \\text{ (approximately } 3.46)" says the same twice, and is held against itself.
_IN_OTHER_WORDS = r"(?:or\s+)?(?:approximately|approx\.?|about|roughly|equivalently|i\.e\.)\s*,?"
_RESTATED = re.compile(
    rf"(?<=[\w}})]) ?(?:\\q?quad|\\[,;: ])? ?"
    rf"(?:\(\s*\\approx|\(?\s*\\text\{{[ ,]{{0,9}}\(?\s*{_IN_OTHER_WORDS}\s*\}}?)"
    r"\s*([^()=,;]{1,60}?)\s*(?:\)|\\text\{\s*\)\s*\})?\}?$"
)
_REASON = r"(?:since|because|due to|as (?:required|desired|needed)|(?:rounded|correct) to)\b"
_EXPLANATIONS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\s*\\text\{\s*is (?:the|our|my) (?:final |correct )?answer\.?\s*\}$",
        r"\s+is (?:the|our|my) (?:final |correct )?answer\.?(?=\s*\}?$)",
        rf"\s*,?\s*(?:\(\s*)?\\text\s*\{{\s*,?\s*\(?\s*{_REASON}.*$",
        rf"\s*,?\s*\(\s*{_REASON}.*$",
        r"\s*,?\s+(?:since|because)\b.*$",
        r"(?:\s|\\q?quad)*\\(?:blacksquare|square|checkmark|qed|qedsymbol|Box)(?![a-zA-Z])\s*$",
        r"\s*[(（](?:因为|由于|精确到|保留)[^()（）]*[)）]$",
    )
]


def strip_lead_ins(text: str) -> str:
    r"""Removes what introduces an answer, ``\text{The answer is }``, ``\therefore`` or "答案是"."""
    for _ in range(3):
        before = text
        for pattern in _LEAD_INS:
            if (match := pattern.match(text)) and match.end() < len(text):
                text = text[match.end() :]
        if text == before:
            break
    return text


def strip_explanation(text: str) -> str:
    r"""Removes a reason after an answer, ``\text{(since }x>0)``; conditions ("if", "where") are part of the answer."""
    stripped = _RESTATED.sub(r"\\approx \1", text)
    for pattern in _EXPLANATIONS:
        stripped = pattern.sub("", stripped)
    return stripped if stripped.strip() else text
