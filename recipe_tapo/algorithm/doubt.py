"""Whether a text turns: a doubt about what was just written, in words (ours, to measure with)."""

import re

_PLAIN = (
    r"wait|hold on|hmm+|oops|hang on|let me (?:(?:double|re)[- ]?\w+|check|verify|examine)"
    r"|double[- ]check(?:ing)?|re-?check(?:ing)?"
    r"|(?:\w+n['’]t|not) (?:(?:look|seem)(?: to be)? |quite |be )?(?:right|correct)(?![\w-])"
    r"|incorrect|mistake|is wrong|was wrong"
)
_CHINESE = r"等等|等一下|不对|再检查|重新(?:检查|验证|计算|考虑)|错误|有误"
_PLAIN_DOUBT = re.compile(rf"\b(?:{_PLAIN})\b|{_CHINESE}", re.IGNORECASE)
# Words that are a doubt only right after a known mistake.
_DOUBT = re.compile(
    rf"\b(?:{_PLAIN}|let me (?:consider|calculate|think)|error|slip|actually|however|on second thoughts?"
    r"|(?:let me|let['’]s|i should|i need to|i['’]ll) (?:double[- ]?check|check|verify|go back)"
    r"|re-?(?:examin|consider|think|do|comput|calculat)(?:e|ing)?"
    r"|should(?: actually)? (?:be|have)|correct(?:ion|ing)"
    r"|let['’]s re[- ]?(?:evaluat|examin|calculat|comput|consider|visit|think)\w*|not the (?:right|correct)"
    r"|(?:\w+n['’]t|not) (?:match|agree|hold|work|valid|true|accurate|complete)|incomplete"
    r"|can(?:no|['’])t be|(?:looks?|seems?) (?:wrong|off)"
    r"|(?:\w+n['’]t|not) make (?:any )?sense|makes no sense"
    r"|contradict(?:s|ion)|misunderst(?:anding|ood)|discrepancy|(?:over|double[- ]?)count(?:ed|ing)?)\b"
    rf"|{_CHINESE}|实际上|让我(?:再|重新)|检查一下",
    re.IGNORECASE,
)
# A doubt later than this is about something else.
_REACH = 400


def expresses_doubt(text: str) -> bool:
    """Whether a text that follows a mistake begins by doubting it.

    Args:
        text: What stands after the preserved prefix.
    """
    return _DOUBT.search(text, 0, _REACH) is not None


def find_doubt(text: str, start: int) -> re.Match[str] | None:
    """Where a text that makes a mistake begins to doubt it.

    Args:
        text: A trajectory.
        start: Where the preserved prefix, and with it the mistake, ends.

    Returns:
        What makes ``expresses_doubt`` true of the text from ``start``, or else the first plain words of doubt after
        that.
    """
    return _DOUBT.search(text, start, start + _REACH) or _PLAIN_DOUBT.search(text, start)


def doubts_somewhere(text: str) -> bool:
    """Whether a text says in plain words, wherever, that it doubts itself; "however" and its like do not count.

    Args:
        text: A whole rollout.
    """
    return _PLAIN_DOUBT.search(text) is not None
