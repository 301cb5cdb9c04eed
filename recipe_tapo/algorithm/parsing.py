r"""Parsing of ``<analysis>…</analysis><reconstruction>…</reconstruction>`` (paper, Fig. 2).

Only the reconstruction is kept. An output that breaks the format in a way that leaves no doubt about
where the reconstruction begins and ends is recovered (ours). Anything doubtful is rejected by name: a
row with stray tags would teach the policy to write them.

Every regular expression here takes time linear in the text: no two neighbouring repetitions can share
out the same characters in more than one way.
"""

import re
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from recipe_tapo.reasons import Recovery, RejectReason


@dataclass(frozen=True)
class Parsed:
    """Outcome of parsing one synthesis output: a reconstruction, or the reason there is none.

    Attributes:
        reconstruction: The text of the reconstruction.
        reason: Why there is none.
        recovered: How the reconstruction was found although the output broke the format; None for an output
            that kept to it.
    """

    reconstruction: str | None = None
    reason: RejectReason | None = None
    recovered: Recovery | None = None


# At most one of the slashes in front may be there; two in a row are checked on the match.
_TAG = re.compile(r"<([\s\\/]*)(analysis|reconstruction)\s*(?:/\s*)?>", re.IGNORECASE)
_THINKING_BEGUN = re.compile(r"\s*<think>")
_THINKING_END = "</think>"

# A line of its own, or the rest of one after a tag, that names the reconstruction. Whether it is marked as a
# heading is checked on the match.
_HEADING = re.compile(
    r"(?:^|(?<=>))[ \t#*_]{0,12}(?:the[ ])?"
    r"(?:reconstruction|(?:rebuilt|reconstructed)[ ]reasoning)"
    r"[ \t#*_:：]{0,12}\r?$",
    re.IGNORECASE | re.MULTILINE,
)
_NAME = re.compile(r"reconstruct|rebuilt", re.IGNORECASE)  # no heading without it; found much faster
_HEADING_MARKS = ("#", "*", "_", ":", "：")

# "The final answer is wrong, so" states none.
_STATED = (
    r"(?:[-−+\d\\$(\[{\"“√π`]"
    r"|(?!(?:wrong|incorrect|right|correct|not|off|so|then|now)\b)[^\W\d_]{1,40}[ \t.*_!]{0,4}(?:\r?\n|\Z))"
)
_FINAL_ANSWER = re.compile(
    r"\\boxed\s*\{\s*[^\s}]"
    r"|final\s+answer[*_# \t]*(?:[:：=–→]|\r?\n)[\s*:：]*(?!\\boxed)[^\s*:：]"
    r"|final\s+answer\s+is[*_ \t]*[:：=][\s*:：]*(?!\\boxed)[^\s*:：]"
    rf"|final\s+answer\s+is[\s*]*(?!\\boxed){_STATED}",
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


def parse_reconstruction(text: str, truncated: bool = False, recover: bool = True, needs_answer: bool = True) -> Parsed:
    r"""Extracts the reconstruction from a synthesis output. Never raises, whatever the text.

    A model's thinking (up to the last ``</think>`` before the reconstruction) and the analysis are
    discarded first, so that drafts and tags in them do no harm; a missing analysis is forgiven. What is
    left must hold exactly one ``<reconstruction>…</reconstruction>`` with a final answer (``Final
    Answer:`` or ``\boxed{…}``) inside and no further tag. Emphasis, a heading's ``#`` or a code fence that
    belong to the tags are stripped.

    With ``recover``, three departures from the format are read as well (ours), each only where generation
    ended by itself:

    - ``missing_closing_tag``: the opening tag is the last one, and the output ends with its final answer.
    - ``answer_behind_tag``: the reconstruction holds no final answer, but ``Final Answer: …`` is all that
      follows its closing tag.
    - ``headings``: the reconstruction stands under a heading (``## Reconstruction``, ``**Reconstruction**``,
      ``Rebuilt reasoning:``) instead of a tag, and the output ends with its final answer.

    Args:
        text: The decoded output of the synthesis request.
        truncated: Whether generation stopped at the token limit.
        recover: Whether to read an output that breaks the format without leaving any doubt.
        needs_answer: Whether a reconstruction between tags must state a final answer.

    Returns:
        The stripped reconstruction, or a named reason.
    """
    if truncated and _THINKING_BEGUN.match(text) and _THINKING_END not in text:
        # A draft, tags and all.
        return Parsed(reason=RejectReason.TRUNCATED)
    text = _behind_thinking(text)
    if not text.strip():
        return Parsed(reason=RejectReason.EMPTY_OUTPUT)
    recover = recover and not truncated
    tags = [tag for tag in _TAG.finditer(text) if tag[1].count("/") < 2]
    analysis_end = _analysis_end(tags, text)
    body_start = tags[analysis_end].end() if analysis_end >= 0 else 0
    tags = tags[analysis_end + 1 :]

    bounds = [tag for tag in tags if _is_reconstruction(tag)]
    opening = next((tag for tag in bounds if not _closes(tag)), None)
    if opening is None:
        found = _under_heading(text, body_start, tags) if recover else None
        return _recovered_or(found, Recovery.HEADINGS, RejectReason.MISSING_TAG, truncated)
    closing = next((tag for tag in bounds if _closes(tag) and tag.start() >= opening.end()), None)
    if closing is None:
        alone = len(bounds) == 1 and tags[-1] is opening
        found = _ending_with_answer(text[opening.end() :]) if recover and alone else None
        return _recovered_or(found, Recovery.MISSING_CLOSING_TAG, RejectReason.UNCLOSED_TAG, truncated)

    if any(opening.end() <= tag.start() < closing.start() for tag in tags):
        return Parsed(reason=RejectReason.NESTED_TAG)
    if len(bounds) > 2:
        return Parsed(reason=RejectReason.REPEATED_TAG)
    reconstruction = _without_marks(text[opening.end() : closing.start()])
    if not reconstruction:
        return Parsed(reason=RejectReason.EMPTY_RECONSTRUCTION)
    if not states_final_answer(reconstruction):
        answer = _labelled_answer(text[closing.end() :]) if recover and tags[-1] is closing else None
        found = None if answer is None else f"{reconstruction}\n{answer}"
        if found is not None or needs_answer:
            return _recovered_or(found, Recovery.ANSWER_BEHIND_TAG, RejectReason.NO_FINAL_ANSWER)
    return Parsed(reconstruction=reconstruction)


def _behind_thinking(text: str) -> str:
    """What follows a model's thinking; a ``</think>`` inside the reconstruction is y⁻'s own."""
    behind = text.rpartition(_THINKING_END)[2]
    first = next(filter(_is_reconstruction, _TAG.finditer(behind)), None)
    if first is None or not _closes(first):
        return behind
    before = text[: len(text) - len(behind)]
    openings = [tag.start() for tag in _TAG.finditer(before) if _is_reconstruction(tag) and not _closes(tag)]
    return text[: openings[-1]].rpartition(_THINKING_END)[2] + text[openings[-1] :] if openings else behind


def _analysis_end(tags: list[re.Match[str]], text: str) -> int:
    """The position of the tag that ends the analysis, the first of its kind; -1 without one.

    One that stands right behind the only reconstruction encloses it, and ends nothing before it.
    """
    end = next((i for i, tag in enumerate(tags) if _closes(tag) and not _is_reconstruction(tag)), -1)
    if end > 0 and _is_reconstruction(tags[end - 1]) and _closes(tags[end - 1]):
        encloses = not text[tags[end - 1].end() : tags[end].start()].strip()
        if encloses and not any(_is_reconstruction(tag) for tag in tags[end:]):
            return -1
    return end


def _closes(tag: re.Match[str]) -> bool:
    return "/" in tag[1] or "\\" in tag[1]


def _is_reconstruction(tag: re.Match[str]) -> bool:
    return tag[2][0] in "rR"


def _recovered_or(found: str | None, how: Recovery, reason: RejectReason, truncated: bool = False) -> Parsed:
    if found is not None:
        return Parsed(reconstruction=found, recovered=how)
    return Parsed(reason=RejectReason.TRUNCATED if truncated else reason)


def _under_heading(text: str, body_start: int, tags: list[re.Match[str]]) -> str | None:
    """What stands under the heading that names the reconstruction.

    It must be the only one, save for others directly below it, and no tag may follow but a closing one that ends
    the output.
    """
    if not _NAME.search(text, body_start):
        return None
    headings = [
        heading for heading in _HEADING.finditer(text, body_start) if any(mark in heading[0] for mark in _HEADING_MARKS)
    ]
    if not headings:
        return None
    if any(text[upper.end() : lower.start()].strip() for upper, lower in pairwise(headings)):
        return None
    start, end = headings[-1].end(), len(text)
    if tags and _is_reconstruction(tags[-1]) and not text[tags[-1].end() :].strip("` \t\r\n"):
        end = tags[-1].start()
        tags = tags[:-1]
    if any(_is_reconstruction(tag) or tag.start() >= start for tag in tags):
        return None
    return _ending_with_answer(text[start:end])


def states_final_answer(text: str) -> bool:
    r"""Whether a text states its final answer: ``\boxed{…}``, ``Final Answer: …`` or "the final answer is …"."""
    return _FINAL_ANSWER.search(text) is not None


def _ending_with_answer(rest: str) -> str | None:
    """The rest of an output, if its last paragraph holds its final answer and no remark follows that."""
    reconstruction = _without_marks(_without_debris(rest))
    answers = deque(_FINAL_ANSWER.finditer(reconstruction), maxlen=1)
    if not answers:
        return None
    behind = reconstruction[answers[0].end() :]
    if _BLANK_LINE.search(behind) or _REMARK.search(behind) or _BROKEN_TAG.search(reconstruction[-_TAG_REACH:]):
        return None
    return reconstruction


def _labelled_answer(tail: str) -> str | None:
    """``Final Answer: …``, if this paragraph is all there is in what follows the closing tag."""
    answer = _without_debris(tail)
    if _BLANK_LINE.search(answer) or _REMARK.search(answer) or not _LABELLED_ANSWER.match(answer):
        return None
    return answer if states_final_answer(answer) else None


def _without_marks(text: str) -> str:
    """A reconstruction without what belongs to the tags around it: emphasis, a heading's ``#``, a code fence."""
    text = text.strip().removesuffix(_THINKING_END).rstrip()
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
