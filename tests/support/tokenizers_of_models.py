"""Small tokenizers of the kinds that language models have, trained at first use on the project's own texts."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from labelled_texts import read_labelled
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

ROOT = Path(__file__).parents[2]
EOS = "<|im_end|>"
# Qwen's and, but for its digits, Llama 3's: punctuation takes the line breaks behind it into its token.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def corpus() -> list[str]:
    """Texts of a real model, most of them mathematics."""
    texts = [row["text"] for row in read_labelled("leak_labels.jsonl")]
    return [*texts, *(f"{text}\n\n{text}." for text in texts[:40]), "推理:所以 x = 3。\n等等,不对。\n\n" * 20]


def _trained(tokenizer: Tokenizer, texts: Iterable[str], **options) -> Tokenizer:
    trainer = trainers.BpeTrainer(vocab_size=1500, special_tokens=[EOS], show_progress=False, **options)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return _trained(tokenizer, corpus(), initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def _metaspace(prepend: str) -> Tokenizer:
    """SentencePiece's, as converted for fast tokenizers."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend, split=True)
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=prepend)])
    return _with_bytes(_trained(tokenizer, _lines(), limit_alphabet=300))


def _normalized_metaspace() -> Tokenizer:
    """The same in the older style of Llama 2: a normalizer writes the dummy space, a decoder takes it away."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("(?=▁)"), behavior="merged_with_next")
    trained = _with_bytes(_trained(tokenizer, _lines(), limit_alphabet=300))
    trained.pre_tokenizer = None
    trained.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return trained


def _lines() -> Iterable[str]:
    """Without line breaks, which SentencePiece's models write as a byte."""
    return (line for text in corpus() for line in text.splitlines())


def _with_bytes(tokenizer: Tokenizer) -> Tokenizer:
    """Adds the 256 bytes that what is in no token falls back to, which the trainer leaves out."""
    plain = json.loads(tokenizer.to_str())
    vocabulary = plain["model"]["vocab"]
    for byte in range(256):
        vocabulary.setdefault(f"<0x{byte:02X}>", len(vocabulary))
    return Tokenizer.from_str(json.dumps(plain))


@cache
def tokenizer_of(kind: str) -> PreTrainedTokenizerFast:
    """One of ``KINDS``."""
    if kind == "demo":
        return AutoTokenizer.from_pretrained(ROOT / "examples" / "cpu_demo" / "checkpoint")
    style, _, prepend = kind.partition(":")
    built = {"byte_level": _byte_level, "normalized": _normalized_metaspace}.get(style)
    return PreTrainedTokenizerFast(
        tokenizer_object=built() if built else _metaspace(prepend), eos_token=EOS, clean_up_tokenization_spaces=False
    )


KINDS = ("byte_level", "metaspace:always", "metaspace:first", "metaspace:never", "normalized", "demo")
