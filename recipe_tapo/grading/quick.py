"""The verdicts that need no computer algebra."""

from recipe_tapo.grading.compare import compare
from recipe_tapo.grading.outcome import Open


def quick_verdict(gold: str, answer: str) -> bool | None:
    """Decides the ordinary cases without sympy.

    Args:
        gold: The right answer as the data set writes it.
        answer: The answer to grade, without its box.

    Returns:
        True or False where texts and values settle it; None where algebra has to. An empty gold or answer is wrong.
    """
    outcome = compare(gold, answer)
    return None if outcome is Open.ALGEBRA else outcome
