r"""verl's RL row: one question as a chat prompt, its gold answer, and where it came from."""

from collections.abc import Iterable

import pyarrow as pa

from data_prep.problems import MathProblem

QUESTION_COLUMNS = ("extra_info", "prompt", "messages", "problem", "question")

DEFAULT_PROMPT_SUFFIX = "Please think step by step, and put your final answer within \\boxed{}."

RL_SCHEMA = pa.schema(
    [
        ("data_source", pa.string()),
        ("prompt", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        (
            "extra_info",
            pa.struct(
                [
                    ("split", pa.string()),
                    ("index", pa.int64()),
                    ("source", pa.string()),
                    ("question", pa.string()),
                    ("id", pa.string()),
                ]
            ),
        ),
    ]
)


def to_rl_table(problems: Iterable[MathProblem], data_source: str, split: str, prompt_suffix: str) -> pa.Table:
    """Lays problems out in verl's RL schema.

    Args:
        problems: Problems with a usable answer.
        data_source: The name under which verl groups metrics and chooses a scorer.
        split: ``train`` or ``test``.
        prompt_suffix: Instruction put after the question; empty for none.

    Returns:
        A table with the columns and types of ``RL_SCHEMA``, one row per problem.
    """
    suffix = f" {prompt_suffix}" if prompt_suffix else ""
    rows = [
        {
            "data_source": data_source,
            "prompt": [{"role": "user", "content": problem.text + suffix}],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": problem.answer},
            "extra_info": {
                "split": split,
                "index": problem.index,
                "source": problem.source,
                "question": problem.question,
                "id": problem.own_id,
            },
        }
        for problem in problems
    ]
    return pa.Table.from_pylist(rows, schema=RL_SCHEMA)


def raw_question(row: dict) -> str | None:
    """The question as ``extra_info`` has it, without the prompt's instruction; None where it has none."""
    extra_info = row.get("extra_info")
    raw = extra_info.get("question") if isinstance(extra_info, dict) else None
    return raw if isinstance(raw, str) and raw.strip() else None


def question_of(row: dict) -> str | None:
    """Finds the question in a row of any parquet that verl trains on.

    Args:
        row: A row of the RL schema, a ``messages`` row for SFT, or a row with a plain text column.

    Returns:
        The raw question, else what the user says, else the text column; None when there is no such text.
    """
    raw = raw_question(row)
    if raw is not None:
        return raw
    for chat in (row.get("prompt"), row.get("messages")):
        if isinstance(chat, list):
            turns = [turn for turn in chat if isinstance(turn, dict) and turn.get("role") == "user"]
            said = [turn["content"] for turn in turns if isinstance(turn.get("content"), str)]
            return "\n".join(said) or None
    texts = (row.get(name) for name in ("prompt", "problem", "question"))
    return next((text for text in texts if isinstance(text, str)), None)
