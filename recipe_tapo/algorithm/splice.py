"""Token-exact prefixes (ours): where a trajectory repeats y⁻, its tokens are y⁻'s own sampled ids.

Re-tokenising a decoded text can give other tokens than those sampled, so the policy would be trained on a segmentation
it never produced. Here the text decides *how far* y⁻ is repeated and y⁻'s ids are kept. The seam is put where the
tokenizer itself ends a token: cut anywhere else, ``.`` + newlines for instance, the tokens around it are ones that the
policy never writes.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from recipe_tapo.algorithm.steps import Step
from recipe_tapo.algorithm.tokens import Tokenizer, boundary, decode, token_places, tokens_until, whole_characters

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

    None where the text has no such ids, or none among those with at most ``_MOST_GIVEN_BACK`` fewer. Where what follows
    the seam does not survive encoding, it does not behind an earlier seam either.
    """
    whole = tokenizer.encode(text, add_special_tokens=False)
    written = decode(tokenizer, whole)
    for kept in range(len(ids), max(-1, len(ids) - _MOST_GIVEN_BACK - 1), -1):
        own = decode(tokenizer, ids[:kept])
        seam = _seam(whole, written, own, tokenizer) if text.startswith(own) else None
        if seam is None:
            continue
        behind, rest = seam
        if rest != text[len(own) :]:
            return None
        joined = [*ids[:kept], *whole[behind:]]
        if decode(tokenizer, joined) == text:
            return Splice(ids=joined, prefix_length=kept)
    return None


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
    seam = _seam(whole, decode(tokenizer, whole), text[:characters], tokenizer)
    return None if seam is None else count


def clean_steps(steps: Sequence[Step], ids: Sequence[int], tokenizer: Tokenizer) -> list[Step]:
    """Steps that a rollout can be cut behind, in time linear in its length.

    A step whose end ``cut`` refuses, for a token reaches across it (``。（``), is joined with the next one.

    Args:
        steps: Of the text that the ids decode to, all of it.
        ids: A rollout's.
        tokenizer: The policy's tokenizer.
    """
    text = decode(tokenizer, ids)
    whole = tokenizer.encode(text, add_special_tokens=False)
    if decode(tokenizer, whole) != text:  # characters that the tokenizer writes otherwise count otherwise there
        return list(steps)
    ends = [step.end for step in steps]
    own, theirs = token_places(ids, ends, tokenizer), token_places(whole, ends, tokenizer)
    joined, start = list[Step](), 0
    for end, (_, mine), (_, other) in zip(ends, own, theirs, strict=True):
        if mine == other == end or end == ends[-1]:
            joined.append(Step(start, end))
            start = end
    return joined


def _seam(whole: Sequence[int], written: str, beginning: str, tokenizer: Tokenizer) -> tuple[int, str] | None:
    """Where the ids of an encoded text go on behind its beginning, and how the tokenizer writes what follows.

    Args:
        whole: The ids of the text.
        written: What they decode to; a tokenizer that normalises writes some characters otherwise.
        beginning: How the text begins.
    """
    if not written.startswith(beginning):
        beginning = decode(tokenizer, tokenizer.encode(beginning, add_special_tokens=False))
    behind = boundary(whole, beginning, tokenizer)
    return None if behind is None else (behind, written[len(beginning) :])


def _common_tokens(text: str, ids: Sequence[int], tokenizer: Tokenizer) -> int:
    """The most leading ids whose decoding is a prefix of the text; those that decode to nothing are left out."""
    count = bisect_left(
        range(len(ids)), True, key=lambda i: not text.startswith(whole_characters(ids[: i + 1], tokenizer))
    )
    while count and not text.startswith(decode(tokenizer, ids[:count])):
        count -= 1  # inside a character
    common = decode(tokenizer, ids[:count])
    # Without the special tokens at the end, such as EOS.
    return bisect_left(range(count), True, key=lambda i: decode(tokenizer, ids[:i]) == common)
