"""Token ids and text: what the algorithm asks of a tokenizer, and where tokens end in the text they stand for."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

_PARTIAL_CHARACTER = "\ufffd"
_BYTES_OF_A_CHARACTER = 4
_FIRST_WINDOW = 32


class Tokenizer(Protocol):
    """The two methods used of a Hugging Face tokenizer."""

    def decode(self, token_ids: Sequence[int], **kwargs) -> str: ...

    def encode(self, text: str, **kwargs) -> list[int]: ...


class ChatTokenizer(Tokenizer, Protocol):
    """A tokenizer that also renders chats."""

    eos_token_id: int

    def apply_chat_template(self, conversation: Sequence[Mapping[str, str]], **kwargs) -> str: ...


def decode(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """Decodes without special tokens and without any clean-up of spaces."""
    return tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)


def holds_special_tokens(tokenizer: Tokenizer, ids: Sequence[int], stop_ids: Collection[int]) -> bool:
    """Whether a rollout has special tokens before its end, which its text does not show.

    Args:
        tokenizer: The policy's.
        ids: A rollout, with or without EOS.
        stop_ids: Ids that end a rollout.
    """
    end = len(ids)
    while end and ids[end - 1] in stop_ids:
        end -= 1
    whole = tokenizer.decode(list(ids[:end]), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return whole != decode(tokenizer, ids[:end])


def choose_eos(candidates: Iterable[Sequence[int]], stop_ids: Collection[int], default: int | None) -> int:
    """The EOS the policy itself emits: the last id of the first rollout that ends with a stop id.

    Args:
        candidates: Rollouts.
        stop_ids: Ids that end a rollout.
        default: The tokenizer's EOS, for where no rollout ends; a stop id where the tokenizer has none.
    """
    own = next((ids[-1] for ids in candidates if ids and ids[-1] in stop_ids), default)
    return min(stop_ids) if own is None else own


def stop_ids(tokenizer: ChatTokenizer, generation_eos: int | Sequence[int] | None) -> frozenset[int]:
    """Ids that end a rollout: the tokenizer's EOS and those of the model's generation config, one, several or none."""
    ids = [generation_eos] if generation_eos is None or isinstance(generation_eos, int) else generation_eos
    return frozenset(id_ for id_ in (*ids, tokenizer.eos_token_id) if id_ is not None)


def whole_characters(ids: Sequence[int], tokenizer: Tokenizer) -> str:
    """What ids decode to without the tokens that begin a character and do not end it.

    While a character is incomplete, a byte-level tokenizer decodes its beginning to U+FFFD and one with byte fallback
    the whole run of bytes, a line break in front of it included. So tokens are given back, and with more ids the text
    never becomes shorter. Bytes that are no character at all are left out at the end.
    """
    for given_back in range(min(_BYTES_OF_A_CHARACTER, len(ids) + 1)):
        text = decode(tokenizer, ids[: len(ids) - given_back])
        if not text.endswith(_PARTIAL_CHARACTER):
            return text
    return decode(tokenizer, ids).rstrip(_PARTIAL_CHARACTER)


def tokens_until(ids: Sequence[int], characters: int, tokenizer: Tokenizer) -> int:
    """How many leading ids decode to at most so many characters; those that decode to nothing are left out."""

    def length(count: int) -> int:
        return len(whole_characters(ids[:count], tokenizer))

    count = bisect_left(range(len(ids)), characters + 1, key=lambda i: length(i + 1))
    return bisect_left(range(count), length(count), key=length)


def boundary(ids: Sequence[int], beginning: str, tokenizer: Tokenizer) -> int | None:
    """How many leading ids, the fewest, decode to exactly this text; None where no token ends behind it."""
    places = range(len(ids) + 1)
    count = bisect_left(places, len(beginning), key=lambda i: len(whole_characters(ids[:i], tokenizer)))
    return count if count < len(places) and decode(tokenizer, ids[:count]) == beginning else None


def token_places(ids: Sequence[int], ends: Sequence[int], tokenizer: Tokenizer) -> list[tuple[int, int]]:
    """``tokens_until`` for many places, and to how many characters those ids decode, in time linear in the ids.

    Each place is looked for behind the one before. What is decoded begins one place earlier still: the first token of
    a decoding may lose its space.

    Args:
        ids: Tokens.
        ends: Places in their text, in characters, ascending.
        tokenizer: The policy's tokenizer.

    Returns:
        For each place how many leading ids decode to at most so many characters, and to how many.
    """
    found = []
    before = here = characters = 0
    for end in ends:
        lead = len(decode(tokenizer, ids[before:here]))
        wanted = lead + end - characters
        window = _window(ids, before, here - before, wanted, tokenizer)
        count = tokens_until(window, wanted, tokenizer)
        if before + count > here:
            characters += len(decode(tokenizer, window[:count])) - lead
            before, here = here, before + count
        found.append((here, characters))
    return found


def _window(ids: Sequence[int], start: int, least: int, characters: int, tokenizer: Tokenizer) -> Sequence[int]:
    """Ids from ``start``, more than the least and enough for more than so many characters; all where there are none."""
    size = least + _FIRST_WINDOW
    while start + size < len(ids) and len(whole_characters(ids[start : start + size], tokenizer)) <= characters:
        size *= 2
    return ids[start : start + size]
