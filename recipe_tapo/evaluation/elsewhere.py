"""Answers that were produced elsewhere: which problems of which benchmarks they are to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.benchmarks import name_among
from recipe_tapo.evaluation.records import Answer, Problem, ResponseRecord

ID_COLUMNS = ("problem_idx", "problem_id", "id", "unique_id", "index")
"""Columns, also of ``extra_info``, in which benchmarks number their problems; in any case of letters."""

ROWS = "the row in its file from 0"
Reading = dict[str, int]
"""Rows by what a problem is called."""


def place_answers(
    answers: Sequence[Answer], files: Mapping[str, Path], problems: Iterable[Problem], data_dir: Path, source: str
) -> list[ResponseRecord]:
    """Says of every answer to one of the benchmarks which row of its file it is to.

    Args:
        answers: As read; their ``benchmark`` is any name under which the benchmark can be asked for, their
            ``problem_idx`` the row from 0, or the number that the benchmark's file gives its problem.
        files: The benchmarks' files by name.
        problems: Their problems.
        data_dir: Where benchmarks lie that are asked for by name alone.
        source: Name of the answers, for messages.

    Returns:
        Responses to the benchmarks, in the order of the answers; answers to others are left out.

    Raises:
        InputError: Problem numbers fit the file in no way, or in more than one.
    """
    names = {text: name_among(files, text, data_dir) for text in dict.fromkeys(answer.benchmark for answer in answers)}
    readings: dict[str, Reading] = {}
    for name, path in files.items():
        given = dict.fromkeys(str(answer.problem_idx) for answer in answers if names[answer.benchmark] == name)
        if given:
            count = sum(problem.benchmark == name for problem in problems)
            readings[name] = _choose(list(given), _readings(path, count), f"{source}: {name}")
    return [
        ResponseRecord(
            **{**asdict(answer), "benchmark": name, "problem_idx": readings[name][str(answer.problem_idx)]},
        )
        for answer in answers
        if (name := names[answer.benchmark]) is not None
    ]


def _readings(path: Path, count: int) -> dict[str, Reading]:
    """What ``problem_idx`` can mean, by its description; two columns that say the same are there once."""
    found = {ROWS: {str(row): row for row in range(count)}}
    table = pq.read_table(path)
    columns = {name: table[name].to_pylist() for name in table.column_names if name.lower() in ID_COLUMNS}
    if "extra_info" in table.column_names:
        infos = [info if isinstance(info, dict) else {} for info in table["extra_info"].to_pylist()]
        inner = dict.fromkeys(key for info in infos for key in info if key.lower() in ID_COLUMNS)
        columns |= {f"extra_info.{key}": [info.get(key) for info in infos] for key in inner}
    for column, values in columns.items():
        reading = {str(value): row for row, value in enumerate(values) if isinstance(value, int | str)}
        if len(reading) == count and reading not in found.values():
            found[f"the file's own {column}"] = reading
    return found


def _choose(given: list[str], readings: dict[str, Reading], where: str) -> Reading:
    """The one reading under which every problem is answered, else the one under which all answers have a problem."""
    whole = {name: reading for name, reading in readings.items() if reading.keys() == set(given)}
    if len(whole) == 1:
        return next(iter(whole.values()))
    if whole:
        raise InputError(
            f"{where}: problem_idx can be {' or '.join(whole)}, and these differ; sort the benchmark's file by its own "
            "numbers, or remove them from it"
        )
    possible = {name: reading for name, reading in readings.items() if reading.keys() >= set(given)}
    if list(possible) == [ROWS]:
        return possible[ROWS]  # what is missing is said with run and sample
    if possible:
        lacking = (
            f"{name} (then {next(number for number in reading if number not in given)} is missing)"
            for name, reading in possible.items()
        )
        raise InputError(f"{where}: problem_idx can be {' or '.join(lacking)}; every problem needs an answer")
    stranger = next(number for number in given if number not in readings[ROWS])
    numbers = {name: list(reading) for name, reading in readings.items()}
    ranges = (f"{name}, {called[0]} to {called[-1]}" for name, called in numbers.items())
    raise InputError(f"{where} has no problem {stranger}; problem_idx is {'; or '.join(ranges)}")
