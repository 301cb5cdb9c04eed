"""The tokenizer of the model that is sampled."""

from recipe_tapo.algorithm.tokens import ChatTokenizer
from recipe_tapo.errors import InputError


def load_tokenizer(name: str) -> ChatTokenizer:
    """Loads a tokenizer.

    Args:
        name: Hugging Face folder or name.

    Raises:
        InputError: There is none.
    """
    # Imported here: it takes seconds, which --help and bad input need not wait for.
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{name}: no tokenizer there ({reason}); name its folder or hub name with --tokenizer"
        ) from error
