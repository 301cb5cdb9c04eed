"""What writing the weights of a step's constructed rows costs the trainer: python -m examples.benchmark.weight_dump."""

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from rich.console import Console

from examples.runs.places import ROOT
from recipe_tapo.records.token_weights import write_weights


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.benchmark.weight_dump", description=__doc__)
    parser.add_argument("--rows", type=int, default=55, help="constructed rows of a step (default: 55)")
    parser.add_argument("--tokens", type=int, default=4000, help="tokens per row (default: 4000)")
    parser.add_argument(
        "--tokenizer", default=str(ROOT / "examples/cpu_demo/checkpoint"), help="folder or name (default: the demo's)"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Times one step: in the trainer's thread, and in the thread that writes."""
    from transformers import AutoTokenizer

    arguments = build_parser().parse_args(argv)
    tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    shape = (arguments.rows, arguments.tokens)
    text = (Path(__file__).parent / "math_sample.json").read_text(encoding="utf-8")
    ids = tokenizer.encode(text, add_special_tokens=False)
    ids = (ids * (shape[0] * shape[1] // len(ids) + 1))[: shape[0] * shape[1]]
    weights = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    columns = [
        torch.nested.nested_tensor(list(values), layout=torch.jagged)
        for values in (torch.tensor(ids).reshape(shape), weights)
    ]
    keys = [f"row{number}" for number in range(arguments.rows)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max_workers=1) as executor:
        start = time.perf_counter()
        writing = executor.submit(write_weights, folder, tokenizer, 1, keys, keys, *columns)
        handed_over = time.perf_counter()
        writing.result()
        written = time.perf_counter()
        size = (Path(folder) / "weights-1.jsonl").stat().st_size
    Console().print(
        f"{arguments.rows} rows x {arguments.tokens} tokens: the trainer hands them over in "
        f"{1000 * (handed_over - start):.1f} ms; its thread for dumps writes {size / 1e6:.1f} MB in "
        f"{written - handed_over:.2f} s",
        highlight=False,
    )


if __name__ == "__main__":
    main()
