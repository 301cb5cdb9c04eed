"""When steps construct nothing: what to say, and when to end the run (ours)."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from recipe_tapo.reasons import RejectReason

logger = logging.getLogger(__name__)

# Reasons that lie in the machinery, not in what the policy wrote.
MACHINERY = tuple(
    reason.value
    for reason in (
        RejectReason.REQUEST_FAILED,
        RejectReason.TIMED_OUT,
        RejectReason.REWARD_FAILED,
        RejectReason.INTERNAL_ERROR,
    )
)


# So many constructions are not all wrong by chance where a model has right rollouts to learn from.
_MANY_ROWS = 20
_NONE_IS_RIGHT = (
    "none of {rows} constructed rows of the last {count} steps that had any was right, though rollouts are: either the "
    r"reward function does not read their answers (the prompts that rewrite ask for Final Answer: \boxed{{...}}), or "
    "the model cannot correct itself yet; tapo.dump_dir shows what is written"
)


class NothingIsConstructed(RuntimeError):
    """Ends a run whose attempts all fail; the message names reasons, counts and the remedy."""


@dataclass(frozen=True)
class StepCounts:
    """One training step.

    Attributes:
        eligible: Groups that met the thresholds; for OPSD, rollouts with a right sibling.
        attempts: Constructions attempted; for OPSD, scorings.
        usable: Those that gave something to train on.
        rejected: The others, by reason.
        right: Constructions that the reward function calls right; None where that is no question.
    """

    eligible: int
    attempts: int
    usable: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    right: int | None = None

    @property
    def of_machinery(self) -> int:
        """Attempts that failed for reasons of the machinery."""
        return sum(self.rejected.get(reason, 0) for reason in MACHINERY)

    @property
    def failed(self) -> bool:
        """Whether there were attempts and each one failed for reasons of the machinery."""
        return self.of_machinery > 0 and self.of_machinery >= self.attempts


@dataclass(frozen=True)
class Wording:
    """What the messages say of the attempts that are counted.

    Attributes:
        nothing_eligible: Why there may be nothing to attempt, and what to do.
        attempts: What they are called.
        gave: What a usable one gives.
        look: Where to look if they give nothing.
        without: What ``tapo.max_failed_steps=null`` leads to.
    """

    nothing_eligible: str
    attempts: str
    gave: str
    look: str
    without: str


CONSTRUCTING = Wording(
    nothing_eligible="no group of the last {count} steps was eligible (n_pos right and n_neg wrong rollouts): the "
    "questions are too easy or too hard; filter them by difficulty, raise rollout.n or lower tapo.selection.*; `tapo "
    "preview` shows what a model's rollouts give",
    attempts="attempt",
    gave="a row to train on",
    look="`tapo preview` shows what the model writes and why it is rejected",
    without="mend the cause, or set tapo.max_failed_steps=null to train without constructions",
)
TEACHING = Wording(
    nothing_eligible="no rollout of the last {count} steps had a right sibling to show to OPSD's teacher: the "
    "questions are too hard; filter them by difficulty or raise rollout.n",
    attempts="scoring",
    gave="a teacher's log-probabilities",
    look="a rollout without them is not trained on",
    without="mend the cause: OPSD has nothing else to train on",
)


@dataclass(frozen=True)
class Verdict:
    """What follows from the steps so far.

    Attributes:
        ends: Whether the run must end.
        message: One line.
    """

    ends: bool
    message: str


def judge_steps(steps: Sequence[StepCounts], most: int | None, wording: Wording = CONSTRUCTING) -> Verdict | None:
    """Looks at the last steps, once after each.

    The run ends where the attempts of the last ``most`` steps that had any all failed for reasons of the machinery. A
    warning is due whenever another ``most`` steps in a row had no eligible group, or another ``most`` steps with
    attempts had no usable one, or no right one among many. Steps without attempts say nothing of attempts, and are
    passed over there.

    Args:
        steps: All steps, the last one just done.
        most: ``tapo.max_failed_steps``; None for neither an end nor warnings.
        wording: What is counted.
    """
    if most is None or not steps:
        return None
    barren = _trailing(steps, lambda step: step.eligible == 0 and not step.of_machinery)
    if barren:
        if barren % most:
            return None
        return Verdict(False, wording.nothing_eligible.format(count=barren))
    tried = [step for step in steps if step.attempts or step.of_machinery]
    failed = _trailing(tried, lambda step: step.failed)
    if failed >= most:
        last = tried[-failed:]
        return Verdict(
            True,
            f"tapo.max_failed_steps={most}: every {wording.attempts} of the last {failed} steps that had any failed "
            f"({_reasons(last)}); the log of the workers has a traceback of each kind after 'TAPO:'; "
            f"{wording.without}",
        )
    useless = _trailing(tried, lambda step: step.usable == 0)
    if useless and useless % most == 0:
        last = tried[-useless:]
        attempts = sum(step.attempts for step in last)
        return Verdict(
            False,
            f"none of {attempts} {wording.attempts}s of the last {useless} steps that had any gave {wording.gave} "
            f"({_reasons(last)}); {wording.look}",
        )
    giving = [step for step in tried if step.usable]
    wrong = _trailing(giving, lambda step: step.right == 0)
    rows = sum(step.usable for step in giving[-wrong:]) if wrong else 0
    if steps[-1].usable and rows >= _MANY_ROWS and wrong % most == 0:
        return Verdict(False, _NONE_IS_RIGHT.format(rows=rows, count=wrong))
    return None


class StepWatch:
    """Judges the steps of a run as they come.

    Args:
        most: ``tapo.max_failed_steps``.
        wording: What is counted.

    Attributes:
        failure: Why the run must end; None while it need not.
    """

    def __init__(self, most: int | None, wording: Wording = CONSTRUCTING):
        self._most = most
        self._wording = wording
        self._steps: list[StepCounts] = []
        self.failure: str | None = None

    def add(self, step: StepCounts) -> None:
        """Takes the counts of the step just done; warns where a warning is due."""
        self._steps.append(step)
        verdict = judge_steps(self._steps, self._most, self._wording)
        if verdict is None:
            return
        if verdict.ends:
            self.failure = verdict.message
        else:
            logger.warning("TAPO: %s", verdict.message)

    def check(self) -> None:
        """Called before a step.

        Raises:
            NothingIsConstructed: The steps before it must end the run.
        """
        if self.failure is not None:
            raise NothingIsConstructed(self.failure)


def _trailing(steps: Sequence[StepCounts], holds: Callable[[StepCounts], bool]) -> int:
    count = 0
    for step in reversed(steps):
        if not holds(step):
            break
        count += 1
    return count


def _reasons(steps: Sequence[StepCounts]) -> str:
    counts = sum((Counter(step.rejected) for step in steps), Counter[str]())
    return ", ".join(f"{reason} {count:g}" for reason, count in counts.most_common() if count)
