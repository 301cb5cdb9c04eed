r"""Compares the grader's rate with that of verl's own math_verify scorer on the same texts, in one run.

    PYTHONPATH=. python tests/unit/grading_benchmark.py --worst

"Ordinary" responses are a few thousand characters of mathematical prose around an answer of a real data set, half of
them right. "Worst" ones end in answers that keep sympy busy for ever; verl's scorer gives up on each after 5 to 30 s.
"""

import argparse
import json
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
WORST = ["9^{9^{9^9}}", "(10^{10})!", "2^{2^{2^{100}}}", r"\sqrt{9^{9^{9}}}", r"\prod_{k=1}^{10^8} k"] + [
    r"\binom{10^{9}}{10^{8}}", "(x+1)^{10^{7}}", "x^{" * 200 + "2" + "}" * 200
]  # fmt: skip


def ordinary(rows: int, algebra_only: bool) -> list[tuple[str, str]]:
    """Returns (response, gold) pairs, distinct, half right and half wrong; see the module's docstring."""
    problems = json.loads((SHARED / "deepscaler_math.json").read_text())
    problems = [row for row in problems if isinstance(row["answer"], str) and row["answer"].strip()]
    if algebra_only:
        problems = [row for row in problems if not row["answer"].lstrip("-").isdigit()]
    chance = random.Random(0)
    pairs = []
    for number in range(rows):
        prose = "\n\n".join(row["problem"] for row in chance.sample(problems, 12))
        gold = problems[number % len(problems)]["answer"]
        answer = gold if number % 2 else chance.choice(problems)["answer"]
        # Rollouts repeat the gold's value in a spelling of their own.
        answer = answer.replace("\\frac", "\\dfrac").replace(" ", "")
        pairs.append((f"{prose}\nSo the answer is \\boxed{{{answer}}}.", gold))
    return pairs


def measure(
    score: Callable[[str, str], float], pairs: list[tuple[str, str]], threads: int
) -> tuple[float, list[float]]:
    """Returns the seconds that grading took, and the scores."""
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        scores = list(pool.map(lambda pair: float(score(*pair)), pairs))
    return time.perf_counter() - start, scores


def main() -> None:
    """Prints rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000, help="ordinary responses (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=4, help="threads that call either grader (default: %(default)s)")
    parser.add_argument("--settle", type=int, default=45, help="seconds to wait for processes (default: %(default)s)")
    parser.add_argument("--worst", action="store_true", help="also time the worst answers; takes a minute more")
    options = parser.parse_args()

    from verl.utils.reward_score import math_verify as theirs

    from recipe_tapo.reward import compute_score

    graders = {
        "ours": lambda response, gold: compute_score("benchmark", response, gold)["score"],
        "verl": lambda response, gold: theirs.compute_score(response, gold),
    }
    sets = {
        "ordinary": ordinary(options.rows, algebra_only=False),
        "expressions": ordinary(options.rows, algebra_only=True),
    }
    if options.worst:
        sets["worst"] = [(f"So \\boxed{{{answer}}}", gold) for gold in ("5", "7") for answer in WORST]
    for score in graders.values():
        measure(score, [(f"\\boxed{{x(x+{n})}}", f"x^2+{n}x") for n in range(64)], options.threads)
    # Both have their processes by now, but verl's import verl, which takes half a minute on a small machine.
    time.sleep(options.settle)
    for name, pairs in sets.items():
        seconds, scores = {}, {}
        for grader, score in graders.items():
            seconds[grader], scores[grader] = measure(score, pairs, options.threads)
            rate, mean = len(pairs) / seconds[grader], sum(scores[grader]) / len(pairs)
            print(f"{name:12} {grader}: {rate:8.1f} texts/s, {mean:.3f} right", flush=True)
        agree = sum(ours == other for ours, other in zip(*scores.values(), strict=True)) / len(pairs)
        print(f"{name:12} ratio {seconds['verl'] / seconds['ours']:.1f}, same verdict on {agree:.1%}", flush=True)
        if name != "worst":
            pairs_scores = zip(pairs, *scores.values(), strict=True)
            for (response, gold), ours, other in [row for row in pairs_scores if row[1] != row[2]][:10]:
                print(f"    ours {ours:.0f}, verl {other:.0f}: gold {gold!r}, response …{response[-60:]!r}")
    # verl's processes hang in sympy and would be waited for at exit.
    for process in theirs._get_pool()._processes.values():
        process.kill()


if __name__ == "__main__":
    main()
