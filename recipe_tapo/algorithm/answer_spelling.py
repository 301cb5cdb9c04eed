"""An answer in a text: in whatever of its LaTeX spellings both write it (ours)."""

import re

# A longer answer is no value that a sentence mentions.
_LONGEST = 100

# One spelling for each thing. A dollar sign is a formula's or a currency's, and neither matters here.
_SPELLINGS = [
    (re.compile(r"\\(?:left|right|displaystyle)(?![A-Za-z])|\\[!,;: ]|\\?\$|\*\*"), ""),
    (re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s?\{([^{}\n]{0,80})\}"), r"\1"),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\frac\s?(\d)\s?(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"(?<=\d)(?:,|\{,\})(?=\d{3}(?!\d))"), ""),
    (re.compile(r"\\%"), "%"),
    (re.compile("−"), "-"),
]
_UNIT = re.compile(r"(?<=\d)\s?(?:%|°|\^\{?\\circ\}?|\s[A-Za-z][A-Za-z ]{0,40})?[.\s]*\Z")
_TOKEN = re.compile(r"\\[A-Za-z]+|\d+|\S")


def spelled(answer: str) -> str | None:
    """A pattern for an answer in a ``plain`` text; None for one that a sentence does not mention as a value.

    Those are an empty one, a single letter and one of more than 100 characters.
    """
    if len(answer) > _LONGEST:
        return None
    tokens = _TOKEN.findall(_UNIT.sub("", plain(answer)))
    if not tokens or (len(tokens) == 1 and len(tokens[0]) == 1 and tokens[0].isalpha()):
        return None
    return r"\s{0,2}".join(map(re.escape, tokens))


def plain(text: str) -> str:
    """A text with one spelling for each thing."""
    for spelling, replacement in _SPELLINGS:
        text = spelling.sub(replacement, text)
    return text
