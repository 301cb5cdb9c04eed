"""Token-exact prefixes (ours): where a trajectory repeats y⁻, its tokens are y⁻'s own sampled ids.

Re-tokenising a decoded text can give other tokens than those sampled, so the policy would be trained on a segmentation
it never produced. Here the text decides *how far* y⁻ is repeated and y⁻'s ids are kept. The seam is put where the
tokenizer itself ends a token: cut anywhere else, ``.`` + newlines for instance, the tokens around it are ones that the
policy never writes.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from recipe_tapo.algorithm.tokens import Tokenizer, decode

_PARTIAL_CHARACTER = "\ufffd"
_MOST_GIVEN_BACK = 64


@dataclass(frozen=True)
class Splice:
    """Tokens of a reconstruction.

    Attributes:
        ids: Token ids of the whole text, without EOS.
        prefix_length: How many of them are y⁻'s own, counted from the start.
    """

    ids: list[int]
    prefix_length: int


def splice(reconstruction: str, error_ids: Sequence[int], tokenizer: Tokenizer) -> Splice:
    """Tokenises a reconstruction on top of the wrong rollout's ids.

    Leading white space does not count when the two are compared: y⁻'s own is kept. The ids after the seam are those
    that encoding the whole text gives. If tokens and text cannot be made to agree, the text is tokenised anew.

    Args:
        reconstruction: y_ref as text.
        error_ids: Sampled ids of y⁻, with or without EOS.
        tokenizer: The policy's tokenizer.

    Returns:
        Ids whose decoding, leading white space aside, is the reconstruction; ``prefix_length`` 0 if the
        reconstruction does not begin as y⁻ does, or if there is nothing to compare.
    """
    error_text = decode(tokenizer, error_ids)
    margin = error_text[: len(error_text) - len(error_text.lstrip())]
    text = margin + reconstruction.strip()
    common = _common_tokens(text, error_ids, tokenizer)
    spliced = _on_top(error_ids[:common], text, tokenizer)
    if spliced is not None and spliced.prefix_length:
        return spliced
    return Splice(ids=tokenizer.encode(reconstruction.strip(), add_special_tokens=False), prefix_length=0)


def join(ids: Sequence[int], text: str, tokenizer: Tokenizer) -> Splice | None:
    """Puts a text after a rollout's first ids.

    The text is not encoded apart: its first token may take in what the rollout's last ones stand for, and a tokenizer
    with a dummy space would put one in front of it. Ids whose place the whole text's tokens take are given back.

    Returns:
        Ids that decode to both, and how many of them are the rollout's own; None where there are none.
    """
    return _on_top(ids, decode(tokenizer, ids) + text, tokenizer)


def _on_top(ids: Sequence[int], text: str, tokenizer: Tokenizer) -> Splice | None:
    """A text's ids, as many of the given ones first as end where a token of the whole text does.

    None where the text has no such ids, or none among those with at most ``_MOST_GIVEN_BACK`` fewer: a text that does
    not survive encoding would otherwise be decoded once for each of its tokens.
    """
    whole = tokenizer.encode(text, add_special_tokens=False)
    for kept in range(len(ids), max(-1, len(ids) - _MOST_GIVEN_BACK - 1), -1):
        own = decode(tokenizer, ids[:kept])
        behind = _boundary(whole, len(own), tokenizer) if text.startswith(own) else None
        if behind is not None:
            joined = [*ids[:kept], *whole[behind:]]
            if decode(tokenizer, joined) == text:
                return Splice(ids=joined, prefix_length=kept)
    return None


def tokens_until(ids: Sequence[int], characters: int, tokenizer: Tokenizer) -> int:
    """How many leading ids decode to at most so many characters; those that decode to nothing are left out."""
    count = bisect_left(range(len(ids)), characters + 1, key=lambda i: _characters(ids[: i + 1], tokenizer))
    while count and _characters(ids[:count], tokenizer) == _characters(ids[: count - 1], tokenizer):
        count -= 1
    return count


def cut(ids: Sequence[int], characters: int, tokenizer: Tokenizer) -> int | None:
    """How many of a rollout's ids are its first so many characters.

    Returns:
        None where no token ends there, or where the tokenizer itself would end none there.
    """
    count = tokens_until(ids, characters, tokenizer)
    text = decode(tokenizer, ids)
    if decode(tokenizer, ids[:count]) != text[:characters]:
        return None
    whole = tokenizer.encode(text, add_special_tokens=False)
    return count if _boundary(whole, characters, tokenizer) is not None else None


def _characters(ids: Sequence[int], tokenizer: Tokenizer) -> int:
    return len(decode(tokenizer, ids).rstrip(_PARTIAL_CHARACTER))


def _boundary(ids: Sequence[int], characters: int, tokenizer: Tokenizer) -> int | None:
    """How many leading ids decode to exactly so many characters; None where no token ends there."""
    count = bisect_left(range(len(ids) + 1), characters, key=lambda i: _characters(ids[:i], tokenizer))
    return count if count <= len(ids) and len(decode(tokenizer, ids[:count])) == characters else None


def _common_tokens(text: str, ids: Sequence[int], tokenizer: Tokenizer) -> int:
    """The most leading ids whose decoding is a prefix of the text, by bisection.

    A cut inside a multi-byte character decodes to U+FFFD; while searching it counts as a prefix (so that the search is
    monotone), at the end it is given back.
    """

    def agrees(count: int) -> bool:
        return text.startswith(decode(tokenizer, ids[:count]).rstrip(_PARTIAL_CHARACTER))

    low, high = 0, len(ids)
    while low < high:
        middle = (low + high + 1) // 2
        if agrees(middle):
            low = middle
        else:
            high = middle - 1
    while low and not text.startswith(decode(tokenizer, ids[:low])):
        low -= 1
    while low and decode(tokenizer, ids[:low]) == decode(tokenizer, ids[: low - 1]):
        low -= 1  # special tokens such as EOS decode to nothing and are not part of the text
    return low
