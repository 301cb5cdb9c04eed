"""The data sets we know: where they come from and under which ``data_source`` they go to verl.

No name begins with ``aime`` or equals a name in ``verl.utils.reward_score``: verl would then grade the rows
with its own scorer whenever ours is not configured, silently and by other rules.
"""

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

DEEPSCALER_HUB = "agentica-org/DeepScaleR-Preview-Dataset"
DEEPSCALER_DATA_SOURCE = "tapo/deepscaler"

DEFAULT_SAVE_DIR = Path("~/data/tapo")
FILE_SUFFIXES = (".parquet", ".jsonl", ".json")
BENCHMARK_SIZE = 30


@dataclass(frozen=True)
class Benchmark:
    """An evaluation set.

    Attributes:
        name: Stem of its parquet file and of its flag.
        hub: Default data set on the Hugging Face hub.
        integer_answers: Whether every answer is an integer from 0 to 999, as in the AIME.
    """

    name: str
    hub: str
    integer_answers: bool

    @property
    def data_source(self) -> str:
        """The name of its rows in verl's metrics."""
        return f"tapo/{self.name}"


BENCHMARKS = (
    Benchmark("aime_2024", "HuggingFaceH4/aime_2024", integer_answers=True),
    Benchmark("aime_2025", "MathArena/aime_2025", integer_answers=True),
    Benchmark("hmmt_feb_2025", "MathArena/hmmt_feb_2025", integer_answers=False),
)
BENCHMARK_NAMES = frozenset(benchmark.name for benchmark in BENCHMARKS)


def find_benchmark_file(folder: Path, name: str, own: Container[Path] = ()) -> Path | None:
    """Returns a benchmark's file in a folder, parquet before json, or None.

    Args:
        folder: Where to look.
        name: The benchmark's.
        own: Resolved paths to pass over.
    """
    candidates = (folder / f"{name}{suffix}" for suffix in FILE_SUFFIXES)
    return next((path for path in candidates if path.is_file() and path.resolve() not in own), None)


def find_benchmark_files(folder: Path) -> list[Path]:
    """Returns the files of all known benchmarks in a folder."""
    found = (find_benchmark_file(folder, benchmark.name) for benchmark in BENCHMARKS)
    return [path for path in found if path]
