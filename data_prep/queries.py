"""Reading the questions to sample responses to."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_prep.read import read_parquet_table, table_rows
from recipe_tapo.errors import InputError
from recipe_tapo.records.digest import short_digest
from recipe_tapo.sampling.requests import derive_seed
from recipe_tapo.sampling.rl_rows import prompt_and_gold


@dataclass(frozen=True)
class Query:
    """A question with its gold answer.

    Attributes:
        key: Depends on prompt and gold alone, so that responses find their query in any file.
        messages: The chat prompt.
        gold: The right answer.
        data_source: Its name in verl's metrics.
        extra_info: As in the file.
    """

    key: str
    messages: list[dict[str, str]]
    gold: str
    data_source: str
    extra_info: dict[str, Any]


def read_queries(path: Path) -> list[Query]:
    """Reads a parquet file in verl's RL schema, one query per row.

    Raises:
        InputError: Not such a file.
    """
    return read_query_table(path)[1]


def read_query_table(path: Path) -> tuple[pa.Table, list[Query]]:
    """Reads a parquet file in verl's RL schema as a table, and the query of each of its rows.

    Raises:
        InputError: Not such a file.
    """
    if path.suffix != ".parquet":
        raise InputError(f"{path}: expected a .parquet file in verl's RL format, as data_prep.deepscaler writes it")
    table = read_parquet_table(path)
    rows = enumerate(table_rows(table, path), start=1)
    return table, [_to_query(row, f"{path}: row {number}") for number, row in rows]


def refuse_earlier_answers(queries: Iterable[Query], path: Path) -> None:
    """Insists on prompts without earlier answers, which SFT would train on as well.

    Raises:
        InputError: A prompt has one.
    """
    for number, query in enumerate(queries, start=1):
        if any(message["role"] == "assistant" for message in query.messages):
            raise InputError(
                f"{path}: row {number} has an earlier answer in its prompt, which SFT would train on; "
                "put examples into the user's message"
            )


def digest(queries: Iterable[Query]) -> str:
    """A name for a list of queries."""
    return short_digest("".join(query.key for query in queries))


def response_seed(seed: int, query: Query, *parts: str | int) -> int:
    """The seed of one response to a query."""
    return derive_seed(seed, query.key, *parts)


def _to_query(row: dict[str, Any], where: str) -> Query:
    messages, gold = prompt_and_gold(row, where)
    extra_info = row.get("extra_info")
    if not isinstance(extra_info, dict | None):
        raise InputError(f"{where}: 'extra_info' is no struct")
    identity = json.dumps([messages, gold], ensure_ascii=True)
    return Query(
        key=short_digest(identity),
        messages=messages,
        gold=gold,
        data_source=str(row.get("data_source") or ""),
        extra_info=extra_info or {},
    )
