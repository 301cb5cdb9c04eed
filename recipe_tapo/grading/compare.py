"""The comparison of two answers: which kind they are, and then as that kind is compared."""

from collections.abc import Callable, Iterator

from recipe_tapo.grading.kinds.brackets import one_spelling_of_brackets, without_point
from recipe_tapo.grading.kinds.choices import same_choice
from recipe_tapo.grading.kinds.equations import assigned, same_equation, strip_membership, values_of, without_numbering
from recipe_tapo.grading.kinds.families import same_family
from recipe_tapo.grading.kinds.lists import same_list
from recipe_tapo.grading.kinds.ratios import same_ratio, same_time
from recipe_tapo.grading.kinds.relations import same_relation
from recipe_tapo.grading.kinds.residues import same_numeral, same_residue
from recipe_tapo.grading.kinds.scalars import same_value
from recipe_tapo.grading.kinds.vectors import same_vector
from recipe_tapo.grading.kinds.words import number_in_sentence, number_of_words, same_words
from recipe_tapo.grading.normalise import clean, unwrap
from recipe_tapo.grading.outcome import Open, Outcome, every
from recipe_tapo.grading.spelling.units import state_dollars

# Decides two single answers, or two wholes that no kind here can read.
Algebra = Callable[[str, str], bool]
# Lists of lists could otherwise be compared without end.
_MAX_DEPTH = 8
_MAX_COMPARISONS = 3000


def compare(gold: str, answer: str, algebra: Algebra | None = None) -> Outcome:
    """Compares an answer with a gold.

    Args:
        gold: The right answer as the data set writes it.
        answer: The answer to grade, without its box.
        algebra: Decides what texts and values leave open.

    Returns:
        The verdict; open only without ``algebra``. An empty gold or answer is wrong.
    """
    return _Comparison(algebra).equal(*map(clean, state_dollars(gold, answer)))


class _Comparison:
    """One comparison, which calls itself for the parts of what it compares."""

    def __init__(self, algebra: Algebra | None) -> None:
        self._algebra = algebra
        self._depth = 0
        self._comparisons = 0

    def equal(self, gold: str, answer: str) -> Outcome:
        """Compares two cleaned answers."""
        if not gold or not answer:
            return False
        if gold == answer:
            return True
        if self._depth > _MAX_DEPTH or self._comparisons > _MAX_COMPARISONS:
            return False
        self._comparisons += 1
        self._depth += 1
        outcome = self._compare(number_of_words(gold), number_of_words(answer))
        self._depth -= 1
        return outcome

    def _compare(self, gold: str, answer: str) -> Outcome:
        if gold == answer:
            return True
        if (outcome := self._by_words(gold, answer)) is not None:
            return outcome
        gold, answer = (one_spelling_of_brackets(strip_membership(unwrap(text))) for text in (gold, answer))
        gold, answer = without_point(gold, answer), without_point(answer, gold)
        if gold == answer:
            return True
        answer = number_in_sentence(answer)
        for outcome in self._by_kind(gold, answer):
            if outcome is not None:
                return outcome
        outcome = same_value(gold, answer)
        return self._by_algebra(gold, answer) if outcome is Open.ALGEBRA else outcome

    def _by_words(self, gold: str, answer: str) -> Outcome | None:
        outcome = same_choice(gold, answer, self.equal)
        return same_words(gold, answer) if outcome is None else outcome

    def _by_kind(self, gold: str, answer: str) -> Iterator[Outcome | None]:
        yield same_numeral(gold, answer)
        yield same_residue(gold, answer, self.equal)
        yield same_time(gold, answer)
        yield same_family(gold, answer, self.equal)
        yield self._same_assignments(gold, answer)
        yield same_relation(gold, answer, self.equal)
        yield self._same_equation(gold, answer)
        yield same_ratio(gold, answer, self.equal)
        yield same_vector(gold, answer, self.equal)
        yield same_list(gold, answer, self.equal)

    def _same_assignments(self, gold: str, answer: str) -> Outcome | None:
        """Compares lists of assignments: by name where both have the same names, else as lists of values."""
        ours, theirs = assigned(gold), assigned(answer)
        if ours is None and theirs is None:
            return None
        if ours and theirs:
            if set(ours[0]) != set(theirs[0]):
                ours, theirs = without_numbering(*ours), without_numbering(*theirs)
                if set(ours[0]) != set(theirs[0]):
                    return False
            if len(set(ours[0])) == len(ours[0]) == len(theirs[0]):
                named = dict(zip(*theirs, strict=True))
                return every(self.equal(value, named[name]) for name, value in zip(*ours, strict=True))
        texts = [values_of(*found) if found else text for found, text in ((ours, gold), (theirs, answer))]
        return None if texts[0] is None or texts[1] is None else self.equal(texts[0], texts[1])

    def _same_equation(self, gold: str, answer: str) -> Outcome | None:
        outcome = same_equation(gold, answer, self.equal)
        if outcome is None and "=" in gold and "=" in answer:
            return self._by_algebra(gold, answer)
        return outcome

    def _by_algebra(self, gold: str, answer: str) -> Outcome:
        return Open.ALGEBRA if self._algebra is None else self._algebra(gold, answer)
