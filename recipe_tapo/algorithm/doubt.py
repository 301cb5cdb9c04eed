"""Whether a text turns: a doubt about what was just written, in words (ours, to measure with)."""

import re

_DOUBT = re.compile(
    r"\b(?:wait|hold on|hmm+|oops|hang on|let me (?:double[- ]?|re)?(?:check|verify|examine|consider|calculate|think)"
    r"|double[- ]check(?:ing)?|re-?check(?:ing)?|(?:n't|not) (?:look |seem |quite )?(?:right|correct)|incorrect"
    r"|mistake|error|slip|should(?: actually)? (?:be|have)|actually|however|is wrong|was wrong|correct(?:ion|ing))\b"
    r"|等等|等一下|不对|再检查|重新(?:检查|验证|计算|考虑)|错误|有误|实际上",
    re.IGNORECASE,
)
# A doubt later than this is about something else.
_REACH = 400


def expresses_doubt(text: str) -> bool:
    """Whether a text that follows a mistake begins by doubting it.

    Args:
        text: What stands behind the preserved prefix.
    """
    return _DOUBT.search(text[:_REACH]) is not None
