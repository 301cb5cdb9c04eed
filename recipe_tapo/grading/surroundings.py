r"""What around a lone box belongs to the answer: ``-\boxed{5}``, ``\boxed{50}\%``, ``\boxed{5}`` million, "or 2"."""

import re

from recipe_tapo.grading.boxes import Box
from recipe_tapo.grading.normalise import clean
from recipe_tapo.grading.spelling.unit_table import SCALES, UNITS
from recipe_tapo.grading.values.identity import closed, exact_numbers, near

# "5 million" is a number; in "7 dozens of eggs" the plural is what is counted, as the question asks for it.
_SCALE_BEHIND = re.compile(
    rf"[\s$~]*(?:\\[,; ]\s*)?(?:\\text\{{\s*)?({'|'.join(word for word in SCALES if not word.endswith('s'))})\b"
)
# Within the same formula.
_FACTOR_BEHIND = re.compile(
    r"\s*(?:\\[,;! ]\s*)*(\\%|%|(?:\\times|\\cdot)\s*10\s*\^\s*(?:\{\s*-?\d+\s*\}|\d)|\\pi(?![a-zA-Z]))"
)
# With nothing before it in its formula, or after an equals sign; elsewhere it may be a difference or a list's bullet.
_MINUS_BEFORE = re.compile(r"(?:\$|\\\(|\\\[|=)\s*[-−]\s*$")
_OTHER_VALUE = re.compile(
    r"(?:\$|\\\)|\\\])*\s*(?:[,(]\s*)?\bor\s+(?:perhaps |maybe |possibly |even |else )?"
    r"(?:\$([^$=\n]{1,60})\$|\\\(([^=\n]{1,60}?)\\\)"
    r"|(-?\d[\d.,/]{0,40}(?<![.,])(?:!|\^\d{1,2}|\^\{-?\d{1,2}\})?)(?![.,/]?\d|%)"
    # Not the beginning of more: 25 percent, 3 1/2, 3½, 3 and a half, 90°, 1 out of 6, 5:9, 1.5\times 10^3.
    r"(?!\s*(?:[°½¼¾×]|[:*]?\s*\d|\^|\\(?:%|times|cdot|frac|pi)|per ?cent\b|(?:out of|of|in)\s+\d|and an?\b))"
    r"(?:\s+([a-zA-Z]+))?)"
)
# Roundings of the same value, and the two bases of a bare logarithm, are no other value.
_SAME = 0.02
_MAX_CHARS = 200
_NUMBER = re.compile(r"-?[\d.,]+%?")


def with_surroundings(text: str, box: Box) -> str:
    r"""Returns the content of a box with the minus, the factor, the scale word or the other value right beside it."""
    content = box.content
    if _MINUS_BEFORE.search(text[max(0, box.start - 12) : box.start]) and content:
        content = f"-({content})" if re.search(r"[-+±]|\\[pm][mp]", content) else f"-{content}"
    if scale := _SCALE_BEHIND.match(text, box.end):
        return f"{content} {scale[1]}"
    factor = _FACTOR_BEHIND.match(text, box.end)
    # A bare "%" after anything else begins a comment of LaTeX.
    if factor and (factor[1] != "%" or _NUMBER.fullmatch(content)):
        return f"{content}{factor[1]}".replace("%%", "%") if content else content
    other = _OTHER_VALUE.match(text, box.end) if len(content) < _MAX_CHARS else None
    if other and other[4] not in UNITS and other[4] not in SCALES:
        value = next(filter(None, other.groups()))
        if _clearly_another(clean(content), clean(value)):
            return f"{content}; {value}"
    return content


def _clearly_another(content: str, value: str) -> bool:
    if "\\log" in content + value or "%" in content + value:
        return False
    exact = exact_numbers(content, value)
    return exact[0] != exact[1] if exact else closed(content) and closed(value) and not near(content, value, _SAME)
