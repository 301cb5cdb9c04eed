"""Token-exact prefixes (ours): where a reconstruction repeats y⁻, its tokens are y⁻'s own sampled ids.

Re-tokenising a decoded text can give other tokens than those sampled, so the policy would be trained
on a segmentation it never produced. Here the text decides *how far* y⁻ is repeated and y⁻'s ids are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from recipe_tapo.algorithm.tokens import Tokenizer, decode

_PARTIAL_CHARACTER = "\ufffd"


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

    Leading white space does not count when the two are compared: y⁻'s own is kept. If tokens and text
    cannot be made to agree (a tokenizer that is not prefix-stable), the whole text is tokenised anew.

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

    prefix_length = _common_tokens(text, error_ids, tokenizer)
    if prefix_length:
        prefix_ids = list(error_ids[:prefix_length])
        rest = text[len(decode(tokenizer, prefix_ids)) :]
        ids = prefix_ids + tokenizer.encode(rest, add_special_tokens=False)
        if decode(tokenizer, ids) == text:
            return Splice(ids=ids, prefix_length=prefix_length)
    return Splice(ids=tokenizer.encode(reconstruction.strip(), add_special_tokens=False), prefix_length=0)


def _common_tokens(text: str, ids: Sequence[int], tokenizer: Tokenizer) -> int:
    """The most leading ids whose decoding is a prefix of the text, by bisection.

    A cut inside a multi-byte character decodes to U+FFFD; while searching it counts as a prefix (so that
    the search is monotone), at the end it is given back.
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
