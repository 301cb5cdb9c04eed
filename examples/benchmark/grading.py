r"""The grader's rate beside that of verl's own math_verify scorer, on the same texts, in one run.

Ordinary responses are about 2,500 characters of mathematical prose around an answer of a real data set, half of them
right; "expressions" leaves the whole numbers out. The worst responses end in answers that keep sympy busy for ever;
verl's scorer gives up on each after 5 to 30 seconds.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from recipe_tapo.cli.flag_types import natural, positive

SAMPLE = Path(__file__).with_name("math_sample.json")
PROBLEMS_PER_RESPONSE = 20
WORST = ["9^{9^{9^9}}", "(10^{10})!", "2^{2^{2^{100}}}", r"\sqrt{9^{9^{9}}}", r"\prod_{k=1}^{10^8} k"] + [
    r"\binom{10^{9}}{10^{8}}", "(x+1)^{10^{7}}", "x^{" * 200 + "2" + "}" * 200
]  # fmt: skip

Pair = tuple[str, str]
"""A response and the gold answer that it is graded against."""


def ordinary(rows: int, expressions_only: bool = False) -> list[Pair]:
    """Makes at most ``rows`` pairs, one per answer of the sample; every second response is right."""
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    answers: list[str] = sample["answers"]
    if expressions_only:
        answers = [answer for answer in answers if not answer.lstrip("-").isdigit()]
    chance = random.Random(0)
    pairs = []
    for number, gold in enumerate(answers[:rows]):
        prose = "\n\n".join(chance.sample(sample["problems"], PROBLEMS_PER_RESPONSE))
        answer = gold if number % 2 else chance.choice(answers)
        # Rollouts repeat the gold's value in a spelling of their own.
        answer = answer.replace("\\frac", "\\dfrac").replace(" ", "")
        pairs.append((f"{prose}\nSo the answer is \\boxed{{{answer}}}.", gold))
    return pairs


def measure(score: Callable[[str, str], float], pairs: Sequence[Pair], threads: int) -> tuple[float, list[float]]:
    """Returns the seconds that grading took, and the scores."""
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        scores = list(pool.map(lambda pair: float(score(*pair)), pairs))
    return time.perf_counter() - start, scores


def compare(name: str, pairs: Sequence[Pair], graders: dict[str, Callable[[str, str], float]], threads: int) -> None:
    """Has both graders grade the pairs; prints rates, their ratio, and where the verdicts differ."""
    seconds, scores = {}, {}
    for grader, score in graders.items():
        seconds[grader], scores[grader] = measure(score, pairs, threads)
        rate, mean = len(pairs) / seconds[grader], sum(scores[grader]) / len(pairs)
        print(f"{name:12} {grader}: {len(pairs)} texts, {rate:8.1f} a second, {mean:.3f} right", flush=True)
    different = [pair for pair, ours, verls in zip(pairs, *scores.values(), strict=True) if ours != verls]
    agree = 1 - len(different) / len(pairs)
    print(f"{name:12} ratio {seconds['verl'] / seconds['ours']:.1f}, same verdict on {agree:.1%}", flush=True)
    if name != "worst":
        for response, gold in different[:10]:
            print(f"    different: gold {gold!r}, response …{response[-60:]!r}")


def main(argv: list[str] | None = None) -> None:
    """Prints rates and ratios."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.benchmark.grading",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=positive, default=1000, help="most ordinary responses (default: %(default)s)")
    parser.add_argument(
        "--threads", type=positive, default=4, help="threads that call either grader (default: %(default)s)"
    )
    parser.add_argument(
        "--settle",
        type=natural,
        default=45,
        help="seconds to wait until the graders' processes have imported what they need (default: %(default)s)",
    )
    parser.add_argument("--worst", action="store_true", help="also time the worst answers; takes a minute more")
    options = parser.parse_args(argv)

    from verl.utils.reward_score import math_verify as verls

    from recipe_tapo.reward import compute_score

    graders: dict[str, Callable[[str, str], float]] = {
        "ours": lambda response, gold: compute_score("benchmark", response, gold)["score"],
        "verl": lambda response, gold: verls.compute_score(response, gold),
    }
    sets = {"ordinary": ordinary(options.rows), "expressions": ordinary(options.rows, expressions_only=True)}
    if options.worst:
        sets["worst"] = [(f"So \\boxed{{{answer}}}", gold) for gold in ("5", "7") for answer in WORST]
    for score in graders.values():
        measure(score, [(f"\\boxed{{\\int_0^{{{n}}} 2x dx}}", f"{n * n}") for n in range(64)], options.threads)
    # Both have their processes by now, but those of verl's scorer import verl: half a minute on a small machine.
    time.sleep(options.settle)
    for name, pairs in sets.items():
        compare(name, pairs, graders, options.threads)
    # The processes of verl's scorer hang in sympy and would be waited for at exit.
    for process in verls._get_pool()._processes.values():
        process.kill()


if __name__ == "__main__":
    main()
