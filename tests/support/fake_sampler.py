"""An engine of the unit tests that answers by a function; and questions for it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data_prep.problems import MathProblem
from data_prep.schema import to_rl_table
from recipe_tapo.sampling.requests import Request, Response, Sampling


class FakeSampler:
    """Answers with ``answer(prompt, seed)``; notes the requests; raises ``Killed`` at a chunk if told to."""

    one_by_one = False

    def __init__(self, answer: Callable[[str, int], str | Response], die_at_chunk: int | None = None) -> None:
        self.answer = answer
        self.die_at_chunk = die_at_chunk
        self.chunks: list[list[Request]] = []

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[tuple[int, Response]]]:
        if len(self.chunks) == self.die_at_chunk:
            raise Killed
        self.chunks.append(list(requests))
        yield [(n, self._one(request.messages[-1]["content"], request.seed)) for n, request in enumerate(requests)]

    def _one(self, prompt: str, seed: int) -> Response:
        answer = self.answer(prompt, seed)
        if isinstance(answer, Response):
            return answer
        return Response(answer, "stop", prompt_tokens=len(prompt.split()), tokens=len(answer.split()))


class Killed(BaseException):
    """Ends a run as a signal would."""


def write_queries(path: Path, golds: Sequence[str], suffix: str = "") -> list[dict]:
    """Writes one query ``Question <number>?`` per gold; returns the rows."""
    problems = [MathProblem(n, "made-up", f"Question {n}?", f"Question {n}?", gold) for n, gold in enumerate(golds)]
    table: pa.Table = to_rl_table(problems, "test/made-up", "train", suffix)
    pq.write_table(table, path)
    return table.to_pylist()
