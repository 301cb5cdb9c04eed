"""Training questions in the zone of proximal development: neither always right nor always wrong (paper, §4)."""

from examples.arithmetic.problems import ChainProblem, is_right
from examples.cpu_demo.generation import Sampler
from examples.cpu_demo.quality import GROUP
from examples.cpu_demo.regime import Regime

CHUNK = 256


def accuracies(sample: Sampler, problems: list[ChainProblem], max_tokens: int, samples: int = GROUP) -> list[float]:
    """Each problem's share of right answers among ``samples`` sampled at temperature 1."""
    texts = sample([problem.question for problem in problems for _ in range(samples)], max_tokens, False)
    right = [is_right(problem, text) for problem, text in zip(_repeat(problems, samples), texts, strict=True)]
    return [sum(right[i : i + samples]) / samples for i in range(0, len(right), samples)]


def zpd_problems(sample: Sampler, size: int, seed: int, regime: Regime) -> tuple[list[tuple[ChainProblem, float]], int]:
    """Samples seeded training problems until ``size`` lie in the zone.

    Args:
        sample: The cold-started model.
        size: Problems to keep.
        seed: Order of the candidates; sampling itself follows torch's seed.
        regime: What problems are like, and how long a solution may be.

    Returns:
        The kept problems, each with the accuracy that let it in, and how many were tried.

    Raises:
        ValueError: Fewer than one candidate in twenty lies in the zone.
    """
    low, high = regime.zpd
    kept: list[tuple[ChainProblem, float]] = []
    candidates, tried = regime.problems(20 * size, "train", seed), 0
    while len(kept) < size:
        chunk = candidates[tried : tried + CHUNK]
        if not chunk:
            raise ValueError(f"only {len(kept)} of {tried} questions lie in [{low}, {high}]; the model is unfit")
        scored = zip(chunk, accuracies(sample, chunk, regime.max_response_length), strict=True)
        for problem, accuracy in scored:
            tried += 1
            if low <= accuracy <= high:
                kept.append((problem, accuracy))
            if len(kept) == size:
                break
    return kept, tried


def _repeat(problems: list[ChainProblem], times: int) -> list[ChainProblem]:
    return [problem for problem in problems for _ in range(times)]
