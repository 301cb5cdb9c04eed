r"""One spelling for numerals: ``1e3``, ``0.\dot{6}``, ``0.666…``, ``\nicefrac12``, ``{1 \over 2}``."""

import re

from recipe_tapo.grading.spelling.unit_table import UNITS

_FRACTION_COMMANDS = re.compile(r"\\(?:[dtcs]frac|nicefrac|xfrac|flatfrac)(?![a-zA-Z])")
_FRACTIONS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*\{([^{}]*)\}\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\\pi|[a-zA-Z])\s*(\d|[a-zA-Z])(?![a-zA-Z])", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\\pi|[a-zA-Z])\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*\{([^{}]*)\}\s*(\\pi|[a-zA-Z])(?![a-zA-Z])", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*(\\pi|[a-zA-Z])(?![a-zA-Z])", r"\\frac{\1}{\2}"),
        (r"\\frac\s*\{((?:[^{}]|\{[^{}]*\})*)\}\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*(\\sqrt\s*\{[^{}]*\})", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\\sqrt\s*(?:\{[^{}]*\}|\d))\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*(\\sqrt\s*(?:\{[^{}]*\}|\d))\s*(\d)", r"\\frac{\1}{\2}"),
    )
]
_GENFRAC = re.compile(r"\\genfrac\s*(?:\{[^{}]*\}\s*){4}")
# "^3/_4" and "{}^3\!/_4", as typewriters had it.
_RAISED = re.compile(r"(?<![a-zA-Z)}\]])(?:\{\s*\})?\^\{?(\d+)\}?\s*(?:\\!)?/\s*(?:\\!)?_\{?(\d+)\}?")
# "5th" and "5^{\\text{th}}" are 5.
_ORDINAL = re.compile(
    r"(?<=\d)\s*(?:\^\s*)?(?:\\text\{\s*(?:st|nd|rd|th)\s*\}|\{\s*(?:st|nd|rd|th)\s*\}|\{\s*\\text\{\s*(?:st|nd|rd|th)\s*\}\s*\}"
    r"|(?:st|nd|rd|th)(?![a-zA-Z]))(?=\s*\}?\.?$)"
)
_OVER = re.compile(r"\{([^{}]*)\\over(?![a-zA-Z])\s*([^{}]*)\}")
_CHOOSE = re.compile(r"\{([^{}]*)\\choose(?![a-zA-Z])\s*([^{}]*)\}")
_BINOMIAL = re.compile(r"\\[dt]?binom\s*(?:(\d)\s*(\d)|(\d)\s*\{)?")
_SCIENTIFIC = re.compile(r"(?<![a-zA-Z\d.,}\\])(\d+(?:\.\d*)?|\.\d+)[eE]([+-]?)(\d+)(?![\da-zA-Z_.])")
_DOTTED = re.compile(r"(\d*\.\d*?)((?:\\dot\s*(?:\{\d+\}|\d))(?:\d*\\dot\s*(?:\{\d+\}|\d))?)")
_REPEATING = re.compile(r"(?<=\.)(\d*)(?:\\(?:bar|overline|overbar)\s*(?:\{(\d+)\}|(\d))|\((\d+)\))")
_TIMES_TEN = re.compile(r"(\d)\s*[xX]\s*10\s*\^")
_AND_A_HALF = re.compile(r"(\d)\s*(?:\\text\{\s*)?and a half\b(?:\s*\})?")
# "5/2 x" with its space is five halves of x; "1/2\pi" leaves it open, and in "3/2 m" a unit may follow.
_SPACED_FRACTION = re.compile(r"(?<![\w./)}\]^])(\d+)/(\d+)\s+(?=\\?[a-zA-Z])")
_BRACKETED_FRACTION = re.compile(r"\((\d+)\)\s?/\s?\((\d+)\)")
_ONGOING = re.compile(r"(\d*\.)(\d+)\s*(?:\.\.+|\\(?:ldots|dots|cdots|dotsc|dotsb)(?![a-zA-Z]))")


def one_spelling_of_numerals(text: str) -> str:
    r"""Returns the text with ``\frac{1}{2}``, ``\times10^{3}`` and ``\overline{6}`` for the other ways to write them.

    A decimal that goes on (``0.1666…``) repeats its last repeated digits; where none repeat, the dots just go.
    """
    if "\\" in text:
        text = _fractions(text)
    text = _SCIENTIFIC.sub(_power_of_ten, text)
    if "half" in text:
        text = _AND_A_HALF.sub(r"\1\\frac{1}{2}", text)
    if "/" in text:
        text = _BRACKETED_FRACTION.sub(r"\\frac{\1}{\2} ", _SPACED_FRACTION.sub(_spaced_fraction, text))
    if "/" in text and "_" in text:
        text = _RAISED.sub(r"\\frac{\1}{\2}", text)
    text = _ORDINAL.sub("", text)
    text = _TIMES_TEN.sub(r"\1\\times 10^", text)
    if "." in text:
        text = _DOTTED.sub(lambda match: match[1] + f"\\overline{{{re.sub(r'[^0-9]', '', match[2])}}}", text)
        text = _REPEATING.sub(lambda match: f"{match[1]}\\overline{{{match[2] or match[3] or match[4]}}}", text)
        text = _ONGOING.sub(lambda match: match[1] + _period(match[2]), text)
    return text


def _fractions(text: str) -> str:
    text = _FRACTION_COMMANDS.sub(r"\\frac", _GENFRAC.sub(r"\\frac", text))
    for pattern, replacement in _FRACTIONS:
        text = pattern.sub(replacement, text)
    text = _OVER.sub(lambda match: f"{{\\frac{{{match[1].strip()}}}{{{match[2].strip()}}}}}", text)
    text = _CHOOSE.sub(lambda match: f"{{\\binom{{{match[1].strip()}}}{{{match[2].strip()}}}}}", text)
    return _BINOMIAL.sub(_binomial, text)


def _binomial(match: re.Match[str]) -> str:
    if match[1]:
        return f"\\binom{{{match[1]}}}{{{match[2]}}}"
    return f"\\binom{{{match[3]}}}{{" if match[3] else "\\binom"


def _spaced_fraction(match: re.Match[str]) -> str:
    unit_follows = match.string[match.end() :].rstrip() in UNITS
    return match[0] if unit_follows else f"\\frac{{{match[1]}}}{{{match[2]}}} "


def _power_of_ten(match: re.Match[str]) -> str:
    return f"{match[1]}\\times 10^{{{'-' if match[2] == '-' else ''}{match[3]}}}"


def _period(decimals: str) -> str:
    """Marks the shortest run of digits that the decimals end with twice, or gives them back unmarked."""
    for length in range(1, len(decimals) // 2 + 1):
        run = decimals[-length:]
        if decimals[:-length].endswith(run):
            start = len(decimals)
            while decimals[:start].endswith(run):
                start -= length
            return f"{decimals[:start]}\\overline{{{run}}}"
    return decimals
