"""Writes the demo's train.parquet and val.parquet in verl's RL schema.

Run ``python -m examples.cpu_demo.data --output_dir DIR``.
"""

import argparse
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .task import DATA_SOURCE, Problem, make_problems


def rl_row(problem: Problem, split: str, index: int) -> dict:
    """One problem as a row of verl's RL data set."""
    return {
        "data_source": DATA_SOURCE,
        "prompt": [{"role": "user", "content": problem.question}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": str(problem.answer)},
        "extra_info": {"split": split, "index": index, "question": problem.question},
    }


def write_split(output_dir: Path, split: str, size: int, seed: int) -> Path:
    """Writes one split's parquet file; a reader sees the old file or the whole new one."""
    rows = [rl_row(problem, split, index) for index, problem in enumerate(make_problems(size, split, seed))]
    output_dir.mkdir(parents=True, exist_ok=True)
    path = output_dir / f"{split}.parquet"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        pq.write_table(pa.Table.from_pylist(rows), temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def main(argv: list[str] | None = None) -> None:
    """Writes both splits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--train_size", type=int, default=2048)
    parser.add_argument("--val_size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    for split, size in (("train", args.train_size), ("val", args.val_size)):
        path = write_split(args.output_dir, split, size, args.seed)
        print(f"{path}: {size} problems")


if __name__ == "__main__":
    main()
