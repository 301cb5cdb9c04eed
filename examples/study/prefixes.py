"""What a run's constructions keep of the wrong rollouts, and whether training then rewards the mistakes in it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from examples.arithmetic.problems import REFLECTION, ChainProblem, first_wrong_line
from examples.cpu_demo.quality import lines_kept
from examples.study.plan import DUMP
from examples.study.results import Record
from recipe_tapo.algorithm.advantages import group_advantages
from recipe_tapo.records.attempts import read_dump

UP_TO_ERROR, BEFORE, BEYOND, NOT_VERBATIM = "up_to_error", "before_error", "beyond_error", "not_verbatim"
KINDS = (UP_TO_ERROR, BEFORE, BEYOND, NOT_VERBATIM)


def prefix_kind(question: str, wrong: str, reconstruction: str) -> str:
    """Where a reconstruction's first reflection stands.

    Returns:
        ``up_to_error`` after the wrong rollout, verbatim through its first wrong line (what TAPO wants);
        ``before_error`` so that a right step is doubted; ``beyond_error`` later; ``not_verbatim`` after other
        lines than the wrong rollout's, or nowhere.
    """
    kept = lines_kept(wrong, reconstruction)
    if not kept:
        return NOT_VERBATIM
    found = first_wrong_line(ChainProblem.parse(question), wrong)
    if found is None or kept[0] <= found[0]:
        return BEFORE
    return UP_TO_ERROR if kept[0] == found[0] + 1 else BEYOND


def construction_record(folder: Path) -> Record:
    """Shares of the kinds among parsed constructions, the locator's accuracy, and the mistakes' advantage.

    ``located`` is the share of attempts whose located step is the first wrong line, ``located_turning`` the same of
    those whose wrong rollout doubts one of its lines; continuation alone locates.

    ``error_advantage`` is the sum of Eq. 5's advantages over the trained rows that keep the first wrong line, per
    trained row. Above 0, G_ref makes the mistakes themselves more likely. Left out where no dump is, where prefixes
    are not trained, and where advantages are not those of Eq. 5.
    """
    attempts = list(read_dump(folder / DUMP))
    rows = [row for row in attempts if row["reconstruction"] is not None]
    if not rows:
        return {}
    kinds = [prefix_kind(row["question"], row["error_rollout"], row["reconstruction"]) for row in rows]
    counts = Counter(kinds)
    record: Record = {f"prefix_{kind}": counts[kind] / len(rows) for kind in KINDS}
    locating = [row for row in attempts if row.get("located_step") is not None]
    turning = [row for row in locating if REFLECTION in row["error_rollout"]]
    for name, located in (("located", locating), ("located_turning", turning)):
        if located:
            record[name] = sum(map(_is_first_wrong, located)) / len(located)
    tapo = yaml.safe_load((folder / "hydra" / ".hydra" / "config.yaml").read_text(encoding="utf-8"))["tapo"]
    if tapo["advantage"]["mode"] == "decoupled" and tapo["mask"] == "none":
        record["error_advantage"] = _error_advantage(rows, kinds)
    return record


def _is_first_wrong(row: dict[str, Any]) -> bool:
    found = first_wrong_line(ChainProblem.parse(row["question"]), row["error_rollout"])
    return found is not None and row["located_step"] == found[0] + 1


def _error_advantage(rows: Sequence[dict[str, Any]], kinds: Sequence[str]) -> float | None:
    trained = [(row, kind) for row, kind in zip(rows, kinds, strict=True) if row["key"]]
    if not trained:
        return None
    rewards = torch.tensor([row["reward"] for row, _ in trained])
    advantages = group_advantages(rewards, np.array([row["uid"] for row, _ in trained]))
    keeps = torch.tensor([kind in (UP_TO_ERROR, BEYOND) for _, kind in trained])
    return float(advantages[keeps].sum() / len(trained))
