r"""Text-level normalisation of LaTeX answers: what differs in spelling only becomes one spelling."""

import re
from functools import lru_cache

_UNICODE = str.maketrans(
    {
        "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "÷": "/", "π": r"\pi ", "∞": r"\infty ", "√": "\\sqrt ",
        "°": r"^\circ ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ",
        "±": r"\pm ", "∅": r"\emptyset ", "²": "^2", "³": "^3", "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}",
        "¾": r"\frac{3}{4}", "，": ",", "％": "%", "（": "(", "）": ")", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
    }
)  # fmt: skip
_SUBSTITUTIONS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\s+", " "),
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])\s*\.?", ""),
        (r"\\(?:displaystyle|textstyle|limits)(?![a-zA-Z])", ""),
        # These commas separate thousands and nothing else.
        (r"(?<=\d)(?:\{,\}|,\\!)\s*(?=\d{3})", ""),
        (r"\\!|\{\s*\}", ""),
        (r"\\(?:[,;: ]|q?quad(?![a-zA-Z]))|~", " "),
        (r"\{,\}", ","),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*\{([^{}]*)\}\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\\pi|[a-z])\s*(\d|[a-z])(?![a-z])", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\\pi|[a-z])\s*\{", r"\\frac{\1}{"),
        (r"\\(?:mbox|hbox|textrm|textnormal|textup|textit|textbf|mathrm)\s*\{", r"\\text{"),
        (r"\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![a-zA-Z])|\\degree(?![a-zA-Z])", r"^\\circ "),
        (r"\\%|\\text\s*\{\s*(?:percent|%|\\%)\s*\}|(?<![a-zA-Z])percent(?![a-zA-Z])", "%"),
        (r"\\\$|\\text\s*\{\s*\\?\$\s*\}|\$", ""),
        (r",?\s*\\text\s*\{\s*,?\s*(?:and|or)\s*\}\s*|,?\s+(?:and|or)\s+", ","),
        (r"\\(?:lbrace|\{)", r"\\{"),
        (r"\\(?:rbrace|\})", r"\\}"),
        (r"\\leq(?![a-zA-Z])", r"\\le "),
        (r"\\geq(?![a-zA-Z])", r"\\ge "),
        (r"\*\*", "^"),
        (r"(?<![\\a-zA-Z])(pi|sqrt|infty)(?![a-zA-Z])", r"\\\1 "),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"^\s*(?:\\approx(?![a-zA-Z])|=)\s*", ""),
    )
]
_RADICAL = re.compile(r"√\s*(\d+)")
_DOUBLED_BACKSLASH = re.compile(r"\\\\(?=[a-zA-Z])")
_ROW_BREAK = "\x00"
_WRAPPED = re.compile(r"\\(?:text|mathbf|mathit|boldsymbol|boxed|fbox)\s*\{([^{}]*)\}")
_MATH_DELIMITERS = (("\\(", "\\)"), ("\\[", "\\]"))
# Spaces separate only where their loss would join two words or numbers: "1 1/2" must not become "11/2".
_NEEDLESS_SPACE = re.compile(r"(?<![a-zA-Z0-9.])\s+|\s+(?![a-zA-Z0-9.])")

_UNIT_WORDS = (
    "cm|mm|km|dm|in|inch|inches|ft|foot|feet|yd|yards?|miles?|met(?:er|re)s?|(?:centi|milli|kilo)met(?:er|re)s?|mph|kmh"
    "|kph|degrees?|deg|units?|dollars?|cents?|euros?|hours?|hrs?|minutes?|mins?|seconds?|secs?|days?|weeks?|months?"
    "|years?|kg|grams?|kilograms?|lbs?|pounds?|ounces?|oz|gallons?|lit(?:er|re)s?|ml|people|students?|points?|acres?"
    "|ways?|integers?|radians?|rad"
)
_BARE_UNIT = re.compile(
    rf"(?<=[0-9}}\s%])\s*(?:(?:sq(?:uare)?|cu(?:bic)?)\.?\s*)?(?<![a-zA-Z\\])(?:{_UNIT_WORDS})(?:/(?:{_UNIT_WORDS}|h|s))?"
    r"(?:\s*\^\s*\{?[23]\}?)?$"
)
_TEXT_UNIT = re.compile(r"(?<=.)\s*\\text\s*\{([^{}]*)\}(?:\s*\^\s*\{?[-\d]+\}?)?$", re.DOTALL)
_NOT_A_UNIT = re.compile(
    r"\d|,|\b(?:and|or|base|if|is|are|not)\b|^\s*\(?[ap]\.?\s?m\.?\)?\s*$|^\W*[^mgshlLJNWVAKCF\W]\W*$"
)


@lru_cache(maxsize=8192)
def clean(answer: str) -> str:
    r"""Rewrites an answer into one spelling; equal results mean equal answers, different ones mean nothing.

    Sizing, spacing and currency commands go, ``\dfrac12`` becomes ``\frac{1}{2}``, ``{,}`` a comma, "and"/"or" a
    comma, ``\{``, degrees, percent and common Unicode signs one form each. Idempotent up to nested wrappers.

    Args:
        answer: An answer without its ``\boxed{}``. The cost is linear in its length.

    Returns:
        The rewritten answer; "" for an empty one.
    """
    text = _RADICAL.sub(r"\\sqrt{\1}", answer).translate(_UNICODE).strip()
    for opening, closing in _MATH_DELIMITERS:
        if text.startswith(opening) and text.endswith(closing):
            text = text[2:-2]
    if "\\begin" not in text:
        text = _DOUBLED_BACKSLASH.sub(r"\\", text)
    text = text.replace("\\\\", _ROW_BREAK)
    for pattern, replacement in _SUBSTITUTIONS:
        text = pattern.sub(replacement, text)
    text = text.replace(_ROW_BREAK, "\\\\")
    text = text.strip().rstrip(".,;: ")
    return _NEEDLESS_SPACE.sub("", text)


def unwrap(cleaned: str) -> str:
    r"""Strips font commands that enclose the whole answer (``\mathbf{12}``, ``\text{12}``)."""
    while match := _WRAPPED.fullmatch(cleaned):
        cleaned = match.group(1).strip()
    return cleaned


def strip_units(cleaned: str) -> str:
    r"""Removes a trailing unit, ``\text{ cm}^2`` or a bare word; the units themselves are never compared.

    Stays conservative where math-verify is not: a single letter is a unit only inside ``\text{}`` (``5x``, ``2t``
    and ``3c`` are products), and a text with digits, "and", "or" or "p.m." is no unit.
    """
    while match := _TEXT_UNIT.search(cleaned):
        if _NOT_A_UNIT.search(match.group(1)):
            break
        cleaned = cleaned[: match.start()].rstrip()
    return _BARE_UNIT.sub("", cleaned).rstrip()


def text_key(cleaned: str) -> str | None:
    r"""Returns the words of an answer that is text (``\text{even}``, ``\text{(C)}``), else None.

    Case, brackets and punctuation do not count. A lone bracketed capital counts as text too.
    """
    match = _WRAPPED.fullmatch(cleaned)
    if match and cleaned.startswith("\\text"):
        words = match.group(1)
    elif re.fullmatch(r"\(?(?:\\text\{)?\(?[A-Z]\)?\}?\)?", cleaned):
        words = cleaned.replace("\\text", "")
    else:
        return None
    # A number set as text is a number.
    return " ".join(re.findall(r"[^\W_]+", words.lower())) if re.search(r"[^\W\d_]", words) else None


def split_top_level(text: str) -> list[str]:
    """Splits at commas and semicolons that no bracket or brace encloses; one part when there is none."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character in ",;" and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    parts.append(text[start:].strip())
    return parts
