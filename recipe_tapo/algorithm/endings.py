r"""How a reconstruction ends: with its final answer, and without what belongs to the tags around it (ours).

Every regular expression here takes time linear in the text, as in ``parsing``.
"""

import re
from collections import deque

# "The final answer is wrong, so" states none.
_STATED = (
    r"(?:[-+\d\\$(\[{\"“√π]"
    r"|(?!(?:wrong|incorrect|right|correct|not|off|so|then|now)\b)[^\W\d_]{1,40}[ \t.*_!]{0,4}(?:\r?\n|\Z))"
)
_FINAL_ANSWER = re.compile(
    r"\\boxed\s*\{\s*[^\s}]"
    r"|final\s+answer[*_ \t]*(?:[:：=–→]|\r?\n)[\s*:：]*(?!\\boxed)[^\s*:：]"
    rf"|final\s+answer\s+is[\s*:：]*(?!\\boxed){_STATED}",
    re.IGNORECASE,
)
_LABELLED_ANSWER = re.compile(r"[ \t#*_]{0,12}final\s+answer", re.IGNORECASE)
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
# A sentence in a line behind the answer's.
_REMARK = re.compile(r"\n[^\n]*?(?:(?:[^\W\d_]{2,40}[ ,;]{1,3}){3}[^\W\d_]|[\u3040-\u30ff\u3400-\u9fff]{6})")
# A closing tag, misspelled or cut off, that ends the output.
_BROKEN_TAG = re.compile(r"(?:<\\?/|\[/|<\\)[\s\w-]*[>\]]?\s*$")
_TAG_REACH = 40
_FENCE = "```"
_PLAIN_FENCE = re.compile(r"```(?:text|plaintext|markdown|md|latex)?[ \t]*\r?\n", re.IGNORECASE)
_EMPHASIS_ALONE = re.compile(r"(?:\*\*|__)[ \t]*\r?\n")
_MARK_ALONE = re.compile(r"\n[ \t]*(?:\*\*|__|#{1,6})\Z")


def has_final_answer(text: str) -> bool:
    r"""Whether a text states its final answer: ``\boxed{…}``, ``Final Answer: …`` or "the final answer is …"."""
    return _FINAL_ANSWER.search(text) is not None


def ending_with_answer(rest: str) -> str | None:
    """The rest of an output, if its last paragraph holds its final answer and no remark follows that."""
    reconstruction = without_marks(_without_debris(rest))
    answers = deque(_FINAL_ANSWER.finditer(reconstruction), maxlen=1)
    if not answers:
        return None
    behind = reconstruction[answers[0].end() :]
    if _BLANK_LINE.search(behind) or _REMARK.search(behind) or _BROKEN_TAG.search(reconstruction[-_TAG_REACH:]):
        return None
    return reconstruction


def labelled_answer(tail: str) -> str | None:
    """``Final Answer: …``, if this paragraph is all there is in what follows the closing tag."""
    answer = _without_debris(tail)
    if _BLANK_LINE.search(answer) or _REMARK.search(answer) or not _LABELLED_ANSWER.match(answer):
        return None
    return answer if has_final_answer(answer) else None


def without_marks(text: str) -> str:
    """A reconstruction without what belongs to the tags around it: emphasis, a heading's ``#``, a code fence."""
    text = text.strip()
    emphasis = _EMPHASIS_ALONE.match(text)
    if emphasis:
        text = text[emphasis.end() :]
    text = text[: _last_mark(text)].strip()
    fence = _PLAIN_FENCE.match(text)
    if fence and text.count(_FENCE) == 2 and text.endswith("\n" + _FENCE):
        text = text[fence.end() :].removesuffix(_FENCE)
    return text.strip()


def _last_mark(text: str) -> int:
    """Where a last line of emphasis or heading alone begins; the end of the text without one."""
    tail = max(0, len(text) - _TAG_REACH)
    mark = _MARK_ALONE.search(text, tail)
    return mark.start() if mark else len(text)


def _without_debris(text: str) -> str:
    r"""Strips white space, and from the end a code fence, ``\)`` or ``\]`` that nothing opened."""
    text = text.strip()
    if text.endswith(_FENCE) and text.count(_FENCE) % 2:
        text = text.removesuffix(_FENCE).rstrip()
    for opening, closing in ((r"\(", r"\)"), (r"\[", r"\]")):
        before = text.removesuffix(closing)
        if before != text and before.rfind(opening) <= before.rfind(closing):
            text = before.rstrip()
    return text
