"""The settings of the task: how hard it is, how the model is cold-started, how long its texts are."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from examples.arithmetic.problems import INVERSES, MISSES, ChainProblem, make_problems
from examples.cpu_demo.teacher import Teacher
from recipe_tapo.algorithm.prompts import CONTINUATION_OWN, LOCATE, REWRITING_MODES, SELF_TEACHER

# A run starts from the cold start, from a model that never saw a synthesis prompt, or from a cold start that also
# knows OPSD's prompt.
StartName = Literal["cold_start", "base", "opsd_start"]
STARTS: tuple[StartName, ...] = get_args(StartName)
SELF_TEACHER_ROWS = 12


@dataclass(frozen=True)
class Phase:
    """One stretch of the cold start's schedule; sizes are per step, ``resuming`` those of answers after a doubt.

    ``problem_steps`` shortens the problems of a stretch: copying is learned much faster on short ones.
    """

    steps: int
    learning_rate: float
    sft: int
    ift: int
    fact_rows: int = 0
    facts_per_row: int = 12
    self_teacher: int = 0
    continuing: int = 0
    locating: int = 0
    resuming: int = 0
    problem_steps: int | None = None


@dataclass(frozen=True)
class Regime:
    """One difficulty of the task with the cold start that belongs to it.

    Attributes:
        teacher: The noisy solver that the cold start imitates; it also sets the number of steps.
        schedule: The cold start's phases.
        max_prompt_length: Most tokens of a chat-templated question.
        max_response_length: Most tokens of a solution, its end token included.
        max_synthesis_tokens: Most tokens of a synthesis output.
        train_size: How many training questions.
        zpd_questions: Training questions are those that the cold-started model answers sometimes.
        prompts: The kinds of prompts whose fixed texts are single tokens.
        zpd: The accuracies between which these lie (the paper's, §4).
    """

    teacher: Teacher
    schedule: tuple[Phase, ...]
    max_prompt_length: int
    max_response_length: int
    max_synthesis_tokens: int
    train_size: int
    zpd_questions: bool
    prompts: tuple[str, ...] = REWRITING_MODES
    zpd: tuple[float, float] = (0.125, 0.875)

    def problems(self, size: int, split: str, seed: int) -> list[ChainProblem]:
        """Distinct problems of a split, the same for the same seed."""
        return make_problems(size, split, seed, self.teacher.steps, self.teacher.task)

    def schedule_of(self, start: StartName) -> tuple[Phase, ...]:
        """The schedule that makes a starting model.

        ``base`` answers as well, but never saw a synthesis prompt: no cold start. ``opsd_start`` also practises
        answering when shown a right solution, by OPSD's prompt; nothing is taken from the cold start for it.
        """
        changes = {
            "cold_start": {},
            "base": {"ift": 0, "self_teacher": 0, "continuing": 0, "locating": 0},
            "opsd_start": {"self_teacher": SELF_TEACHER_ROWS},
        }
        return tuple(replace(phase, **changes[start]) for phase in self.schedule)


INVERSES_REGIME = Regime(
    teacher=Teacher(
        task=INVERSES,
        steps=4,
        easy_share=0.5,
        easy_reliability=0.94,
        hard_reliability=(0.05, 0.32),
        flag_error=0.12,
        flag_all=0.0,
        false_alarm=0.005,
        unverified_share=0.35,
        names_step=False,
        certain=("*",),
        wrong_values=3,
        tries_again=True,
    ),
    schedule=(
        Phase(180, 3e-3, 12, 30, problem_steps=2, self_teacher=6, continuing=6, locating=12),
        Phase(320, 3e-3, 16, 20, self_teacher=6, continuing=6, locating=12),
        Phase(250, 2.5e-3, 34, 8, fact_rows=44, self_teacher=6, continuing=6, locating=6),
    ),
    max_prompt_length=32,
    max_response_length=144,
    max_synthesis_tokens=144,
    train_size=512,
    zpd_questions=True,
    zpd=(0.25, 0.625),
    prompts=(*REWRITING_MODES, SELF_TEACHER, CONTINUATION_OWN, LOCATE),
)


SELDOM_TEACHER = replace(INVERSES_REGIME.teacher, flag_error=0.01, false_alarm=0.0)
RESUMING_SCHEDULE = tuple(
    replace(phase, resuming=rows) for phase, rows in zip(INVERSES_REGIME.schedule, (6, 8, 16), strict=True)
)

# A second try comes out right because the first one shows by how much it misses, and not from memory.
MISSES_REGIME = replace(
    INVERSES_REGIME,
    teacher=replace(SELDOM_TEACHER, task=MISSES, second_try=1.0, near=(1, -1, 2, -2)),
    schedule=RESUMING_SCHEDULE,
)

# Copying must be learned before the facts: the other order gives few verbatim prefixes. The second phase's
# IFT share sets how many constructions fail; without failures G_ref teaches nothing (demo: 8 gives 45 %,
# 12 gives 28 %, 16 gives 3 %).
REGIMES = {
    "demo": Regime(
        teacher=Teacher(),
        schedule=(Phase(300, 3e-3, 32, 32), Phase(300, 2.5e-3, 32, 12, fact_rows=40)),
        max_prompt_length=32,
        max_response_length=64,
        max_synthesis_tokens=96,
        train_size=2048,
        zpd_questions=False,
    ),
    "study": Regime(
        teacher=Teacher(
            steps=6,
            easy_share=0.86,
            easy_reliability=0.94,
            hard_reliability=(0.05, 0.32),
            flag_error=0.10,
            flag_all=0.05,
            false_alarm=0.005,
            unverified_share=0.35,
            names_step=False,
        ),
        schedule=(
            Phase(150, 3e-3, 16, 40, problem_steps=3),
            Phase(260, 3e-3, 20, 28),
            Phase(240, 2.5e-3, 34, 10, fact_rows=44),
        ),
        max_prompt_length=32,
        max_response_length=96,
        max_synthesis_tokens=96,
        train_size=1024,
        zpd_questions=True,
    ),
    "inverses": INVERSES_REGIME,
    # The same, but a failed try is doubted where a prompt asks for it and hardly ever in an answer.
    "inverses_seldom": replace(INVERSES_REGIME, teacher=SELDOM_TEACHER),
    # The same again, but a second try comes out right in four of five cases, wherever the doubt comes from.
    "inverses_recovering": replace(
        INVERSES_REGIME,
        teacher=replace(SELDOM_TEACHER, second_try=0.8, facts_again=True),
        schedule=RESUMING_SCHEDULE,
    ),
    "misses": MISSES_REGIME,
    # The same, but no failed try is doubted in an answer to a plain question.
    "misses_never": replace(MISSES_REGIME, teacher=replace(MISSES_REGIME.teacher, flag_error=0.0)),
}
