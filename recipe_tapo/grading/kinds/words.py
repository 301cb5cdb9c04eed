r"""Answers that are words: ``\text{even}``, "no solutions", number words."""

import re

from recipe_tapo.grading.kinds.number_words import number_from_words
from recipe_tapo.grading.normalise import unwrap
from recipe_tapo.grading.outcome import Outcome
from recipe_tapo.grading.spelling.unit_table import VALUE_WORDS
from recipe_tapo.grading.values.plain import parse_plain

_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_BARE_WORD = re.compile(r"yes|no|odd|all|[a-z]{4,}", re.IGNORECASE)
_CJK = {
    "无解": "no solution",
    "无实数解": "no solution",
    "空集": "empty set",
    "不存在": "does not exist",
    "是": "yes",
    "否": "no",
}
_NAMED_EMPTY = re.compile(r"^[a-zA-Z](?:=|\\in(?![a-zA-Z]))\s*(?=\\emptyset$)")
_THERE_ARE = (
    r"(?:(?:the |this )?(?:given )?(?:equation |system |inequality |it ))?(?:there (?:is|are|exists?) |has |have "
    r"|does not have |do not have )?"
)
_SAME_WORDS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (
            rf"^{_THERE_ARE}(?:no|any) (?:real |integer |possible |valid )?(?:solutions?|roots?)(?: exists?)?$",
            "no solution",
        ),
        (r"^(?:the )?(?:empty|null) set$|^empty$|^\\emptyset$", "no solution"),
        (r"^(?:it |the limit )?(?:dne|does not exist|doesn t exist|do not exist)$", "does not exist"),
        (r"^(?:it )?(?:is )?(?:undefined|not defined)$", "undefined"),
        (r"^(?:the )?(?:all|any|every) (?:real )?(?:reals?|real numbers?|numbers?)(?: x)?$", "all real numbers"),
    )
]
# "a total of 5", "minus 5"
_INTRODUCED = re.compile(
    r"\s*(?:(?:exactly|precisely|just|only|a total of|in total|a sum of)|(minus|negative))\s+"
    r"(-?[\d.\\(].*|[a-z]+(?:[- ][a-z]+)*)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(
    r"([a-zA-Z ,']*\b(?:is|are|has|have|equals|be|get|was|were)) (-?[\d,.]*\d%?)((?: [a-zA-Z]+)*)\.?"
)
_ARTICLE = re.compile(r"^(?:an?|the) (?=[a-z]{3,}(?: |$))")
_QUALIFIERS = VALUE_WORDS - {"is", "are", "was", "were"} | {"more", "most", "less", "least", "fewer"}
_NEGATIONS = {"not", "no", "never", "neither", "nor", "or", "either", "if", "unless", "false", "wrong", "incorrect"}


def text_key(cleaned: str) -> str | None:
    r"""Returns the words of an answer that is text (``\text{even}``, ``\text{(C)}``), else None.

    Case, brackets and punctuation do not count. A lone bracketed capital counts as text too.
    """
    cleaned = _NAMED_EMPTY.sub("", cleaned)
    match = _TEXT.fullmatch(cleaned)
    if match:
        words = match[1]
    elif re.fullmatch(r"\(?(?:\\text\{)?\(?[A-Z]\)?\}?\)?", cleaned) or cleaned == "\\emptyset":
        words = cleaned.replace("\\text", "")
    elif cleaned in _CJK:
        words = _CJK[cleaned]
    else:
        return None
    # A number set as text is a number.
    return _key(words) if re.search(r"[^\W\d_]", words) else None


def same_words(gold: str, answer: str) -> Outcome | None:
    """Compares an answer with a gold that is text; None where the gold is none."""
    words = text_key(gold)
    if words is None:
        # A product of variables elsewhere; letter by letter the same word, whatever its case, it is the answer.
        return True if _BARE_WORD.fullmatch(gold) and _key(gold) == _words_of(answer) else None
    if answer.startswith("\\{"):
        return False if gold == "\\emptyset" else None
    theirs = text_key(answer) or _words_of(answer)
    if len(words) == 1 and re.search(r"[-+*/^=<>_]", answer):
        return None
    if words == theirs or words == _ARTICLE.sub("", theirs) or _states(theirs, words):
        return True
    # A bare capital may be a variable, so that another spelling of it needs algebra.
    return False if gold.startswith("\\text") or gold == "\\emptyset" else None


def number_of_words(cleaned: str) -> str:
    r"""Returns the digits for a number word (``\text{four}``), everything else unchanged."""
    text = _TEXT.sub(r" \1 ", cleaned) if cleaned.startswith("\\text") else cleaned
    if match := _INTRODUCED.fullmatch(text):
        number = f"{'-' if match[1] else ''}{match[2].strip()}"
        if not match[1] or parse_plain(number):
            return number_from_words(number) or number
    words = text.strip(" .")
    return (number_from_words(words) or cleaned) if words[:1].isalpha() else cleaned


def number_in_sentence(cleaned: str) -> str:
    """Returns the number of a sentence that states one ("There are 42 apples"), everything else unchanged."""
    match = _SENTENCE.fullmatch(cleaned)
    return match[2] if match and not _QUALIFIERS & set(f"{match[1]} {match[3]}".lower().split()) else cleaned


def _words_of(answer: str) -> str:
    """The words of any answer, inside and outside of ``\\text``."""
    return _key(_TEXT.sub(r" \1 ", unwrap(answer)))


def _key(words: str) -> str:
    if words in _CJK:
        words = _CJK[words]
    key = " ".join(re.findall(r"\\emptyset|[^\W_]+", words.lower()))
    for pattern, replacement in _SAME_WORDS:
        key = pattern.sub(replacement, key)
    return key


def _states(sentence: str, words: str) -> bool:
    """Whether a sentence says these words of its subject and nothing more: "the function is even"."""
    match = re.fullmatch(rf"(.*?)\b(?:is|are|was|were|on|in)(?: an?| the)? {re.escape(words)}", sentence)
    return match is not None and not _NEGATIONS & set(match[1].split())
