"""Token ids and text: what the algorithm asks of a tokenizer."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol


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


def choose_eos(candidates: Sequence[Sequence[int]], stop_ids: Collection[int], default: int) -> int:
    """The EOS the policy itself emits: the last id of the first rollout that ends with a stop id."""
    return next((ids[-1] for ids in candidates if ids and ids[-1] in stop_ids), default)


def stop_ids(tokenizer: ChatTokenizer, generation_eos: int | Sequence[int] | None) -> frozenset[int]:
    """Ids that end a rollout: the tokenizer's EOS and those of the model's generation config, one, several or none."""
    ids = [generation_eos] if generation_eos is None or isinstance(generation_eos, int) else generation_eos
    return frozenset(id_ for id_ in (*ids, tokenizer.eos_token_id) if id_ is not None)
