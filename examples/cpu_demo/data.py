"""Writes train.parquet and val.parquet in verl's RL schema.

Run ``python -m examples.cpu_demo.data --output_dir DIR`` for the demo, or
``python -m examples.cpu_demo.data --regime study --model CHECKPOINT --output_dir DIR`` for the study, whose training
questions lie in the zone of proximal development of the cold-started model.
"""

import argparse
from pathlib import Path

import pyarrow as pa

from recipe_tapo.records.write import atomic_paths, write_parquet

from .regime import REGIMES, Regime
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


def write_split(output_dir: Path, split: str, problems: list[Problem]) -> Path:
    """Writes one split's parquet file; a reader sees the old file or the whole new one."""
    rows = [rl_row(problem, split, index) for index, problem in enumerate(problems)]
    path = output_dir / f"{split}.parquet"
    with atomic_paths(path) as [temporary]:
        write_parquet(temporary, pa.Table.from_pylist(rows))
    return path


def zpd_training_problems(regime: Regime, model_path: Path, size: int, seed: int) -> list[Problem]:
    """Training questions that the cold-started model answers sometimes, seeded in choice and sampling."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from .quality import hf_sampler
    from .zpd import zpd_problems

    torch.set_num_threads(1)  # a model this small gains nothing from more, and the result stays reproducible
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(model_path).eval()
    sample = hf_sampler(model, AutoTokenizer.from_pretrained(model_path))
    kept, tried = zpd_problems(sample, size, seed, regime.teacher.steps, regime.max_response_length)
    print(f"{len(kept)} of {tried} questions lie in the zone of proximal development of {model_path}")
    return [problem for problem, _ in kept]


def main(argv: list[str] | None = None) -> None:
    """Writes both splits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True, help="the folder for both files")
    parser.add_argument("--regime", choices=sorted(REGIMES), default="demo", help="the task's setting (default: demo)")
    parser.add_argument("--model", type=Path, help="study: the cold-started checkpoint that filters the questions")
    parser.add_argument("--train_size", type=int, help="training questions (demo: 2048, study: 1024)")
    parser.add_argument("--val_size", type=int, default=256, help="held-out questions (default: 256)")
    parser.add_argument("--seed", type=int, default=0, help="chooses the questions (default: 0)")
    args = parser.parse_args(argv)
    regime = REGIMES[args.regime]
    train_size = args.train_size or regime.train_size
    if regime.zpd_questions and not (args.model and args.model.is_dir()):
        parser.error(
            f"--regime {args.regime} filters by a model's accuracy, but --model is {args.model}; give its folder"
        )
    if regime.zpd_questions:
        train = zpd_training_problems(regime, args.model, train_size, args.seed)
    else:
        train = make_problems(train_size, "train", args.seed, regime.teacher.steps)
    val = make_problems(args.val_size, "val", args.seed, regime.teacher.steps)
    for split, problems in (("train", train), ("val", val)):
        path = write_split(args.output_dir, split, problems)
        print(f"{path}: {len(problems)} problems")


if __name__ == "__main__":
    main()
