r"""Guards against reconstructions that are no solutions of the question: template echo and leaks (ours).

Both look at a text alone. An *echo* gives words of the synthesis prompt back as they stand
(``the rebuilt reasoning``, ``\boxed{answer}``). A *leak* speaks of things that only the synthesis prompt shows
("the attempt", "the right solution"). Trained on, either would teach the policy to talk of what it cannot see.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from recipe_tapo.algorithm.prompts import template_path
from recipe_tapo.errors import InputError

_PLACEHOLDER = re.compile(r"(?<![A-Za-z])\{\w+\}")  # {question}, not the braces of \boxed{answer}
_ANSWER_SLOT = re.compile(
    r"\\boxed\s?\{\s?(?:[^\W\d_][^{}\\\d=+*/^]{2,40}|[\u3400-\u9fff]{2,20}|<[^{}<>]{1,40}>|\.{2,3}|…)\s?\}"
)
_BOX = re.compile(r"\\boxed\s?\{[^{}]*\}")
_QUOTED = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|「[^」\n]*」|«[^»\n]*»")
_EXAMPLE = re.compile(r"\d|\bwait\b|等等|等一下", re.IGNORECASE)
_LIST_MARK = re.compile(r"[\s#>*+-]*(?:\d{1,3}[.)]\s)?")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=[。！？])")
_NO_WORD = re.compile(r"[\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_MIN_WORDS_LINE = 3
_MIN_WORDS_SENTENCE = 5  # shorter ones ("That step is:") occur in solutions
# What a prompt has, and what may be said of it then.
_OCCASIONS = (
    (re.compile(r"\\boxed|\binstruct|\bformat", re.IGNORECASE), "the instructions say"),
    (
        re.compile(r"\(A\)|^\s*A[.)]\s|\b(?:options|choices)\b", re.IGNORECASE | re.MULTILINE),
        "any of the options given, any of the choices given",
    ),
)


class LeakPatternError(InputError):
    """A file of leak patterns that cannot be used; the message names the file and the line."""


def template_phrases(template: str) -> list[str]:
    r"""The phrases of a synthesis prompt that no solution would hold by itself.

    A phrase is a line of at least three words, or a sentence of at least five, in a line without a
    ``{placeholder}`` (two CJK characters count as one word). A line that a colon ends needs five words as well.
    Markup, numbering, punctuation, case and white space do not count.
    A quotation is no phrase, for the prompt wants to have it said ("Wait, let me double-check that."). Nor is a line
    with a digit or a "wait": it belongs to a worked example, as in the paper's Fig. 2, whose words a solution may use.
    A slot for the answer, such as ``\boxed{answer}``, is a phrase however
    short it is; one that could be an answer, such as ``\boxed{42}`` or ``\boxed{x}``, is none.

    Args:
        template: The template as read from its file, before any placeholder is filled.

    Returns:
        Normalised phrases for ``echoes_template``, each once, in the template's order.
    """
    phrases = []
    for line in template.splitlines():
        slots = _ANSWER_SLOT.findall(line)
        phrases += [_compact(slot) for slot in slots]
        line = _LIST_MARK.sub("", _BOX.sub(" ", line), count=1)
        own = _QUOTED.sub("", line)
        if _PLACEHOLDER.search(line) or not own.strip() or _EXAMPLE.search(own):
            continue
        unsplit = _QUOTED.sub(lambda quotation: re.sub(r"[.!?。！？]", " ", quotation[0]), line)
        sentences = _SENTENCE_END.split(unsplit)
        leads_in = line.rstrip().endswith((":", "："))
        if not leads_in and _word_count(_words(line)) >= _MIN_WORDS_LINE:
            phrases.append(_words(line))
        phrases += [_words(sentence) for sentence in sentences if _word_count(_words(sentence)) >= _MIN_WORDS_SENTENCE]
    return list(dict.fromkeys(phrases))


def echoes_template(text: str, phrases: Sequence[str]) -> bool:
    """Whether a text holds one of the phrases that ``template_phrases`` found.

    Args:
        text: A reconstruction, or what follows the preserved prefix of one: words that the policy wrote.
        phrases: From ``template_phrases``.
    """
    words, compact = _words(text), _compact(text)
    return any(phrase in compact if phrase.startswith("\\") else _holds(words, phrase) for phrase in phrases)


def load_leak_patterns(path: str | Path | None = None) -> list[re.Pattern[str]]:
    r"""Reads patterns for ``leaks``: one regular expression a line, ``#`` at its beginning makes it a comment.

    The patterns are compiled to ignore case. Each should take time linear in the text: bounded gaps
    (``.{0,40}``) and no repetition inside a repetition.

    Args:
        path: A user's own file; None for the package's.

    Raises:
        LeakPatternError: The file cannot be read, holds no pattern, or a line is no regular expression or one
            that the empty text matches.
    """
    path = Path(path) if path else template_path("leak_patterns")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LeakPatternError(f"cannot read the leak patterns {path}: {error}") from error
    patterns = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            pattern = re.compile(line.rstrip(), re.IGNORECASE)
        except re.error as error:
            raise LeakPatternError(f"{path}, line {number}: no regular expression ({error})") from error
        if pattern.search(""):
            raise LeakPatternError(f"{path}, line {number}: matches the empty text, so it would reject every response")
        patterns.append(pattern)
    if not patterns:
        raise LeakPatternError(f"{path} holds no pattern; set the leak check off instead of emptying the file")
    return patterns


def unasked(patterns: Sequence[re.Pattern[str]], asked: str) -> list[re.Pattern[str]]:
    r"""The patterns of what the plain prompt gives no occasion to say.

    Args:
        patterns: From ``load_leak_patterns``.
        asked: The question and what stands around it in the prompt of the rollouts. What it says may be said again;
            where it says how to write the answer (``\boxed``, "instruction", "format"), "the instructions say" is
            talk of it, and where it has answers to choose from, "none of the options given" is.
    """
    excused = [asked, *(said for occasion, said in _OCCASIONS if occasion.search(asked))]
    return [pattern for pattern in patterns if not any(pattern.search(text) for text in excused)]


def leaks(text: str, patterns: Sequence[re.Pattern[str]], start: int = 0) -> bool:
    r"""Whether a text speaks of what only the synthesis prompt shows.

    Args:
        text: The whole response, the preserved prefix included: ``\A`` in a pattern stands for its beginning,
            where "To correct this" takes up something that the response has not said.
        patterns: From ``load_leak_patterns``.
        start: Where the words to look at begin, in characters. What stands before them is the rollout's own, and talk
            that ends there is none of theirs; talk that they complete is.
    """
    return any(match.end() > start for pattern in patterns for match in pattern.finditer(text))


def _words(text: str) -> str:
    """Case-folded words with one space between them."""
    return _NO_WORD.sub(" ", text.casefold()).strip()


def _compact(text: str) -> str:
    return "".join(text.casefold().split())


def _word_count(words: str) -> int:
    characters = len(_CJK.findall(words))
    return len(_CJK.sub(" ", words).split()) + (characters + 1) // 2


def _holds(words: str, phrase: str) -> bool:
    """Whether the phrase stands in the words, not beginning or ending inside one; CJK has no such boundaries."""
    left = "" if _CJK.match(phrase[0]) else " "
    right = "" if _CJK.match(phrase[-1]) else " "
    return f"{left}{phrase}{right}" in f" {words} "
