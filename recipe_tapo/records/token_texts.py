"""Each token's share of the text that a row's tokens make up together."""

from collections.abc import Sequence

from recipe_tapo.algorithm.tokens import Tokenizer, decode

_PARTIAL_CHARACTER = "\ufffd"
# Tokens before a token that its decoding may depend on.
_CONTEXT = 4
# No character has more tokens; a longer run of tokens that are no text ends with the next token that is one.
_MOST_TOKENS_OF_A_CHARACTER = 8
# So many tokens are looked at apart from those before them, and then together with all of these.
_MOST_TOKENS_APART = 64


class TokenTexts:
    """Splits rows into the texts of their tokens; what a token says by itself is decoded once.

    Args:
        tokenizer: The policy's tokenizer.
    """

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer
        self._known: dict[int, str] = {}

    def of(self, ids: Sequence[int]) -> list[str]:
        """One text for each token; joined they are the decoded row.

        Special tokens have none; of a character that several tokens make up, the last one has it all, and so it is with
        tokens that are no text.
        """
        whole = decode(self._tokenizer, ids)
        texts = [""] * len(ids)
        place, start = 0, 0  # of the text and of the tokens that are still to be given to each other
        for end, id_ in enumerate(ids):
            alone = self._alone(id_)
            if start == end and _PARTIAL_CHARACTER not in alone:
                texts[end] = self._as_in(whole, place, alone, ids, end)
                place, start = place + len(texts[end]), end + 1
                continue
            if _PARTIAL_CHARACTER not in alone:  # a text by itself: what is before it is complete
                before = decode(self._tokenizer, ids[start:end])
                if whole.startswith(before + alone, place):
                    texts[end - 1], texts[end] = before, alone
                    place, start = place + len(before + alone), end + 1
                    continue
                if end - start >= _MOST_TOKENS_APART:  # what they say apart is not what they say within the row
                    before = decode(self._tokenizer, ids[:end])[place:]
                    if not whole.startswith(before, place):
                        break
                    texts[end - 1] = before
                    place, start = place + len(before), end
            if end - start < _MOST_TOKENS_OF_A_CHARACTER:
                together = decode(self._tokenizer, ids[start : end + 1])
                if _PARTIAL_CHARACTER not in together and whole.startswith(together, place):
                    texts[end] = together
                    place, start = place + len(together), end + 1
        if ids:
            texts[-1] += whole[place:]
        return texts

    def _alone(self, id_: int) -> str:
        if id_ not in self._known:
            self._known[id_] = decode(self._tokenizer, [id_])
        return self._known[id_]

    def _as_in(self, whole: str, place: int, alone: str, ids: Sequence[int], end: int) -> str:
        """A token's text as the row has it: some tokenizers drop the space before a text's first token."""
        if whole.startswith(alone, place):
            return alone
        context = ids[max(0, end - _CONTEXT) : end]
        behind = decode(self._tokenizer, [*context, ids[end]])[len(decode(self._tokenizer, context)) :]
        return behind if whole.startswith(behind, place) else ""
