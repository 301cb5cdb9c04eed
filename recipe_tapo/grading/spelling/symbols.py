r"""One spelling for characters: Unicode signs become LaTeX commands, full-width and CJK forms become ASCII."""

import re
import unicodedata

_SIGNS = {
    "﹣": "-", "﹢": "+",
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "•": r"\cdot ",
    "∙": r"\cdot ", "∗": "*", "÷": "/", "∕": "/", "⁄": "/", "π": r"\pi ", "∞": r"\infty ", "√": "\\sqrt ",
    "∛": r"\sqrt[3] ",
    "°": r"^\circ ", "º": r"^\circ ", "≤": r"\le ", "⩽": r"\le ", "≦": r"\le ", "≥": r"\ge ", "⩾": r"\ge ",
    "≧": r"\ge ",
    "≠": r"\ne ", "≈": r"\approx ", "≡": r"\equiv ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "±": r"\pm ",
    "∓": r"\mp ", "∅": r"\emptyset ", "∧": r"\land ", "∨": r"\lor ", "∴": r"\therefore ", "⇒": r"\implies ",
    "⟹": r"\implies ", "∶": ":", "…": r"\ldots ", "⋯": r"\ldots ", "′": "'", "’": "'", "‘": "'", "“": '"', "”": '"',
    "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "⟨": r"\langle ", "⟩": r"\rangle ", "⌊": r"\lfloor ",
    "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "∖": r"\setminus ", "∠": r"\angle ", "△": r"\triangle ",
    "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "θ": r"\theta ", "λ": r"\lambda ", "φ": r"\phi ", "ω": r"\omega ",
    "¢": r"\text{ cents}",
    "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}",
    "⅕": r"\frac{1}{5}", "⅖": r"\frac{2}{5}", "⅗": r"\frac{3}{5}", "⅘": r"\frac{4}{5}", "⅙": r"\frac{1}{6}",
    "⅚": r"\frac{5}{6}", "⅛": r"\frac{1}{8}", "⅜": r"\frac{3}{8}", "⅝": r"\frac{5}{8}", "⅞": r"\frac{7}{8}",
}  # fmt: skip
_CJK = {
    "、": ",",
    "。": ".",
    "．": ".",
    "，": ",",
    "；": ";",
    "：": ":",
    "【": "",
    "】": "",
    "「": "",
    "」": "",
    "℃": r"^\circ\text{C}",
}
# Spaces of other widths, and characters that show nothing.
_SPACES = dict.fromkeys("\u00a0\u202f\u2009\u2002\u2003\u2005\u2007\u3000", " ") | dict.fromkeys(
    "\u200b\u200c\u200d\u2060\ufeff", ""
)
_FULL_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_TABLE = str.maketrans(_FULL_WIDTH | _SIGNS | _CJK | _SPACES)

_RADICAL = re.compile(r"([√∛])\s*(\d+)")
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True))
_SUPERSCRIPT = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_SUBSCRIPT = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
# Letters and digits of mathematical alphabets, 𝟓 and 𝑥.
_MATHEMATICAL = re.compile("[\U0001d400-\U0001d7ff]")


def one_spelling_of_characters(text: str) -> str:
    """Returns the text with ASCII and LaTeX commands for what Unicode spells otherwise; the rest is left as it is."""
    if text.isascii():
        return text
    text = _RADICAL.sub(lambda match: ("\\sqrt" if match[1] == "√" else "\\sqrt[3]") + f"{{{match[2]}}}", text)
    text = _SUPERSCRIPT.sub(lambda match: _script("^", match[0], _SUPERSCRIPTS), text)
    text = _SUBSCRIPT.sub(lambda match: _script("_", match[0], _SUBSCRIPTS), text)
    text = _MATHEMATICAL.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    return text.translate(_TABLE)


def _script(sign: str, characters: str, table: dict[str, str]) -> str:
    plain = "".join(table[character] for character in characters)
    return f"{sign}{plain}" if len(plain) == 1 else f"{sign}{{{plain}}}"
