"""Makes the demo's cold-started checkpoint from nothing, in some minutes on one thread.

Run ``python -m examples.cpu_demo.cold_start --output_dir examples/cpu_demo/checkpoint``.
"""

import argparse
import os
import random
import shutil
import tempfile
import time
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase, Qwen3ForCausalLM

from .model import build_model
from .quality import hf_sampler, report
from .task import Teacher
from .tokenizer import build_tokenizer
from .training import train


def save(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, output_dir: Path) -> None:
    """Writes the Hugging Face folder beside its place, then swaps it in."""
    output_dir = output_dir.absolute()
    output_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output_dir.parent, prefix=f".{output_dir.name}.") as folder:
        new, old = Path(folder) / "new", Path(folder) / "old"
        new.mkdir()
        model.save_pretrained(new)
        tokenizer.save_pretrained(new)
        for path in new.iterdir():
            path.chmod(0o644)
        if output_dir.exists():
            os.replace(output_dir, old)
        os.replace(new, output_dir)
        shutil.rmtree(old, ignore_errors=True)


def main(argv: list[str] | None = None) -> None:
    """Trains, saves and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report_questions", type=int, default=128)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    started = time.monotonic()
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    train(model, tokenizer, Teacher(), random.Random(f"cold start:{args.seed}"))
    save(model, tokenizer, args.output_dir)
    size = sum(path.stat().st_size for path in args.output_dir.iterdir())
    minutes = (time.monotonic() - started) / 60
    print(f"{args.output_dir}: {model.num_parameters():,} parameters, {size / 1e6:.1f} MB, {minutes:.1f} minutes")
    numbers, _ = report(hf_sampler(model, tokenizer), args.report_questions)
    for name, value in numbers.items():
        print(f"{name:38s} {value:.3f}")


if __name__ == "__main__":
    main()
