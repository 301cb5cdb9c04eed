r"""Finding the final answer in a response: the last balanced ``\boxed{}``, else the last ``Final Answer:`` line."""

import re

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
# An escaped brace does not count, except after an escaped backslash (a row break).
_TOKEN = re.compile(rf"{_BOX.pattern}|\\\\(?!boxed|fbox)|\\[{{}}]|[{{}}]")
_FINAL_ANSWER = re.compile(r"final\s+answer(?:\s+is\b)?[*_\s]*[:：][*_]*", re.IGNORECASE)
_MAX_LINE_CHARS = 2000
_MATH_SEGMENT = re.compile(r"\$\$?([^$]+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_LEAD_IN = re.compile(r"^(?:the\s+)?(?:final\s+)?(?:answer|value|result)(?:\s+is)?\s*[:=]?\s+", re.IGNORECASE)


def extract_answer(text: str) -> str:
    r"""Returns the final answer of a response, or "" when it states none.

    The last ``\boxed{…}`` (or ``\fbox{…}``) whose braces balance wins, wherever a ``Final Answer:`` line
    stands; a box cut off by the token limit does not count. One pass, linear in the length of the text.

    Args:
        text: The decoded response.

    Returns:
        The content of the box or of the line, stripped, its LaTeX untouched.
    """
    box = _last_box(text)
    return box if box is not None else _last_final_answer_line(text)


def _last_box(text: str) -> str | None:
    last = _BOX.match(text, max(text.rfind("\\boxed"), text.rfind("\\fbox"), 0))
    # Ordinary responses end with a complete box, and only that is scanned.
    best = _innermost_last(text, last.start()) if last else None
    if best is None and _BOX.search(text):
        best = _innermost_last(text, 0)
    return text[best[0] : best[1]].strip() if best else None


def _innermost_last(text: str, start: int) -> tuple[int, int] | None:
    """Returns where the content of the last balanced box at or after ``start`` begins and ends."""
    open_braces: list[tuple[int, bool]] = []
    best: tuple[int, int] | None = None
    for token in _TOKEN.finditer(text, start):
        piece = token.group()
        if piece == "}":
            if open_braces:
                begin, is_box = open_braces.pop()
                if is_box and (best is None or begin > best[0]):
                    best = (begin, token.start())
                if not open_braces and best and start:
                    return best
        elif piece.endswith("{") and piece != "\\{":
            open_braces.append((token.end(), piece != "{"))
    return best


def _last_final_answer_line(text: str) -> str:
    end = None
    for label in _FINAL_ANSWER.finditer(text):
        end = label.end()
    if end is None:
        return ""
    rest = text[end:].lstrip()[:_MAX_LINE_CHARS]
    if rest.startswith(("$$", "\\[")):
        segment = _MATH_SEGMENT.match(rest)
        return _segment(segment) if segment else ""
    line = rest.split("\n", 1)[0].strip().strip("*_").strip()
    segments = [_segment(match) for match in _MATH_SEGMENT.finditer(line)]
    prose = _MATH_SEGMENT.sub("", line)
    # A digit outside the formulas belongs to the answer ("25 $\text{cm}$").
    if not segments or re.search(r"\d", prose):
        return _LEAD_IN.sub("", line).rstrip(".").strip()
    # "$x=2$ and $x=3$" is one answer with two values; in other prose the last formula is the answer.
    return ", ".join(segments) if re.fullmatch(r"(?:\W|\band\b|\bor\b)*", prose) else segments[-1]


def _segment(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None).strip()
