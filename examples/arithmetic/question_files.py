"""The task's questions as parquet files in verl's RL schema."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from examples.arithmetic.problems import ChainProblem
from recipe_tapo.records.write import atomic_paths, write_parquet

DATA_SOURCE = "tapo_demo/arithmetic"
# verl's name for the greedy accuracy on the validation file.
ACCURACY = f"val-core/{DATA_SOURCE}/acc/mean@1"


def rl_row(problem: ChainProblem, split: str, index: int) -> dict:
    """One problem as a row of verl's RL data set."""
    return {
        "data_source": DATA_SOURCE,
        "prompt": [{"role": "user", "content": problem.question}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": str(problem.answer)},
        "extra_info": {"split": split, "index": index, "question": problem.question},
    }


def write_split(output_dir: Path, split: str, problems: Sequence[ChainProblem]) -> Path:
    """Writes ``<split>.parquet``; a reader sees the old file or the whole new one."""
    rows = [rl_row(problem, split, index) for index, problem in enumerate(problems)]
    path = output_dir / f"{split}.parquet"
    with atomic_paths(path) as [temporary]:
        write_parquet(temporary, pa.Table.from_pylist(rows))
    return path
