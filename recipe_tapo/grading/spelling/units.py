r"""Units after a value: found, read and converted. Words such as "million" or "at most" are part of the value."""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from recipe_tapo.grading.spelling.unit_table import (
    CJK_SCALES,
    PARTS,
    POWERS,
    SCALES,
    UNITS,
    VALUE_WORDS,
    Dimension,
    Unit,
)

_POWER = r"(?:\^(?:\{-?\d+\}|-?\d))?"
_TEXT = rf"\\text\{{(?:[^{{}}]|\{{[^{{}}]*\}})*\}}{_POWER}"
_FACTOR = rf"(?:{_TEXT}|[(\[]{_TEXT}[)\]]|\\frac\{{(?:{_TEXT}(?:\\cdot)?|1)+\}}\{{(?:{_TEXT}(?:\\cdot)?)+\}})"
# Brackets can be read in two ways, so that each further factor may double the time.
_MORE_FACTORS = rf"(?:\s*(?:(?:/|\\cdot|\\times|\*)\s*)?\(?{_FACTOR}\)?){{0,7}}"
_TEXT_UNIT = re.compile(rf"(?:\^\\circ)?\s*(?:/|\\cdot)?{_FACTOR}{_MORE_FACTORS}$")
_WORDS = "|".join(sorted((word for word in UNITS if len(word) > 1 and word.isascii()), key=len, reverse=True))
_KNOWN = (
    rf"(?:(?:(?:sq(?:uare)?|cu(?:bic)?)\.?\s*)?(?:{_WORDS}){_POWER}|(?:sq(?:uare)?|cu(?:bic)?)\.?\s*units?"
    r"|k?\\Omega|\\mu\s*[msgFCAVL](?![a-zA-Z]))"
)
_ANY = rf"(?:{_WORDS}|[mgshNJWLK]){_POWER}"
_BARE_UNIT = re.compile(
    rf"(?<=[0-9}}\s%)])\s*(?<![a-zA-Z\\]){_KNOWN}(?:\s*(?:/|\bper\b|\\cdot)\s*(?:{_KNOWN}|h|s))*\.?$|\^\\circ\s*[CF]$"
    rf"|(?<=[0-9}}])\s+{_ANY}(?:\s*(?:/|\\cdot)\s*{_ANY})+$"
)
_CENTS = re.compile(r"\d[\s\\]*(?:text\{)?\s*cents?\b")
_DOLLARS = re.compile(r"^\\?\$\s*([\d.,]+)$")
_LETTERS = re.compile(r"(-?(?:[\d.,]*\d|\d*\\frac\{\d+\}\{\d+\}|\d+/\d+)) ([mgshLNJWK](?:\^\d)?)")
# "42 apples": words after a number, set without \text.
_BARE_WORDS = re.compile(r"(?<=[0-9})])\s+((?:[a-zA-Z]{3,}|of|in)(?:\s+(?:[a-zA-Z]{3,}|of|in|a))*)\.?$")
_CJK_UNIT = re.compile(r"(?<=[0-9}\s)])(?:\\text\{)?\s*\(?((?:[\u4e00-\u9fff\uac00-\ud7af\u3040-\u30ff]|/)+)\)?\}?$")
_NOT_A_UNIT = re.compile(r",|^\s*\(?[ap]\.?\s?m\.?\)?\s*$|^\W*[^mgshlLJNWVAKCF\W]\W*$|\([A-Z]\)")
_SCALE_WORD = "|".join(sorted(SCALES | PARTS | POWERS, key=len, reverse=True))
_SCALED = re.compile(
    rf"(-?[\d,.]*\d|.*\}})\s*(?:\\text\{{\s*({_SCALE_WORD})(?![a-zA-Z])([^{{}}]*)\}}(.*)|\s({_SCALE_WORD})(?![a-zA-Z])(.*))"
)
_TOKEN = re.compile(r"[a-zA-Z']+|[\u4e00-\u9fff]+|\^-?\d+|/|°|1")
_CJK_POWERS = {"平方": 2, "立方": 3}


@dataclass(frozen=True)
class Quantity:
    """An answer with its unit taken off.

    Attributes:
        value: The text of the value.
        unit: The unit where all of it is known, else None.
    """

    value: str
    unit: Unit | None


def state_dollars(*texts: str) -> list[str]:
    r"""Returns ``\$15`` as "15 dollars" if another of the texts is in cents; else the texts as they are."""
    if not any(_CENTS.search(text) for text in texts):
        return list(texts)
    return [_DOLLARS.sub(r"\1\\text{ dollars}", text) for text in texts]


def unit_letters(cleaned: str) -> str:
    r"""Returns the symbols of units that stand bare after a number and a space ("1000 m"); "" for none.

    Without the space it is a product ("5m"), and so it is where the other side of a comparison has the letter as a
    variable.
    """
    match = _LETTERS.fullmatch(cleaned)
    return match[2] if match else ""


@lru_cache(maxsize=8192)
def split_unit(cleaned: str) -> Quantity:
    r"""Takes a trailing unit off a cleaned answer, ``\text{ cm}^2``, ``\text{m}/\text{s}^2`` or bare words.

    Stays conservative where math-verify is not: a single letter is a unit only inside ``\text{}`` (``5x``, ``2t`` and
    ``3c`` are products). A text that says something about the number ("at most", "p.m.") is no unit and stays; scale
    words become factors (``5\text{ million}`` is ``5\cdot 1000000``).
    """
    if cleaned[-1:].isdigit() and "\\text" not in cleaned and "^" not in cleaned:
        return Quantity(cleaned, None)
    if not cleaned.isascii() and (match := _CJK_UNIT.search(cleaned)):
        return _split_cjk(cleaned, match)
    text = _apply_scale(cleaned)
    for pattern in (_TEXT_UNIT,) if text.endswith("}") or "\\text" in text else (_BARE_UNIT, _BARE_WORDS):
        match = pattern.search(text)
        if match and match.start() > 0 and _is_unit(match[0]):
            return Quantity(text[: match.start()].rstrip(), read_unit(match[0]))
    return Quantity(text, None)


def strip_unit(cleaned: str) -> str:
    """Returns the value of an answer alone."""
    return split_unit(cleaned).value


def conversion(gold: Unit | None, answer: Unit | None) -> Fraction | None:
    """Returns the factor for the answer's value: 1 where a unit is missing or unknown, None for another dimension."""
    if gold is None or answer is None:
        return Fraction(1)
    return answer[1] / gold[1] if gold[0] == answer[0] else None


@lru_cache(maxsize=2048)
def read_unit(text: str) -> Unit | None:
    """Reads a unit as dimensions and factor, ``m/s^2`` or "square feet"; None where a word of it is not known."""
    dimensions: dict[str, int] = {}
    factor, sign, square, last = Fraction(1), 1, 1, None
    for token in _TOKEN.findall(_plain(text)):
        if token in ("/", "per"):
            sign, last = -1, None
        elif token in ("square", "sq", "cubic", "cu"):
            square = 2 if token.startswith("sq") else 3
        elif token in POWERS or token.startswith("^"):
            if last is None:
                return None
            power = POWERS.get(token) or int(token[1:])
            factor *= _multiply(dimensions, last, sign * (power - 1))
        elif token != "1":
            last, cjk_power = _known(token)
            if last is None:
                return None
            factor *= _multiply(dimensions, last, sign * square * cjk_power)
            square = 1
    named: Dimension = tuple(sorted((name, power) for name, power in dimensions.items() if power))
    return (named, factor) if named else None


def _plain(text: str) -> str:
    text = re.sub(r"\^\{(-?\d+)\}", r"^\1", text).replace("}{", "}/{").replace("^\\circ", "°")
    text = re.sub(r"\\(?:text|frac|cdot|times)(?![a-zA-Z])|[{}*]", " ", text)
    return re.sub(r"°\s*([CF])\b", lambda match: "celsius" if match[1] == "C" else "fahrenheit", text).replace(
        "°", "deg"
    )


def _known(word: str) -> tuple[Unit | None, int]:
    prefix = word[:2] if word[:2] in _CJK_POWERS else ""
    word = word[len(prefix) :]
    # Case tells symbols apart (m and M), not words.
    folded = len(word) > 2 or word in ("N", "J", "W", "V", "A", "L", "K")
    return UNITS.get(word) or (UNITS.get(word.lower()) if folded else None), _CJK_POWERS.get(prefix, 1)


def _multiply(dimensions: dict[str, int], unit: Unit, times: int) -> Fraction:
    for name, power in unit[0]:
        dimensions[name] = dimensions.get(name, 0) + power * times
    return unit[1] ** times


def _is_unit(text: str) -> bool:
    plain = re.sub(r"\^-?\d+", "", _plain(text)).strip()
    if _NOT_A_UNIT.search(plain) or re.search(r"\d", re.sub(r"\b1\b\s*/", "", plain)):
        return False
    if not re.search(r"\w", plain) and plain.strip(" .,;:()"):
        return False
    words = [word.strip(".") for word in re.findall(r"[a-zA-Z.'-]+", plain.lower())]
    # "meters squared" is a unit, "squared" alone a power.
    return not any(word in VALUE_WORDS for word in words) and not (words and words[0] in POWERS)


def _split_cjk(text: str, match: re.Match[str]) -> Quantity:
    value, words = text[: match.start()].rstrip(), match[1]
    for scale, factor in CJK_SCALES.items():
        if words.startswith(scale) and read_unit(words) is None:
            return Quantity(f"{value}\\cdot {factor}", read_unit(words[len(scale) :]))
    return (
        Quantity(text, None)
        if words[0] in "分不非以的或到至" and words[:2] != "分钟" and words != "分"
        else Quantity(value, read_unit(words))
    )


def _apply_scale(text: str) -> str:
    r"""Turns "5 million", "3 halves" or "5 squared" into product, fraction or power; what follows may be a unit."""
    match = _SCALED.fullmatch(text)
    if match is None:
        return text
    value, word, after = match[1], match[2] or match[5], (match[3] or "").strip()
    rest = (f"\\text{{{after}}}" if after else "") + (match[4] if match[2] else match[6])
    if word in POWERS:
        return f"({value})^{POWERS[word]}" if not rest.strip() else text
    return f"\\frac{{{value}}}{{{PARTS[word]}}}{rest}" if word in PARTS else f"{value}\\cdot {SCALES[word]}{rest}"
