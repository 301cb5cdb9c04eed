"""A Hugging Face fast tokenizer of a few hundred entries: numbers, phrases, template chunks, bytes.

Every fixed chunk of the project's synthesis templates is one token, so the filled prompt stays under a
hundred; any other text falls back to bytes, so that every text survives a round trip.
"""

import re
from collections.abc import Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from examples.arithmetic.problems import CHAINS, FINAL, REFLECTION, Task
from examples.cpu_demo.cold_start_examples import ANALYSIS, SHORT_ANALYSIS
from recipe_tapo.algorithm.prompts import LOCATE, OPTIONAL_PLACEHOLDERS, PLACEHOLDERS, REWRITING_MODES, load_template
from recipe_tapo.construction.locators import ANSWER_BEGUN

EOS = "<|im_end|>"
PAD = "<|endoftext|>"
START = "<|im_start|>"
MAX_LENGTH = 2048

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' }}{{ message['role'] }}{{ '\\n' }}{{ message['content'] }}{{ '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

_PHRASES = (
    "system\n",
    "user\n",
    "assistant\n",
    "Compute ",
    " mod {modulus}",
    "=",
    "\n",
    REFLECTION,
    FINAL,
    "}",
    "<analysis>\n",
    "\n</analysis>\n<reconstruction>\n",
    "\n</reconstruction>",
    "Step ",
    ": ",
)


def template_chunks(modes: Sequence[str] = REWRITING_MODES) -> list[str]:
    """The fixed text between the placeholders of the templates that the cold start teaches."""
    chunks: list[str] = []
    for mode in modes:
        names = (*PLACEHOLDERS[mode], *OPTIONAL_PLACEHOLDERS.get(mode, ()))
        placeholder = re.compile("|".join(re.escape("{" + name + "}") for name in names))
        chunks += [chunk for chunk in placeholder.split(load_template(mode=mode)) if chunk]
    return list(dict.fromkeys(chunks))


def pieces(task: Task = CHAINS, modes: Sequence[str] = REWRITING_MODES) -> list[str]:
    """All texts that are one token."""
    numbers = [str(value) for value in range(task.modulus)]
    phrases = [phrase.replace("{modulus}", str(task.modulus)) for phrase in _PHRASES]
    texts = [*numbers, *task.operators, *phrases, *ANALYSIS.values(), *template_chunks(modes)]
    misses = [f" {sign}{number}" for number in range(1, task.modulus // 2 + 1) for sign in "+-"]
    for division, mistakes in (("/", [" no"]), (":", misses)):
        if division in task.operators:
            texts += [" ", " ok", *mistakes, SHORT_ANALYSIS]
    if LOCATE in modes:
        texts += [ANSWER_BEGUN, "[", "] ", "]."]
    return list(dict.fromkeys(texts))


def build_tokenizer(task: Task = CHAINS, modes: Sequence[str] = REWRITING_MODES) -> PreTrainedTokenizerFast:
    """Builds the tokenizer: longest piece first, bytes for everything else, an exact decoder.

    Args:
        task: Whose numbers and operators are tokens.
        modes: The prompts (keys of ``PLACEHOLDERS``) whose fixed texts are tokens.
    """
    texts = pieces(task, modes)
    known = [PAD, START, EOS, *texts]
    vocabulary = {text: index for index, text in enumerate([*known, *(f"<0x{byte:02X}>" for byte in range(256))])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, ignore_merges=True))
    longest_first = sorted(texts, key=len, reverse=True)
    pattern = "|".join(re.sub(r"([^\w\s])", r"\\\1", text) for text in longest_first)
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=[START],
        chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_LENGTH,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
