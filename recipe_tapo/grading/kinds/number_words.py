r"""Numbers in words: "twenty-one", "five million", "two and a half", "three quarters", "minus five"."""

import re
from fractions import Fraction

_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_ONES = {word: number for number, word in enumerate(_UP_TO_TWENTY.split())}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_SCALES = {"dozen": 12, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "hundredth": 100, "thousandth": 1000,
}  # fmt: skip
_PARTS |= {f"{word}s": part for word, part in _PARTS.items()} | {"halves": 2}
_CJK_DIGITS = "零一二三四五六七八九"
_CJK_UNITS = {"千": 1000, "百": 100, "十": 10}
_CJK_NUMBER = re.compile(
    rf"[{_CJK_DIGITS}]|(?:[{_CJK_DIGITS}]千)?零?(?:[{_CJK_DIGITS}]百)?零?(?:[{_CJK_DIGITS}]?十)?[{_CJK_DIGITS}]?"
)
_SIGNS = ("minus", "negative")
_LONGEST = 12


def number_from_words(text: str) -> str | None:
    """Returns the digits of a number in words, as "21" or "5/2"; None for everything else."""
    # The cleaned text has a comma for "and".
    if text and _CJK_NUMBER.fullmatch(text):
        return _from_cjk(text)
    words = text.lower().replace("-", " ").replace(",", " and ").split()
    if not words or len(words) > _LONGEST:
        return None
    negative = words[0] in _SIGNS
    value = _value(words[negative:])
    if value is None:
        return None
    return f"{'-' if negative else ''}{value}"


def _from_cjk(text: str) -> str:
    """Returns the digits of a Chinese number below ten thousand, "五十三" or "三百零五"."""
    total, digit = 0, 0
    for character in text:
        if character in _CJK_UNITS:
            total, digit = total + (digit or 1) * _CJK_UNITS[character], 0
        else:
            digit = _CJK_DIGITS.index(character)
    return str(total + digit)


def _value(words: list[str]) -> Fraction | None:
    if words and words[-1] in _PARTS:
        count = words[:-1]
        if "and" in count:
            # "two and a half"
            whole, part = _whole(count[: count.index("and")]), _value(["one", words[-1]])
            if whole is not None and part is not None and count[count.index("and") + 1 :] in ([], ["a"], ["one"]):
                return whole + part
        times = Fraction(1) if count in ([], ["a"]) else _whole(count)
        # "half" is a number by itself, "third" a rank.
        return None if times is None or (not count and words[-1] != "half") else times / _PARTS[words[-1]]
    return _whole(words)


def _whole(words: list[str]) -> Fraction | None:
    """Returns the value of a whole number, "three hundred and five thousand"; None where the words do not fit."""
    if words[:1] == ["a"] and len(words) > 1 and words[1] in ("hundred", *_SCALES):
        words = ["one", *words[1:]]
    total, group, last = 0, 0, 10**18
    room = 1000
    for place, word in enumerate(words):
        if word == "and" and 0 < place < len(words) - 1 and words[place - 1] in ("hundred", *_SCALES):
            continue
        if word in _SCALES and 0 < _SCALES[word] < last and group:
            total, last, group, room = total + group * _SCALES[word], _SCALES[word], 0, 1000
        elif word == "hundred" and 0 < group < 100 and room > 0:
            group, room = group * 100, 100
        elif word in _TENS and room >= 100:
            group, room = group + _TENS[word], 10
        elif word in _ONES and room > (10 if _ONES[word] >= 10 else 1) and (_ONES[word] or len(words) == 1):
            group, room = group + _ONES[word], 1
        else:
            return None
    return Fraction(total + group) if words else None
