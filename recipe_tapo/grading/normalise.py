r"""Text-level normalisation of LaTeX answers: what differs in spelling only becomes one spelling."""

import re
from functools import lru_cache

from recipe_tapo.grading.spelling.assignments import one_spelling_of_assignments
from recipe_tapo.grading.spelling.lead_ins import strip_explanation, strip_lead_ins
from recipe_tapo.grading.spelling.numerals import one_spelling_of_numerals
from recipe_tapo.grading.spelling.symbols import one_spelling_of_characters
from recipe_tapo.grading.spelling.unit_table import UNITS
from recipe_tapo.grading.spelling.wrappers import strip_wrappers

_FUNCTIONS = "sin|cos|tan|cot|csc|arcsin|arccos|arctan|sinh|cosh|tanh|cis|ln|log|lg|exp|sqrt|pi|infty|gcd|lcm"
_SYNONYMS = {"tg": "tan", "ctg": "cot", "cotg": "cot", "cosec": "csc", "arctg": "arctan", "asin": "arcsin"} | {
    "acos": "arccos", "atan": "arctan", "infinity": "infty", "Pi": "pi"
}  # fmt: skip
_NAMES = f"{_FUNCTIONS}|{'|'.join(_SYNONYMS)}"
_SUBSTITUTIONS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\s+", " "),
        (r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![a-zA-Z])\s*\.?", ""),
        # These commas separate thousands and nothing else.
        (r"(?<=\d)(?:\{,\}|,\\!)\s*(?=\d{3})", ""),
        (r"\\!|\\/|(?<![a-zA-Z}\]^_])\{\s*\}", ""),
        (r"\\(?:[,;:> ]|q?quad(?![a-zA-Z])|enspace(?![a-zA-Z])|thinspace(?![a-zA-Z]))|~", " "),
        (r"\{,\}", ","),
        (r"\{:\}|\\colon(?![a-zA-Z])", ":"),
        (r"(\\[a-zA-Z]+|[}\]]) +(?=\{)", r"\1"),
        (r"\\text\{\s*(\\text\{[^{}]*\})\s*\}", r"\1"),
        (r"\\text\{\s*\{([^{}]*)\}\s*\}", r"\\text{\1}"),
        # Without an argument these are seconds.
        (r"\\text\{\s*sec\s*\}(?=\s*[(^{\d\\])|(?<![a-zA-Z\\])sec(?=\s*[(^{])", r"\\sec "),
        (r"\\text\{\s*\}", " "),
        (r"\\text\{\s*(max|min)\s*\}(?=\s*(?:\(|\\\{|_))", r"\\\1 "),
        (r"\\text\{\s*([-.,;:]|\\pi|\\infty)\s*\}", r"\1 "),
        # "\pi\text{i}" is no command of its own.
        (rf"(?<=[a-zA-Z])(?=\\text\{{\s*(?:[eid]|{_NAMES})\s*\}})", " "),
        (r"\\text\{\s*([eid])\s*\}", r"\1 "),
        (rf"\\text\{{\s*({_NAMES})\s*\}}", r"\1 "),
        (r"\\[ij]math(?![a-zA-Z])", "i"),
        (r"\^\s*\{\s*(\w)\s*\}", r"^\1"),
        (r"\^\s*\{\s*\\(?:circ|degree)\s*\}|\^\s*\\circ(?![a-zA-Z])|\\degree(?![a-zA-Z])", r"^\\circ "),
        (r"\\%|\\text\s*\{\s*(?:percent|per cent|%|\\%)\s*\}|(?<![a-zA-Z])per ?cent(?![a-zA-Z])", "%"),
        (r"\\\$|\\text\s*\{\s*\\?[$€£¥￥]\s*\}|[$€£¥￥]", ""),
        (r"\\text\s*\{([a-zA-Z ]{1,20}?)\s+(and|or)\s*\}(?=\s*[-\d\\])", lambda match: _unit_and(match)),
        (r"\\text\s*\{[ ,;]*(?:and|or|and/or|respectively)[ ,]*\}", lambda match: _connective(match[0])),
        (r"[,;]?\s+(?:and|or(?!\s+equal\b))\s+(?=\S)", lambda match: _connective(match[0])),
        (r"\\(?:vee|lor|cup)(?![a-zA-Z])(?=\s*(?:[a-z]\s*(?:[<>=]|\\[lgn]e)|-?\d+\s*[<>]))", r"\\lor "),
        (r"\\wedge(?![a-zA-Z])", r"\\land "),
        (r"或者|或|抑或|또는", r"\\lor "),
        (r"\s*\\&\s*", r"\\land "),
        (r"且|和|与|以及|及|그리고", r"\\land "),
        (r"\\(?:lbrace|\{)", r"\\{"),
        (r"\\(?:rbrace|\})", r"\\}"),
        # "\leqx" has lost its space.
        (r"\\([lgn]eq)(?=[a-zA-Z](?![a-zA-Z]))", r"\\\1 "),
        (r"\\(?:leq|leqslant|leqq)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geq|geqslant|geqq)(?![a-zA-Z])|>=", r"\\ge "),
        # After a number it is a factorial's.
        (r"\\(?:neq|not\s*=)(?![a-zA-Z])|(?<![\d)}])!=", r"\\ne "),
        (r"\\mathbb\s*\{?\s*([RZNQC])\s*\}?", r"\\mathbb{\1}"),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\(?:dots|cdots|dotsc|dotsb)(?![a-zA-Z])|(?<![\d.])\.\.\.+", r"\\ldots "),
        (r"\\(?:varnothing|O(?![a-zA-Z])|empty(?![a-zA-Z]))|\\\{\s*\\\}", r"\\emptyset "),
        (r"\\(?:[lr]?[vV]ert|mid)(?![a-zA-Z])|\\\|", "|"),
        (r"\\bigcup(?![a-zA-Z])|(?<=[)\]}])\s*U\s*(?=[(\[]|\\\{)", r"\\cup "),
        (r"\\bigcap(?![a-zA-Z])", r"\\cap "),
        (r"(?<![\w)}])\+\s*\\infty(?![a-zA-Z])", r"\\infty "),
        (r"\\(?:ast|star)(?![a-zA-Z])", "*"),
        (r"\\div(?![a-zA-Z])", "/"),
        (r"\*\*", "^"),
        (r"_\s*\{\s*(\w)\s*\}", r"_\1"),
        (rf"(?<![\\a-zA-Z])({_NAMES})(?![a-zA-Z])", lambda match: f"\\{_SYNONYMS.get(match[1], match[1])} "),
        (rf"\\({'|'.join(_SYNONYMS)})(?![a-zA-Z])", lambda match: f"\\{_SYNONYMS[match[1]]} "),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\\surd(?![a-zA-Z])", r"\\sqrt "),
        # LaTeX would take the first digit only, the one who wrote it all of them.
        (r"\\sqrt\s*(\d+)(?![\d.])", r"\\sqrt{\1}"),
        (r"\\sqrt\s*\[\s*2\s*\]", r"\\sqrt"),
        # Braces that group nothing.
        (r"(?<![^-+*/=(,;:\s<>|])\{([^{}]*)\}(?![\^_])", r"\1"),
    )
]
_DOUBLED_BACKSLASH = re.compile(r"\\\\(?=[a-zA-Z])")
# Goes first of all: patterns that skip white space on both sides of something take cubic time on much of it.
_SPACE = re.compile(r"(?<!\\)(?:[\s~]|\\[,;:> ]|\\q?quad(?![a-zA-Z])){3,}")
_ROW_BREAK = "\x00"
_ROW_SPACING = re.compile(r"\\\\\s*\[-?[\d.]+\s*[a-z]{2}\]")
_RELATION = re.compile(r"[<>]|\\(?:le|ge|ne)(?![a-zA-Z])")
# "2x=10 \implies x=5" says x=5.
_REASONING = re.compile(
    r"^.*\\(?:implies|Rightarrow|Longrightarrow|iff|Leftrightarrow|Longleftrightarrow|therefore)(?![a-zA-Z])\s*(?=[^=]+=[^=]+$)",
    re.DOTALL,
)
_CONNECTIVE = re.compile(r"\s*,?\s*\\l(?:or|and)(?![a-zA-Z])\s*,?\s*")
_WRAPPED = re.compile(r"\\(?:text|boxed|fbox)\s*\{([^{}]*)\}")
_WRAPPED_FORMULA = re.compile(
    r"\\(?:text|boxed|fbox)\s*\{(\s*[-+(\d]*\\(?:frac|sqrt|pi|binom)(?![a-zA-Z]).*)\}", re.DOTALL
)
_BRACED = re.compile(r"\{(.*)\}", re.DOTALL)
# Spaces separate only where their loss would join two words or numbers: "1 1/2" must not become "11/2".
_NEEDLESS_SPACE = re.compile(r"(?<![a-zA-Z0-9.])\s+|\s+(?![a-zA-Z0-9.])")


@lru_cache(maxsize=8192)
def clean(answer: str) -> str:
    r"""Rewrites an answer into one spelling; equal results mean equal answers, different ones mean nothing.

    Fonts, colours, spacing and currency go, ``\dfrac12`` becomes ``\frac{1}{2}``, ``0.\dot6`` ``0.\overline{6}``,
    "and"/"or" a comma (between inequalities ``\land`` and ``\lor``); degrees, per cent, Unicode and full-width
    characters get one form each; lead-ins ("The answer is") and reasons ("since …") go. Idempotent up to nested
    wrappers.

    Args:
        answer: An answer without its ``\boxed{}``. The cost is linear in its length for ordinary answers.

    Returns:
        The rewritten answer; "" for an empty one.
    """
    text = _SPACE.sub(" ", one_spelling_of_assignments(one_spelling_of_characters(answer)))
    if "\\begin" not in text:
        text = _DOUBLED_BACKSLASH.sub(r"\\", text)
    text = strip_explanation(strip_wrappers(text))
    text = one_spelling_of_numerals(_ROW_SPACING.sub(r"\\\\", text).replace("\\\\", _ROW_BREAK))
    for pattern, replacement in _SUBSTITUTIONS:
        text = pattern.sub(replacement, text)
    text = strip_lead_ins(text.replace(_ROW_BREAK, "\\\\").strip())
    text = _REASONING.sub("", text)
    if not _RELATION.search(text):
        text = _CONNECTIVE.sub(",", text)
    text = _ungroup(" ".join(text.split())).rstrip(".,;: ")
    return _NEEDLESS_SPACE.sub("", text)


def unwrap(cleaned: str) -> str:
    r"""Strips ``\text{}`` and nested boxes that enclose the whole answer (``\text{12}``)."""
    while match := _WRAPPED.fullmatch(cleaned) or _WRAPPED_FORMULA.fullmatch(cleaned):
        if not balanced(match[1]):
            break
        cleaned = clean(match[1])
    return cleaned


def split_top_level(text: str, separators: str = ",;") -> list[str]:
    """Splits at separators (single characters) that no bracket or brace encloses; one part when there is none."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character in separators and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    parts.append(text[start:].strip())
    return parts


def _unit_and(match: re.Match[str]) -> str:
    r"""``\text{cm}\text{ and }`` for ``\text{cm and }``."""
    return f"\\text{{{match[1]}}}\\text{{ {match[2]} }}" if match[1].strip() in UNITS else match[0]


def _connective(words: str) -> str:
    return r"\land " if "and" in words and "or" not in words.replace("and/or", "") else r"\lor "


def _ungroup(text: str) -> str:
    while (match := _BRACED.fullmatch(text)) and balanced(match[1]):
        text = match[1].strip()
    return text


def balanced(text: str) -> bool:
    """Whether every brace of a text is closed within it; escaped ones do not count."""
    depth = 0
    for token in re.finditer(r"\\.|[{}]", text):
        depth += (token[0] == "{") - (token[0] == "}")
        if depth < 0:
            return False
    return depth == 0
