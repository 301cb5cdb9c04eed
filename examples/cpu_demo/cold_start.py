"""Makes a cold-started checkpoint from nothing, in some minutes on one thread.

Run ``python -m examples.cpu_demo.cold_start --output_dir examples/cpu_demo/checkpoint`` for the demo's, or
``python -m examples.cpu_demo.cold_start --regime study --seed 1 --output_dir DIR`` for one of the study's, which
also gets ``DIR/quality.json``: every number of the regime's criteria.
"""

import argparse
import json
import os
import random
import shutil
import tempfile
import time
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase, Qwen3ForCausalLM

from examples.cpu_demo.cold_start_training import train
from examples.cpu_demo.continuation_quality import continuation_numbers
from examples.cpu_demo.criteria import Criterion, criteria_of, measure, right_when_shown, which_hold
from examples.cpu_demo.generation import hf_sampler
from examples.cpu_demo.model import build_model
from examples.cpu_demo.quality import report
from examples.cpu_demo.regime import REGIMES, STARTS
from examples.cpu_demo.tokenizer import build_tokenizer
from examples.runs.places import check_replaceable
from recipe_tapo.cli.flag_types import user_path
from recipe_tapo.records.write import atomic_paths


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


def print_judgement(numbers: dict[str, float], criteria: dict[str, Criterion]) -> None:
    """Prints every number, and beside a criterion's its range and whether it holds."""
    for name, value in numbers.items():
        note = ""
        if criterion := criteria.get(name):
            note = f"  [{criterion.low:g}, {criterion.high:g}]  {'ok' if criterion.holds(value) else 'MISSED'}"
        print(f"{name:38s} {value:8.3f}{note}")


def main(argv: list[str] | None = None) -> None:
    """Trains, saves and reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=user_path, required=True, help="the Hugging Face folder to write")
    parser.add_argument("--regime", choices=sorted(REGIMES), default="demo", help="the task's setting (default: demo)")
    parser.add_argument("--seed", type=int, default=0, help="initial weights and order of the examples")
    parser.add_argument(
        "--start",
        choices=STARTS,
        default="cold_start",
        help="base: no synthesis examples; opsd_start: also examples of OPSD's prompt (default: cold_start)",
    )
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default: 1)")
    parser.add_argument("--report_questions", type=int, help="questions to measure on (demo: 128, study: 256)")
    args = parser.parse_args(argv)
    check_replaceable(parser, args.output_dir, "--output_dir", "config.json")
    regime = REGIMES[args.regime]
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    started, cpu_started = time.monotonic(), time.process_time()
    tokenizer = build_tokenizer(regime.teacher.task, regime.prompts)
    model = build_model(tokenizer)
    rng = random.Random(f"cold start:{args.seed}")
    train(model, tokenizer, regime.teacher, rng, regime.schedule_of(args.start))
    save(model, tokenizer, args.output_dir)
    size = sum(path.stat().st_size for path in args.output_dir.iterdir())
    minutes, cpu_minutes = (time.monotonic() - started) / 60, (time.process_time() - cpu_started) / 60
    print(f"{args.output_dir}: {model.num_parameters():,} parameters, {size / 1e6:.1f} MB")
    print(f"{minutes:.1f} minutes, {cpu_minutes:.1f} of them computing")
    sample = hf_sampler(model, tokenizer)
    if args.regime == "demo":
        numbers = report(sample, tokenizer, regime, args.report_questions or 128)
        print_judgement(numbers, {})
        return
    numbers = measure(sample, tokenizer, regime, args.report_questions or 256)
    criteria = criteria_of(args.regime, args.start)
    if "right_when_shown" in criteria:
        numbers["right_when_shown"] = right_when_shown(sample, regime)
    if "located_by_judge" in criteria:
        numbers |= continuation_numbers(model, tokenizer, regime)
    print_judgement(numbers, criteria)
    record = {
        "regime": args.regime,
        "seed": args.seed,
        "start": args.start,
        "cpu_minutes": cpu_minutes,
        "criteria": which_hold(numbers, criteria),
        **numbers,
    }
    with atomic_paths(args.output_dir / "quality.json") as [path]:
        path.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
