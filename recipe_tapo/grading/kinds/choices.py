r"""Multiple choice: a letter, with or without the text of the option."""

import re

from recipe_tapo.grading.outcome import Equal, Outcome

_LETTER = re.compile(r"(?:\\text\{)?\(?([A-J])\)?[.:]?\}?")
_WITH_TEXT = re.compile(
    r"(?:\\text\{)?\s*(?:[oO]ption|[cC]hoice|[aA]nswer|选项?)?\s*"
    r"(?:\(([A-J])\)|([A-J])(?:\)|\.(?=\D)|:|(?=\s|\\text|\}|选项|,|$)))[.:]?\s*(.*)"
)
_LABELLED = re.compile(r"(?:\\text\{\s*)?(?:\([A-J]\)|[A-J](?:\)|\.(?=\D)))")
_SMALL_LETTER = re.compile(r"\(?([a-j])\)?")
_REJECTED = re.compile(r"(?:is|isn't)(?: not| wrong| false| incorrect)|isn't")
_OTHER_OPTION = re.compile(r"\([A-Ja-j]\)|(?<![a-zA-Z\\])[A-J](?![a-zA-Z])\)?(?:$|[,.:)])")


def same_choice(gold: str, answer: str, equal: Equal) -> Outcome | None:
    """Compares an answer with a gold that is an option of a multiple choice; None where the gold is none.

    The letter decides. The text of the option counts only where the gold states it too, and then it must agree; it is
    enough by itself.
    """
    if match := _LETTER.fullmatch(gold):
        letter, _ = _option(answer)
        return None if letter is None else letter == match[1]
    letter, text = _option(gold)
    if letter is None or not text:
        # "(B) 12" names the option of a value.
        labelled = _LABELLED.match(answer) and _option(answer)[1]
        return equal(gold, labelled) if labelled else None
    if match := _LETTER.fullmatch(answer):
        return match[1] == letter
    their_letter, their_text = _option(answer)
    if their_letter is None:
        return equal(text, answer)
    return equal(text, their_text) if their_letter == letter and their_text else their_letter == letter


def _option(cleaned: str) -> tuple[str | None, str]:
    """Returns letter and text of an option; (None, "") for everything else, two options among it."""
    if match := _SMALL_LETTER.fullmatch(cleaned):
        return match[1].upper(), ""
    match = _WITH_TEXT.fullmatch(cleaned)
    if match is None or not (match[1] or match[2]):
        return None, ""
    letter, rest = (match[1] or match[2]).upper(), match[3].strip()
    rest = re.sub(r"^\}|^选项", "", rest).strip()
    if cleaned.startswith("\\text{") and rest.endswith("}") and rest.count("{") < rest.count("}"):
        rest = rest[:-1]
    rest = rest.strip().lstrip(",").strip()
    is_none = _OTHER_OPTION.search(rest) or _REJECTED.match(rest) or rest[:1] in tuple("+-*/^=_")
    return (None, "") if is_none else (letter, rest)
