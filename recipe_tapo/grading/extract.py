r"""Finding the final answer in a response: its last boxes, an answer tag, else the last line that states one."""

import re

from recipe_tapo.grading.boxes import Box, find_boxes
from recipe_tapo.grading.statements import are_neighbours, final_statement

_THINKING_ENDS = "</think>"
_ANSWER_TAG = re.compile(r"<answer>((?:(?!</?answer>).)*)</answer>", re.DOTALL | re.IGNORECASE)
_FINAL_ANSWER = re.compile(
    # With a colon anywhere in a line, or as a heading on a line of its own.
    r"final\s+answer(?:\s+is\b)?[*_\s]*[:：]\}?[*_]*"
    r"|^[#*_> \t]{0,20}(?:\\(?:textbf|section\*?|text)\{)?[ \t]{0,9}(?:the )?final answer[ \t]{0,9}\}?[*_# \t]{0,20}$",
    re.IGNORECASE | re.MULTILINE,
)
# As verl's prompts for GSM8K ("after ####", a number alone) and DAPO ("on its own line after Answer:") ask for it.
_OTHER_LABELS = (
    re.compile(r"^####[ \t]*(?=-?\$?[\d.,]+[ \t]*$)", re.MULTILINE),
    re.compile(r"^[*_> \t]{0,9}answer[*_ \t]{0,9}[:：][*_]*", re.IGNORECASE | re.MULTILINE),
)
_MAX_LINE_CHARS = 2000
_MATH_SEGMENT = re.compile(r"\$\$?([^$]+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
# Prompts with worked examples end each with this sentence.
_HOPE = re.compile(r"\s*I hope it is correct\.?\s*$")
# "$25\\pi$ when $r=5$", "$5$ (for all $n$)", "$x=5$ is the only solution of $f(x)=0$": what follows is no answer. After
# "holds for" it may be.
_CONDITION = re.compile(
    r"[\s,;(]*(?:if|when|whenever|where|for|because|since|as|with|given|assuming|provided)\b"
    r"|\s*(?:is|are) (?:the|an?)(?: [a-z]+){0,2} (?:solutions?|roots?|zeros?|values?) (?:of|to|for)\s*$",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(r"^(?:the\s+)?(?:final\s+)?(?:answer|value|result)(?:\s+is)?\s*[:=]?\s+", re.IGNORECASE)


def extract_answer(text: str) -> str:
    r"""Returns the final answer of a response, or "" when it states none.

    What follows ``</think>`` decides alone if it states an answer. The last ``\boxed{…}`` (or ``\fbox{…}``,
    ``\framebox{…}``, ``\boxed 2``) whose braces balance wins, wherever a ``Final Answer:`` line stands; its
    neighbours in the same statement belong to the answer. A later ``<answer>…</answer>`` replaces it. A box cut off by
    the token limit does not count. Without all of these the last ``#### 18`` counts, else the last line that begins
    with ``Answer:``. Linear in the length of the text.

    Args:
        text: The decoded response.

    Returns:
        The content of the box, the tag or the line, stripped, its LaTeX untouched; the contents of several boxes are
        joined by semicolons.
    """
    _, end, conclusion = text.rpartition(_THINKING_ENDS)
    if end:
        answer = _answer_of(conclusion)
        if answer is not None:
            return answer
    return _answer_of(text) or ""


def _answer_of(text: str) -> str | None:
    """Returns the answer that a text states, None for none."""
    boxes = find_boxes(text)
    # "I put my answer within \\boxed{}" repeats the prompt.
    boxes = [box for box in boxes if box.content] or boxes
    tags = [Box(match.start(), match.end(), match[1]) for match in _ANSWER_TAG.finditer(text)] if "</" in text else []
    if tags and (not boxes or tags[-1].end > boxes[-1].end):
        contents = [Box(tag.start, tag.end, _content(tag)) for tag in tags]
        return final_statement(text, contents)
    if boxes:
        return final_statement(text, boxes)
    lines = (_last_line_after(label, text) for label in (_FINAL_ANSWER, *_OTHER_LABELS))
    return next((answer for answer in lines if answer is not None), None)


def _content(tag: Box) -> str:
    inner = _answer_of(tag.content)
    return tag.content.strip() if inner is None else inner


def _last_line_after(label: re.Pattern[str], text: str) -> str | None:
    end = None
    for match in label.finditer(text):
        end = match.end()
    if end is None:
        return None
    rest = text[end:].lstrip()[:_MAX_LINE_CHARS]
    if rest.startswith(("$$", "\\[")):
        segment = _MATH_SEGMENT.match(rest)
        return _segment(segment).content if segment else ""
    line = _HOPE.sub("", rest.split("\n", 1)[0]).strip().strip("*_").strip()
    segments = [_segment(match) for match in _MATH_SEGMENT.finditer(line)]
    # A digit outside the formulas belongs to the answer ("25 $\text{cm}$").
    if not segments or re.search(r"\d", _MATH_SEGMENT.sub("", line)):
        return _LEAD_IN.sub("", line).rstrip(".").strip()
    while (
        len(segments) > 1
        and re.search(r"\d", segments[-2].content)
        and _CONDITION.match(line[segments[-2].end : segments[-1].start])
    ):
        segments.pop()
    # "$x=2$ and $x=3$" is one answer with two values; in other prose the last formula is the answer.
    first = len(segments) - 1
    while first and are_neighbours(line[segments[first - 1].end : segments[first].start]):
        first -= 1
    return ", ".join(segment.content for segment in segments[first:])


def _segment(match: re.Match[str]) -> Box:
    content = next(group for group in match.groups() if group is not None).strip()
    return Box(match.start(), match.end(), content)
