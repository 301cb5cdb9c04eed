r"""Finding the final answer in a response: the last balanced ``\boxed{}``, else the last ``Final Answer:`` line."""

import re

_TOKEN = re.compile(r"\\f?boxed\s*\{|\\.|[{}]", re.DOTALL)
_FINAL_ANSWER = re.compile(r"final\s+answer\s*(?:is\b)?[*_\s]*[:：][*_]*", re.IGNORECASE)
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
    if "boxed" not in text and "\\fbox" not in text:
        return None
    open_braces: list[tuple[int, bool]] = []
    best: tuple[int, int] | None = None
    for token in _TOKEN.finditer(text):
        piece = token.group()
        if piece == "}":
            if open_braces:
                start, is_box = open_braces.pop()
                if is_box and (best is None or start > best[0]):
                    best = (start, token.start())
        elif piece[-1] == "{" and piece != "\\{":
            open_braces.append((token.end(), piece != "{"))
    return text[best[0] : best[1]].strip() if best else None


def _last_final_answer_line(text: str) -> str:
    label = None
    for label in _FINAL_ANSWER.finditer(text):
        pass
    if label is None:
        return ""
    rest = text[label.end() :].strip()
    if rest.startswith(("$$", "\\[")):
        segment = _MATH_SEGMENT.match(rest)
        return _segment(segment) if segment else ""
    line = rest.split("\n", 1)[0].strip().strip("*_").strip()
    segments = [_segment(match) for match in _MATH_SEGMENT.finditer(line)]
    if segments:
        prose = _MATH_SEGMENT.sub("", line)
        # "$x=2$ and $x=3$" is one answer with two values; in any other prose the last formula is the answer.
        joined = re.fullmatch(r"(?:\W|and|or)*", prose) and len(segments) > 1
        return ", ".join(segments) if joined else segments[-1] if _is_prose(prose) else line
    return _LEAD_IN.sub("", line).rstrip(".").strip()


def _is_prose(text: str) -> bool:
    return not text.strip(" .,;:!*_") or len(text.split()) > 2


def _segment(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None).strip()
