"""How often constructed rows have the tokens that encoding their whole text would give, on dumped attempts.

    python -m examples.benchmark.segmentation --attempts dump.jsonl --tokenizer MODEL

reads:    a tokenizer; a jsonl file whose lines have "error_rollout" and "reconstruction" (or null), or a tapo.dump_dir
writes:   for rewriting (the reconstructions, spliced onto y⁻) and for continuing (y⁻ cut after each of its steps,
          with the phrases of transitions.txt after the cut) the share of tokens that agree

y⁻'s ids are those of its text, for a dump has none.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from recipe_tapo.algorithm.prompts import read_transitions
from recipe_tapo.algorithm.splice import cut, join, splice
from recipe_tapo.algorithm.steps import split_steps
from recipe_tapo.algorithm.tokens import decode
from recipe_tapo.cli.flag_types import user_path
from recipe_tapo.cli.run import run_command
from recipe_tapo.records.attempts import read_dump
from recipe_tapo.records.json_lines import read_whole_lines


def same_tokens(ids: Sequence[int], whole: Sequence[int]) -> int:
    """How many ids two sequences share at their beginning and, after that, at their end."""
    shortest = min(len(ids), len(whole))
    front = next((i for i in range(shortest) if ids[i] != whole[i]), shortest)
    rest = shortest - front
    return front + next((i for i in range(rest) if ids[-1 - i] != whole[-1 - i]), rest)


class Agreement:
    """Counts the tokens of rows that encoding the whole text would give as well."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        self.counts: Counter[str] = Counter()

    def add(self, ids: Sequence[int]) -> None:
        """Counts one row."""
        same = same_tokens(ids, self.tokenizer.encode(decode(self.tokenizer, ids), add_special_tokens=False))
        self.counts += Counter(rows=1, tokens=len(ids), same=same, whole=same == len(ids))

    def __str__(self) -> str:
        counts = self.counts
        return (
            f"{counts['same'] / max(1, counts['tokens']):.2%} of {counts['tokens']} tokens agree, "
            f"all of them in {counts['whole'] / max(1, counts['rows']):.1%} of {counts['rows']} rows"
        )


def measure(tokenizer: Any, attempts: Iterable[dict[str, Any]]) -> dict[str, str]:
    """What was measured, by name."""
    rewriting, continuing, apart = Agreement(tokenizer), Agreement(tokenizer), Agreement(tokenizer)
    phrases = ["", *read_transitions("fixed")]
    cuts: Counter[bool] = Counter()
    for attempt in attempts:
        error = attempt["error_rollout"]
        error_ids = tokenizer.encode(error, add_special_tokens=False)
        if attempt.get("reconstruction"):
            rewriting.add(splice(attempt["reconstruction"], error_ids, tokenizer).ids)
        for number, step in enumerate(split_steps(error)):
            kept = cut(error_ids, step.end, tokenizer)
            cuts[kept is not None] += 1
            if not kept:
                continue
            behind = ("" if error[: step.end].endswith("\n") else "\n\n") + phrases[number % len(phrases)]
            apart.add([*error_ids[:kept], *tokenizer.encode(behind, add_special_tokens=False)])
            begun = join(error_ids[:kept], behind, tokenizer)
            if begun is not None:
                continuing.add(begun.ids)
    clean = cuts[True] / max(1, cuts.total())
    return {
        "rewriting": str(rewriting),
        "continuing": str(continuing),
        "continuing, if what stands after the cut were encoded apart": str(apart),
        "steps of y⁻ with a clean cut after them": f"{clean:.1%} of {cuts.total()}",
    }


def main(argv: list[str] | None = None) -> None:
    """Prints the shares; exit code 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.benchmark.segmentation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--attempts", type=user_path, required=True, metavar="PATH", help="dumped attempts, file or folder"
    )
    parser.add_argument("--tokenizer", required=True, metavar="MODEL", help="Hugging Face folder or name")
    args = parser.parse_args(argv)

    def run() -> None:
        from transformers import AutoTokenizer

        lines = read_dump(args.attempts) if args.attempts.is_dir() else read_whole_lines(args.attempts)
        for name, value in measure(AutoTokenizer.from_pretrained(args.tokenizer), lines).items():
            print(f"{name}: {value}")

    run_command(run)


if __name__ == "__main__":
    main()
