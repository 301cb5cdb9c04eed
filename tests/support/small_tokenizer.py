"""Byte-level tokenizers: one of 340 tokens, trained at import, and one whose tokens are single bytes."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

CORPUS = [
    "2x + 5 = 13\n2x = 8\nDivide by 2: x = 3\n\nWait, let me double-check.\nSo x = 4.\nFinal Answer: \\boxed{4}"
] * 4


def byte_level_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=["<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>")


def single_bytes():
    """A token for each byte, so that tokens are counted by counting letters."""
    letters = {letter: index for index, letter in enumerate(["<|im_end|>", *pre_tokenizers.ByteLevel.alphabet()])}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>")


TOKENIZER = byte_level_bpe()
EOS = TOKENIZER.eos_token_id


def encode(text):
    return TOKENIZER.encode(text, add_special_tokens=False)


def letters(text):
    """Ids of single bytes: what a policy may sample where the tokenizer itself would have merged."""
    return [encode(character)[0] for character in text]
