"""OPSD's teacher: one group's rollouts, scored by the policy that is shown a right sibling.

Knows neither Ray nor verl: what it needs of them comes as two coroutines.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from recipe_tapo.algorithm.opsd import choose_siblings
from recipe_tapo.algorithm.prompts import SELF_TEACHER, fill_template, load_template, question_text, render_prompt
from recipe_tapo.algorithm.selection import group_rng
from recipe_tapo.algorithm.tokens import decode
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.group import RolloutGroup, Session, Tagged
from recipe_tapo.reasons import RejectReason

logger = logging.getLogger(__name__)

ScoreTokens = Callable[[list[int]], Awaitable[list[float]]]
StoreScores = Callable[[dict[str, Any], list[float]], Awaitable[None]]


@dataclass
class TeacherReport(Tagged):
    """What one group gave; travels to the trainer as a tag.

    Attributes:
        rollouts: Rollouts that could be scored at all.
        scored: Those that were.
        rejected: Counts by ``RejectReason`` value.
    """

    rollouts: int = 0
    scored: int = 0
    rejected: Counter = field(default_factory=Counter)


class SelfTeacher:
    """Scores a finished group's rollouts; whatever goes wrong costs that rollout's teacher only.

    Args:
        tapo: The configuration.
        tokenizer: The policy's tokenizer.
        max_model_len: The engine's context.
        chat_template_kwargs: As the rollouts' prompts are rendered with.
        score_tokens: Token ids to the log-probability of each (of the first: anything); raises on failure.
        store: Keeps a rollout's teacher log-probs, given its fields; raises on failure.
    """

    def __init__(
        self,
        tapo: TapoConfig,
        tokenizer: Any,
        *,
        max_model_len: int,
        chat_template_kwargs: Mapping[str, Any],
        score_tokens: ScoreTokens,
        store: StoreScores,
    ):
        self.tapo = tapo
        self.tokenizer = tokenizer
        self.max_model_len = max_model_len
        self.chat_template_kwargs = chat_template_kwargs
        self.score_tokens, self.store = score_tokens, store
        self.template = load_template(tapo.opsd.prompt_path, SELF_TEACHER)

    async def score(self, group: RolloutGroup) -> TeacherReport:
        """Scores all rollouts that have a right sibling, at once. Never raises (cancellation aside)."""
        report = TeacherReport()
        try:
            await self._score(group, report)
        except Exception:
            logger.exception("TAPO: scoring a group failed")
            report.reject(RejectReason.INTERNAL_ERROR)
        return report

    async def _score(self, group: RolloutGroup, report: TeacherReport) -> None:
        sessions = group.ordered()
        fields = sessions[0].fields
        question = question_text(fields["raw_prompt"], fields.get("extra_info"))
        rng = group_rng(self.tapo.seed, int(fields["global_steps"]), question)
        siblings = choose_siblings([session.correct for session in sessions], rng)
        pairs = [(s, sessions[i]) for s, i in zip(sessions, siblings, strict=True) if i is not None]
        report.rollouts = len(pairs)
        if not group.single_turn:
            report.reject(RejectReason.NOT_SINGLE_TURN, len(pairs))
            return
        await asyncio.gather(*(self._score_one(question, student, sibling, report) for student, sibling in pairs))

    async def _score_one(self, question: str, student: Session, sibling: Session, report: TeacherReport) -> None:
        reason = RejectReason.REQUEST_FAILED
        try:
            shown = decode(self.tokenizer, sibling.output.response_ids)
            prompt = fill_template(self.template, question=question, correct_rollout=shown)
            response_ids = list(student.output.response_ids)
            ids = render_prompt(self.tokenizer, prompt, self.chat_template_kwargs) + response_ids
            if len(ids) >= self.max_model_len:
                report.reject(RejectReason.DOES_NOT_FIT)
                return
            log_probs = await asyncio.wait_for(self.score_tokens(ids), timeout=self.tapo.synthesis.timeout_s)
            reason = RejectReason.INTERNAL_ERROR
            await self.store(student.fields, log_probs[-len(response_ids) :])
            report.scored += 1
        except asyncio.TimeoutError:
            report.reject(RejectReason.TIMED_OUT)
        except Exception as failure:
            logger.warning("TAPO: no teacher for a rollout of uid=%s: %s", student.fields["uid"], failure)
            report.reject(reason)
