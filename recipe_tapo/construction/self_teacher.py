"""OPSD's teacher (paper §4): one group's rollouts, scored by the policy that is shown a right sibling."""

import asyncio

from recipe_tapo.algorithm.chats import render_chat, teacher_chat
from recipe_tapo.algorithm.opsd import choose_siblings
from recipe_tapo.algorithm.prompts import SELF_TEACHER, load_template
from recipe_tapo.algorithm.selection import group_rng
from recipe_tapo.algorithm.tokens import decode
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.failures import FailureLog
from recipe_tapo.construction.group import Rollout, RolloutGroup
from recipe_tapo.construction.policy import Engine, Policy
from recipe_tapo.construction.reports import TeacherReport
from recipe_tapo.construction.requests import Requests
from recipe_tapo.reasons import Rejected, RejectReason

Scored = tuple[Rollout, list[float]]


class SelfTeacher:
    """Scores a finished group's rollouts; a failure costs its own rollout's teacher only.

    Args:
        tapo: The configuration.
        policy: The policy's tokenizer and limits.

    Attributes:
        failures: Where failures are told.
    """

    def __init__(self, tapo: TapoConfig, policy: Policy):
        self.tapo = tapo
        self.policy = policy
        self.failures = FailureLog()
        self.template = load_template(tapo.opsd.prompt_path, SELF_TEACHER)

    async def score(self, group: RolloutGroup, engine: Engine) -> tuple[list[Scored], TeacherReport]:
        """Scores all rollouts that have a right sibling, at once. Never raises (cancellation aside).

        Returns:
            The rollouts that were scored, each with the teacher's log-probability of each of its tokens, and their
            account.
        """
        report, scored = TeacherReport(), []
        try:
            scored = await self._score(group, engine, report)
        except Exception as error:
            self.failures.note("scoring a group", error)
            report.reject(RejectReason.INTERNAL_ERROR, max(1, report.rollouts))
        report.scored = len(scored)
        return scored, report

    async def _score(self, group: RolloutGroup, engine: Engine, report: TeacherReport) -> list[Scored]:
        rollouts = group.ordered()
        rng = group_rng(self.tapo.seed, group.global_step, group.question)
        siblings = choose_siblings([rollout.correct for rollout in rollouts], rng)
        pairs = [(r, rollouts[i]) for r, i in zip(rollouts, siblings, strict=True) if i is not None]
        report.rollouts = len(pairs)
        # Nothing is graded here: whose rewards say right or wrong does not matter.
        if group.unfit not in (None, RejectReason.GRADED_BY_AGENT_LOOP):
            report.reject(group.unfit, len(pairs))
            return []
        requests = Requests(self.tapo, self.policy, engine, self.failures)
        scores = await asyncio.gather(
            *(self._score_one(group, student, sibling, requests, report) for student, sibling in pairs)
        )
        return [(student, score) for (student, _), score in zip(pairs, scores, strict=True) if score is not None]

    async def _score_one(
        self, group: RolloutGroup, student: Rollout, sibling: Rollout, requests: Requests, report: TeacherReport
    ) -> list[float] | None:
        tokenizer = self.policy.tokenizer
        try:
            shown = decode(tokenizer, sibling.response_ids)
            chat = teacher_chat(self.template, group.messages, group.question, shown)
            ids = render_chat(tokenizer, chat, self.policy.chat_template_kwargs) + list(student.response_ids)
            log_probs = await requests.score_tokens(ids)
        except Rejected as rejection:
            report.reject(rejection.reason)
            return None
        except Exception as error:
            self.failures.note("scoring a rollout", error)
            report.reject(RejectReason.INTERNAL_ERROR)
            return None
        return log_probs[len(log_probs) - len(student.response_ids) :]
