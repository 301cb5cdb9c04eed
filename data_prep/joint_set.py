"""The cold start's joint training set: SFT-format and IFT-format rows out of constructions (paper §3.2)."""

import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from data_prep.ift_rows import IFT_MODES, continuation_rows, rewriting_rows
from data_prep.queries import Query
from data_prep.trajectories import REPEATED
from recipe_tapo.algorithm.prompts import CONTINUATION, MICRO_REFLECTIVE
from recipe_tapo.reasons import RejectReason

SFT, IFT = "sft", "ift"
TOO_LONG = "too_long"
PREFIX_TOO_SHORT = RejectReason.PREFIX_TOO_SHORT.value
TOO_LITTLE_NEW = RejectReason.TOO_LITTLE_NEW.value
# What chat templates and a second tokenization add to the tokens that the engine counted.
_TOKEN_MARGIN = 16

SFT_SCHEMA = pa.schema(
    [
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("format", pa.string()),
        ("fill_up", pa.bool_()),
        ("data_source", pa.string()),
        ("query", pa.string()),
    ]
)


@dataclass(frozen=True)
class JointSetSettings:
    """What the set is to consist of.

    Attributes:
        sft: Rows question → trajectory.
        ift: Rows prompt of the synthesis → answer.
        fill_up: Whether ordinary right responses make up for missing SFT rows.
        max_tokens: Longest row.
        min_prefix_fraction: Least share of the wrong response's tokens that a trajectory must repeat.
        min_new_tokens: Least tokens after what it repeats: a right answer alone teaches no reasoning.
        template: The synthesis prompt.
        seed: Of choice and order.
        ift_mode: Whose prompts the IFT rows teach: a key of ``IFT_MODES``.
    """

    sft: int
    ift: int
    fill_up: bool
    max_tokens: int
    min_prefix_fraction: float
    min_new_tokens: int
    template: str
    seed: int
    ift_mode: str = MICRO_REFLECTIVE


@dataclass
class JointSet:
    """The rows, in their final order, and what became of every query.

    Attributes:
        rows: Of ``SFT_SCHEMA``.
        reasons: Queries by why they have no trajectory; those that have one are under None.
        dropped: Verified-right trajectories that are fit for neither, or one, of the formats, by (format, reason).
        used: Rows by (format, whether it is a fill-up).
        prefix_fractions: Of every verified-right trajectory.
        trajectories: The chosen SFT trajectories, in the order of choice.
    """

    rows: list[dict] = field(default_factory=list)
    reasons: Counter = field(default_factory=Counter)
    dropped: Counter = field(default_factory=Counter)
    used: Counter = field(default_factory=Counter)
    prefix_fractions: list[float] = field(default_factory=list)
    trajectories: list[tuple[Query, dict]] = field(default_factory=list)


def build_joint_set(constructions: Iterable[tuple[Query, dict]], settings: JointSetSettings) -> JointSet:
    """Chooses and lays out rows.

    A prompt counts where it occurs first, and each verified-right trajectory serves at most once in each format. SFT
    rows are taken from the front of one random order and IFT rows from its end, so that the formats share as few
    trajectories as the yield allows.

    Args:
        constructions: Queries with their results, see ``read_constructions``.
        settings: Sizes and limits.
    """
    joint = JointSet()
    verified, others = [], []
    prompts: set[str] = set()
    for query, result in constructions:
        prompt = json.dumps(query.messages)
        if prompt in prompts:
            joint.reasons[REPEATED] += 1
            continue
        prompts.add(prompt)
        joint.reasons[result["reason"]] += 1
        if result["reason"] is None:
            verified.append((query, result))
        elif settings.fill_up and result["correct"] is not None:
            others.append((query, result))
    joint.prefix_fractions = [result["prefix_fraction"] for _, result in verified]
    verified = [
        pair
        for pair, fraction in zip(verified, joint.prefix_fractions, strict=True)
        if _keep(fraction >= settings.min_prefix_fraction, joint, "both", PREFIX_TOO_SHORT)
        and _keep(pair[1]["new_tokens"] >= settings.min_new_tokens, joint, "both", TOO_LITTLE_NEW)
    ]
    rng = random.Random(settings.seed)
    rng.shuffle(verified)
    rng.shuffle(others)

    for_sft = [pair for pair in verified if _keep(_sft_tokens(pair[1]) <= settings.max_tokens, joint, SFT, TOO_LONG)]
    joint.trajectories = for_sft[: settings.sft]
    for_ift = [row for query, result in reversed(verified) for row in _ift_rows(query, result, joint, settings)][
        : settings.ift
    ]
    fill = [pair for pair in others if _fill_tokens(pair[1]) <= settings.max_tokens]
    fill = fill[: settings.sft - len(joint.trajectories)]

    joint.rows += [_sft_row(query, result["trajectory"], False) for query, result in joint.trajectories]
    joint.rows += [_sft_row(query, result["correct"].strip(), True) for query, result in fill]
    joint.rows += for_ift
    joint.used = Counter((row["format"], row["fill_up"]) for row in joint.rows)
    rng.shuffle(joint.rows)
    return joint


def _keep(condition: bool, joint: JointSet, row_format: str, reason: str) -> bool:
    if not condition:
        joint.dropped[row_format, reason] += 1
    return condition


def _sft_tokens(result: dict) -> int:
    """At least the row's length: the trajectory is a part of the counted output."""
    return result["question_tokens"] + result["tokens"] + _TOKEN_MARGIN


def _fill_tokens(result: dict) -> int:
    return result["question_tokens"] + result["correct_tokens"] + _TOKEN_MARGIN


def _sft_row(query: Query, answer: str, fill_up: bool) -> dict:
    return _row(query, query.messages, answer, SFT, fill_up)


def _ift_rows(query: Query, result: dict, joint: JointSet, settings: JointSetSettings) -> list[dict]:
    """The rows of one trajectory that are fit, for every mode that is to be taught."""
    rows = []
    for mode in IFT_MODES[settings.ift_mode]:
        if mode == CONTINUATION:
            made = continuation_rows(query, result)
        else:
            made = rewriting_rows(query, result, settings.template)
        if isinstance(made, str):
            joint.dropped[IFT, made] += 1
            continue
        rows += [
            _row(query, prompt, answer, IFT, False)
            for prompt, answer, tokens in made
            if _keep(tokens + _TOKEN_MARGIN <= settings.max_tokens, joint, IFT, TOO_LONG)
        ]
    return rows


def _row(query: Query, prompt: list[dict[str, str]], answer: str, row_format: str, fill_up: bool) -> dict:
    return {
        "messages": [*prompt, {"role": "assistant", "content": answer}],
        "format": row_format,
        "fill_up": fill_up,
        "data_source": query.data_source,
        "query": query.key,
    }
