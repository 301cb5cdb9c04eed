"""Reading a data set from the Hugging Face hub."""

import logging
from typing import Any

from recipe_tapo.errors import InputError


def read_hub_rows(name: str) -> list[dict[str, Any]]:
    """Downloads a data set, or takes it from the local cache, and returns the rows of all its splits.

    Args:
        name: ``owner/name`` on the hub.

    Raises:
        InputError: The data set cannot be had.
    """
    print(f"loading {name} from the Hugging Face hub", flush=True)
    # Imported here: it takes two seconds, which runs on local files need not pay.
    import datasets

    # Its retry notices would bury the one line that says what to do.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        splits = datasets.load_dataset(name)
    # The layers below raise types of four libraries, all of which mean that there is no data.
    except Exception as error:
        raise InputError(
            f"cannot load {name} from the Hugging Face hub ({error}); "
            "without network, name a local file instead, see --help"
        ) from error
    rows = [dict(row) for split in splits.values() for row in split]
    if not rows:
        raise InputError(f"{name}: the data set has no rows")
    return rows
