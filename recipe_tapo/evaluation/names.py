"""What evaluated models are called beside each other."""

from collections import Counter
from collections.abc import Sequence

from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import Evaluation


def distinct_names(evaluations: Sequence[Evaluation]) -> list[str]:
    """The folders' names, or their paths where two have the same name.

    Raises:
        InputError: A folder is given twice.
    """
    paths = Counter(str(evaluation.folder.resolve()) for evaluation in evaluations)
    path, times = max(paths.items(), key=lambda item: item[1], default=("", 1))
    if times > 1:
        raise InputError(f"{path}: given {times} times; give each folder once")
    names = Counter(evaluation.name for evaluation in evaluations)
    return [e.name if names[e.name] == 1 else str(e.folder) for e in evaluations]
