r"""What stands around an answer without being part of it: fonts, colours, environments, spacing at the edges."""

import re

# Commands that change how their argument looks; the argument stays, in its braces.
_FONTS = re.compile(
    r"\\(?:bm|bold|boldmath|boldsymbol|pmb|mathop|Bbb|mathbf|mathit|mathsf|mathtt|mathnormal|mathbin|mathord|mathrel|mathinner|underline|uline|ensuremath"
    r"|bf|bfseries|rm|rmfamily|it|itshape|sf|sffamily|tt|ttfamily|sl|em|tiny|scriptsize|footnotesize|small|normalsize"
    r"|large|Large|LARGE|huge|Huge|displaystyle|textstyle|scriptstyle|scriptscriptstyle|limits|nolimits|strut|mathstrut|smash|centering|par|hfill|nonumber|notag"
    r"|(?:blue|red|green|purple|orange|pink|gray|teal|maroon)[A-F]?)"
    r"(?![a-zA-Z])\s*|\\math(?:cal|frak|scr|bb)\s*(?=\{?\d)|\\(?:text(?:rm|bf|it|sf|tt|up|md)?|mathrm)\s+(?=\d)"
)
_BRACED = re.compile(r"\\(?:under|over)brace\s*\{([^{}]*)\}\s*[_^]\s*\{(?:[^{}]|\{[^{}]*\})*\}")
_COLOURS = re.compile(
    r"\\(?:textcolor|colorbox|color|enclose|style|class|href|fcolorbox\s*\{[^{}]*\})\s*(?:\[[^\[\]]*\]\s*)?\{[^{}]*\}\s*"
    r"|\\bbox\s*(?:\[[^\[\]]*\])?\s*(?=\{)"
)
# Invisible with their argument, like notes at the end of a line.
_INVISIBLE = re.compile(
    r"\\(?:phantom|hphantom|vphantom|hspace\*?|vspace\*?|mspace|tag\*?|label)\s*\{[^{}]*\}"
    r"|\\rule\s*(?:\[[^\[\]]*\])?\s*\{[^{}]*\}\s*\{[^{}]*\}|\\(?:kern|mkern|hskip|mskip)\s*-?[\d.]+\s*[a-z]{2}"
)
_TEXT = re.compile(
    r"\\(?:textmd|mbox|hbox|textrm|textnormal|textup|textit|textbf|texttt|textsf|textsc|textsl|emph|unit|si|mathrm|operatorname\*?)\s*\{"
)
_FORMULA_IN_TEXT = re.compile(r"\\text(?:bf|rm|it)?\s*\{([^{}$]+)\$([^$^][^$]*)\$([^{}$]*)\}")
# "{\rm cm}", "\rm{cm}" and "\mathit{cm}"
_ROMAN_WORD = re.compile(
    r"\{\s*\\(?:rm|it)(?![a-zA-Z])\s*((?:\\ )?[a-zA-Z][a-zA-Z/ ]*)\}"
    r"|\\(?:rm|mathit)\s*\{((?:\s|\\ )*[a-zA-Z][a-zA-Z/ ]+)\}"
)
_UNIT_VECTOR = re.compile(
    r"\\(?:mathbf|boldsymbol|bm|hat|vec|overrightarrow|widehat)\s*\{?\s*(?:\\(?:mathbf|boldsymbol|bm|hat|vec)\s*)?\{?\s*"
    r"(?:\\([ij])math|([ijk]))(?![a-zA-Z])\s*\}?\s*\}?"
)
_ENVIRONMENT = re.compile(
    r"\\(?:begin|end)\s*\{(?:aligned|align\*?|alignat\*?|gathered|gather\*?|equation\*?|split|multline\*?|displaymath"
    r"|center|math)\}(?:\[[a-z]\])?"
)
_CASES = re.compile(
    r"(?:\\left)?\s*(?:\\\{)?\s*\\begin\s*\{(?:cases|dcases)\}(.*)\\end\s*\{(?:cases|dcases)\}(?:\s*\\right\s*\.)?",
    re.DOTALL,
)
_ROW_BREAK = re.compile(r"\\\\(?:\s*\[[^\[\]]*\])?")
_ASSIGNED_ROW = re.compile(r"\s*[a-zA-Z](?:_\{?\w\}?)?\s*&?=[^&<>]*")
_SPACE = r"\\newline(?![a-zA-Z])|\\q?quad(?![a-zA-Z])|~|\s|&"
_EDGES = re.compile(
    rf"^(?:\\\\|\\[ ,;:!]|{_SPACE})+|(?:\\\\(?:\[[^\[\]]*\])?|(?<!\\)\\[ ,;:!]|(?<!\\)\\(?=$)|{_SPACE})+$"
)
_MARKS = re.compile(r"^(\*\*|__|\*|_|`+)(.+)\1$|^<(b|i|u|em|strong)>(.+)</\3>$", re.DOTALL)
_DELIMITERS = (("\\(", "\\)"), ("\\[", "\\]"))


def strip_wrappers(text: str) -> str:
    r"""Removes fonts, colours, display environments, spacing at the edges, ``**…**`` and backticks.

    The bold unit vectors ``\mathbf{i}``, ``\mathbf{j}``, ``\mathbf{k}`` become ``\veci``, ``\vecj``, ``\veck``, so that
    they do not turn into variables or the imaginary unit. Rows of an ``aligned`` block become a list, and rows that go
    on with "=" one chain of equations.
    """
    text = _strip_edges(text)
    if "\\" not in text:
        return text
    text = _FORMULA_IN_TEXT.sub(r"\\text{\1}\2\\text{\3}", _rows(text))
    text = _UNIT_VECTOR.sub(lambda match: f"\\vec{match[1] or match[2]} ", text) if re.search(r"[jk]", text) else text
    text = _BRACED.sub(r"{\1}", _COLOURS.sub("", _INVISIBLE.sub("", text)))
    text = _ROMAN_WORD.sub(lambda match: f"\\text{{{match[1] or match[2]}}}", text)
    return _strip_edges(_FONTS.sub("", _TEXT.sub(r"\\text{", text)))


def _strip_edges(text: str) -> str:
    before = None
    while before != text:
        before = text
        text = _EDGES.sub("", text)
        if match := _MARKS.match(text):
            text = match[2] or match[4]
        for opening, closing in _DELIMITERS:
            if text.startswith(opening) and text.endswith(closing) and text.count(opening) == 1:
                text = text[2:-2]
    return text


def _rows(text: str) -> str:
    if "\\begin" not in text:
        return text
    cases = _CASES.fullmatch(text.strip())
    if cases and all(_ASSIGNED_ROW.fullmatch(row) for row in _split_rows(cases[1])):
        return ",".join(_split_rows(cases[1].replace("&", "")))
    if not _ENVIRONMENT.search(text):
        return text
    rows = [row.replace("&", "").strip() for row in _split_rows(_ENVIRONMENT.sub("", text))]
    joined = rows[0] if rows else ""
    for row in rows[1:]:
        joined += row if row.startswith(("=", "\\approx")) or joined.endswith("=") else f",{row}"
    return joined


def _split_rows(text: str) -> list[str]:
    return [row for row in _ROW_BREAK.split(text) if row.strip(" &,")]
