"""What the page shows of a construction dump: the attempts, their parts, and the weights of their tokens."""

from pathlib import Path
from typing import Any

from recipe_tapo.errors import InputError
from recipe_tapo.records.attempts import read_dumps
from recipe_tapo.records.token_weights import join_weights
from recipe_tapo.report.budget import choose, embedded_size, shorten_middle, shortened_prefix
from recipe_tapo.report.segments import split_reconstruction

_SHORTENED = ("question", "error_rollout", "correct_rollout", "raw_output")
_NEEDED = {"step", "uid", "question", "error_rollout", "correct_rollout"}


def constructions_data(dump: Path, room: int) -> dict[str, Any]:
    """Data of the page on constructed trajectories; where not all fit, every step keeps some.

    Args:
        dump: ``tapo.dump_dir`` of a training run, or the folder of a preview's, one per variant.
        room: Bytes for them.

    Raises:
        InputError: There is no dump, or nothing in it.
    """
    if not dump.is_dir():
        raise InputError(f"{dump}: {'not a folder' if dump.exists() else 'no such folder'}; expected a tapo.dump_dir")
    # Read twice, for a dump of a long run does not fit into memory.
    steps, sizes = [], []
    for record in read_dumps(dump):
        if not isinstance(record, dict) or not record.keys() >= _NEEDED:
            raise InputError(
                f"{dump}: holds lines that are no constructions; expected a tapo.dump_dir, is this "
                "trainer.rollout_data_dir?"
            )
        steps.append(record["step"])
        sizes.append(_size(record))
    if not steps:
        raise InputError(f"{dump}: holds no construction; expected the tapo.dump_dir of a training run")
    chosen = choose(steps, sizes, room)
    kept = [record for position, record in enumerate(read_dumps(dump)) if position in chosen]
    return {
        "folder": str(dump),
        "attempts": len(steps),
        "steps": [min(steps), max(steps)],
        "records": [_record(record) for record in join_weights(kept, dump)],
    }


def _size(record: dict[str, Any]) -> int:
    """Bytes in the page, a weight for every three characters of the reconstruction included."""
    tokens = len(record.get("reconstruction") or "") // 3
    shortened = {name: shorten_middle(record.get(name) or "") for name in _SHORTENED}
    return embedded_size({**record, **shortened}) + 7 * tokens


def _record(record: dict[str, Any]) -> dict[str, Any]:
    text = record.get("reconstruction")
    prefix = record.get("prefix_text") or ""
    tokens, weights = record["tokens"], record["weights"]
    matching = tokens if text is not None and tokens is not None and "".join(tokens) == text else None
    row = {
        "step": record["step"],
        "uid": record["uid"],
        "question": shorten_middle(record["question"]),
        "wrong": shorten_middle(record["error_rollout"]),
        "rightRollout": shorten_middle(record["correct_rollout"]),
        "output": shorten_middle(record.get("raw_output") or ""),
        # Not shortened: the tokens' weights belong to all of it, and the training row's length bounds it.
        "parts": split_reconstruction(text, prefix) if text is not None else None,
        "kept": shortened_prefix(record["error_rollout"], prefix),
        "prefixLength": record.get("prefix_length"),
        "prefixFraction": record.get("prefix_fraction"),
        "reward": record.get("reward"),
        "right": record.get("right"),
        "reason": record.get("reason"),
        "retried": record.get("retried") or None,
        "variant": record.get("variant"),
        # A preview stores no rows; what it would have stored has no reason against it.
        "trained": record.get("key") is not None or ("variant" in record and record.get("reason") is None),
        "lengths": None if matching is None else [_javascript_length(token) for token in matching],
        "weights": None if matching is None else weights,
    }
    row["kept"] = len(row["kept"]) and _javascript_length(row["kept"])
    return {key: value for key, value in row.items() if value is not None}


def _javascript_length(text: str) -> int:
    """A text's length as JavaScript counts it: in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
