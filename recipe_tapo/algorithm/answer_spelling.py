"""One spelling of what LaTeX and prose write in several, so that an answer is found in a text (ours)."""

import re

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


def plain(text: str) -> str:
    """A text with one spelling for each thing."""
    for spelling, replacement in _SPELLINGS:
        text = spelling.sub(replacement, text)
    return text
