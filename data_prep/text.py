r"""White space, and the reduced form in which two wordings of one problem are compared."""

import re
import unicodedata

_BLANKS = re.compile(r"[^\S\n]+")
_BLANKS_AT_LINE_END = re.compile(r" *\n *")
_BLANK_LINES = re.compile(r"\n{3,}")

_LAYOUT_COMMAND = re.compile(
    r"\\(?:left|right|[bB]ig+[lr]?|displaystyle|textstyle|limits|q?quad|text(?:bf|it|rm)?|math(?:rm|bf|it)|operatorname)"
    r"(?![a-z])"
)
_FRACTION_COMMAND = re.compile(r"\\[cdt]frac(?![a-z])")
# A drawing that never ends is given up at the next one's beginning, so that any text takes linear time.
_DRAWING = re.compile(
    r"\\begin\{asy\}(?:(?!\\(?:begin|end)\{asy\}).)*\\end\{asy\}|\[asy\](?:(?!\[/?asy\]).)*\[/asy\]",
    re.DOTALL | re.IGNORECASE,
)
_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")


def normalise_white_space(text: str) -> str:
    """Makes every blank one plain space and keeps single and double line breaks.

    Line breaks stay because they carry meaning: tables, lists and ``//`` comments of ``[asy]`` drawings.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _BLANKS.sub(" ", text)
    text = _BLANKS_AT_LINE_END.sub("\n", text)
    return _BLANK_LINES.sub("\n\n", text).strip()


def collapse_white_space(text: str) -> str:
    """Puts a text on one line with single spaces: the form in which exact duplicates are found."""
    return " ".join(text.split())


def overlap_form(text: str) -> str:
    """Reduces a problem to its lower-case letters and digits, without drawings and LaTeX commands for layout.

    Copies of a problem differ in whether they have its drawing. What is nothing but a drawing stays.
    """
    return _letters_and_digits(_DRAWING.sub(" ", text)) or _letters_and_digits(text)


def _letters_and_digits(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    text = _FRACTION_COMMAND.sub(r"\\frac", _LAYOUT_COMMAND.sub("", text))
    return _NO_LETTER_OR_DIGIT.sub("", text.casefold())


def is_encodable(text: str) -> bool:
    """Tells whether a text can be stored at all; half a surrogate pair, as broken json has it, cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
