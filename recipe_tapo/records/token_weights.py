"""``tapo.dump_dir``: the OTS weights (Eq. 7) of constructed rows, token by token, to read beside the attempts.

Weights exist in the trainer only, attempts are written by the rollout workers: so they lie in files of their own,
``weights-<step>.jsonl``, and are joined by the row's key.
"""

import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from recipe_tapo.algorithm.tokens import Tokenizer
from recipe_tapo.records.json_lines import read_whole_lines
from recipe_tapo.records.token_texts import TokenTexts

logger = logging.getLogger(__name__)


def write_weights(
    directory: str | os.PathLike,
    tokenizer: Tokenizer,
    step: int,
    keys: Sequence[str],
    uids: Sequence[str],
    responses: torch.Tensor,
    weights: torch.Tensor,
) -> None:
    """Appends one line per row: key, step, uid, tokens as text, weights. A disk that cannot be written is only logged.

    Args:
        directory: ``tapo.dump_dir``.
        tokenizer: The policy's tokenizer.
        step: The training step.
        keys: The rows' keys.
        uids: The questions that they answer.
        responses: Token ids, jagged, (rows, tokens).
        weights: Their weights, of the same shape.
    """
    texts = TokenTexts(tokenizer)
    rows = zip(keys, uids, responses.unbind(), weights.unbind(), strict=True)
    lines = [
        {
            "key": key,
            "step": step,
            "uid": uid,
            "tokens": texts.of(ids.tolist()),
            "weights": [float(f"{weight:.3g}") for weight in row.tolist()],
        }
        for key, uid, ids, row in rows
    ]
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        with open(Path(directory) / f"weights-{step}.jsonl", "a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    except OSError as error:
        logger.error("TAPO: tapo.dump_dir cannot be written, the weights of step %d are lost: %s", step, error)


def read_weights(directory: str | os.PathLike) -> Iterator[dict[str, Any]]:
    """Yields the rows of all ``weights-*.jsonl`` by step. A last line cut short by a killed run is passed over."""
    paths = sorted(Path(directory).glob("weights-*.jsonl"), key=lambda path: (len(path.name), path.name))
    for path in paths:
        yield from read_whole_lines(path)


def join_weights(records: Sequence[dict], directory: str | os.PathLike) -> list[dict]:
    """Returns attempt records with their row's ``tokens`` and ``weights``; None where none were recorded."""
    wanted = {record["key"] for record in records if record.get("key")}
    known = {row["key"]: row for row in read_weights(directory) if row["key"] in wanted}
    rows = [known.get(record.get("key"), {}) for record in records]
    return [
        {**record, "tokens": row.get("tokens"), "weights": row.get("weights")}
        for record, row in zip(records, rows, strict=True)
    ]
