"""Writes train.parquet and val.parquet in verl's RL schema.

Run ``python -m examples.cpu_demo.questions --output_dir DIR`` for the demo, or, for the study, whose training questions
lie in the zone of proximal development of the cold-started model,
``python -m examples.cpu_demo.questions --regime study --model CHECKPOINT --output_dir DIR``.
"""

import argparse
from pathlib import Path

from examples.arithmetic.problems import ChainProblem
from examples.arithmetic.question_files import write_split
from examples.cpu_demo.regime import REGIMES, Regime
from recipe_tapo.cli.flag_types import user_path


def zpd_training_problems(regime: Regime, model_path: Path, size: int, seed: int) -> list[ChainProblem]:
    """Training questions that the cold-started model answers sometimes, seeded in choice and sampling."""
    import torch
    from transformers import AutoTokenizer, Qwen3ForCausalLM

    from examples.cpu_demo.generation import hf_sampler
    from examples.cpu_demo.zpd import zpd_problems

    torch.set_num_threads(1)  # a model this small gains nothing from more, and the result stays reproducible
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM.from_pretrained(model_path).eval()
    sample = hf_sampler(model, AutoTokenizer.from_pretrained(model_path))
    kept, tried = zpd_problems(sample, size, seed, regime)
    print(f"{len(kept)} of {tried} questions lie in the zone of proximal development of {model_path}")
    return [problem for problem, _ in kept]


def main(argv: list[str] | None = None) -> None:
    """Writes both splits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=user_path, required=True, help="the folder for both files")
    parser.add_argument("--regime", choices=sorted(REGIMES), default="demo", help="the task's setting (default: demo)")
    parser.add_argument("--model", type=user_path, help="study: the cold-started checkpoint that filters the questions")
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
        train = regime.problems(train_size, "train", args.seed)
    val = regime.problems(args.val_size, "val", args.seed)
    for split, problems in (("train", train), ("val", val)):
        path = write_split(args.output_dir, split, problems)
        print(f"{path}: {len(problems)} problems")


if __name__ == "__main__":
    main()
