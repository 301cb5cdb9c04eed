"""Means over seeds with their standard errors, and differences paired by seed.

A run has two seeds: that of its cold start and that of its reinforcement learning. Runs of one cold start
share a model and its questions, so they are averaged first and the cold starts' means are the sample; with a
single cold start the RL seeds are, and the error says nothing about other cold starts. What was measured
before reinforcement learning has no RL seed (None).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from operator import sub
from typing import Any

from recipe_tapo.evaluation.passk import standard_error

Seeds = tuple[int, int | None]

# Student's t, 97.5 %, by degrees of freedom.
_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228}


@dataclass(frozen=True)
class Mean:
    """A mean over runs.

    Attributes:
        value: The mean over cold starts of the mean over their RL seeds.
        stderr: Its standard error; None for a single run.
        cold_starts: How many cold starts there are.
        runs: How many runs there are.
    """

    value: float
    stderr: float | None
    cold_starts: int
    runs: int

    @property
    def half_width(self) -> float | None:
        """Half of the 95 % interval, by Student's t over cold starts or, of one cold start, over its RL seeds.

        RL seeds of one cold start share its luck, so they make its mean more exact and are no sample of their own.
        """
        if self.stderr is None:
            return None
        freedom = (self.cold_starts if self.cold_starts > 1 else self.runs) - 1
        return _T[min(freedom, max(_T))] * self.stderr


def mean_over_seeds(values: Mapping[Seeds, float]) -> Mean:
    """The mean of one number over the runs of an arm.

    Args:
        values: The number by (cold-start seed, RL seed); at least one.
    """
    if not values:
        raise ValueError("no run to average")
    means = [sum(group) / len(group) for group in _by_cold_start(values)]
    sample = means if len(means) > 1 else list(values.values())
    return Mean(sum(means) / len(means), standard_error(sample), len(means), len(values))


def paired_difference(
    values: Mapping[Seeds, Any], baseline: Mapping[Seeds, Any], difference: Callable[[Any, Any], float | None] = sub
) -> Mean | None:
    """The mean of ``values - baseline`` over the seeds that both have; None if they share none.

    A value without RL seed is compared with each of the baseline's runs on its cold start.

    Args:
        values: A number of every run, or what ``difference`` takes.
        baseline: The same of the runs compared with.
        difference: Of one pair; pairs of which it is None do not count.
    """
    differences = {}
    for (cold_start, rl_seed), reference in baseline.items():
        value = values.get((cold_start, rl_seed), values.get((cold_start, None)))
        if value is not None and (found := difference(value, reference)) is not None:
            differences[cold_start, rl_seed] = found
    return mean_over_seeds(differences) if differences else None


def deviation_between_rl_seeds(arms: Iterable[Mapping[Seeds, float]]) -> tuple[float, int] | None:
    """How far runs scatter that differ in nothing but their RL seed.

    Args:
        arms: One number of every run, arm by arm.

    Returns:
        The standard deviation of a run, pooled over all arms and cold starts, with its degrees of freedom; None where
        no arm has two RL seeds on one cold start.
    """
    squares, freedom = 0.0, 0
    for group in (group for values in arms for group in _by_cold_start(values)):
        mean = sum(group) / len(group)
        squares += sum((value - mean) ** 2 for value in group)
        freedom += len(group) - 1
    return (sqrt(squares / freedom), freedom) if freedom else None


def _by_cold_start(values: Mapping[Seeds, float]) -> list[list[float]]:
    groups: dict[int, list[float]] = defaultdict(list)
    for (cold_start, _), value in sorted(values.items()):
        groups[cold_start].append(value)
    return list(groups.values())
