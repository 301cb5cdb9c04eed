"""One group's constructions (Alg. 1, lines 2-4): select, synthesise, parse, grade; all attempts at once."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from recipe_tapo.algorithm.prompts import fill_template, load_template, render_prompt
from recipe_tapo.algorithm.selection import group_rng, select_pairs
from recipe_tapo.algorithm.tokens import choose_eos, decode
from recipe_tapo.algorithm.trajectory import Trajectory, build_trajectory
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.group import Rollout, RolloutGroup
from recipe_tapo.construction.policy import Engine, Grade, Policy
from recipe_tapo.construction.reports import GroupReport
from recipe_tapo.reasons import Rejected, RejectReason
from recipe_tapo.records.attempts import AttemptRecord

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class Attempt:
    """One construction attempt.

    Attributes:
        error: The wrong rollout y⁻.
        correct: Its right sibling y⁺.
        record: What is written of the attempt; ``record.reason`` names why there is nothing to train on.
        trajectory: The constructed trajectory; None where it came to nothing before.
        grade: Its reward; None where it came to nothing before.
    """

    error: Rollout
    correct: Rollout
    record: AttemptRecord
    trajectory: Trajectory | None = None
    grade: Grade | None = None


class Constructor:
    """Turns a finished group's wrong rollouts into graded trajectories; a failure costs its own attempt only.

    Args:
        tapo: The configuration.
        policy: The policy's tokenizer and limits.
    """

    def __init__(self, tapo: TapoConfig, policy: Policy):
        self.tapo = tapo
        self.policy = policy
        self.max_tokens = tapo.synthesis.max_tokens or policy.max_response_length
        self.template = load_template(tapo.synthesis.prompt_path, tapo.synthesis.mode)

    async def construct(self, group: RolloutGroup, engine: Engine) -> tuple[list[Attempt], GroupReport]:
        """Constructs from a group whose last rollout has ended. Never raises (cancellation aside).

        Returns:
            All attempts, those to train on being those whose record has no ``reason``, and their account.
        """
        report, attempts = GroupReport(), []
        try:
            attempts = self._select(group, report)
            await asyncio.gather(*(self._run(attempt, engine, report) for attempt in attempts))
        except Exception:
            logger.exception("TAPO: constructing from a group failed")
            report.reject(RejectReason.INTERNAL_ERROR)
        report.construction_end = time.time() if report.attempts else report.rollout_end
        return attempts, report

    def _select(self, group: RolloutGroup, report: GroupReport) -> list[Attempt]:
        rollouts = group.ordered()
        pairs = select_pairs(
            [rollout.correct for rollout in rollouts],
            n_pos=self.tapo.selection.n_pos,
            n_neg=self.tapo.selection.n_neg,
            m_max=self.tapo.selection.m_max,
            rng=group_rng(self.tapo.seed, group.global_step, group.question),
        )
        report.eligible = bool(pairs)
        report.attempts = len(pairs)
        if not group.single_turn:
            report.reject(RejectReason.NOT_SINGLE_TURN, len(pairs))
            return []
        return [self._start(group, rollouts[pair.error], rollouts[pair.correct]) for pair in pairs]

    def _start(self, group: RolloutGroup, error: Rollout, correct: Rollout) -> Attempt:
        record = AttemptRecord(
            step=group.global_step,
            uid=group.uid,
            question=group.question,
            error_rollout=decode(self.policy.tokenizer, error.response_ids),
            correct_rollout=decode(self.policy.tokenizer, correct.response_ids),
        )
        return Attempt(error, correct, record)

    async def _run(self, attempt: Attempt, engine: Engine, report: GroupReport) -> None:
        """Ends in a graded trajectory or in a counted reason."""
        record = attempt.record
        try:
            output_ids = await self._synthesize(record, engine)
            report.synthesis_tokens += len(output_ids)
            attempt.trajectory = self._build(attempt, output_ids)
            report.parsed += 1
            report.prefix_lengths.append(attempt.trajectory.prefix_length)
            report.prefix_fractions.append(attempt.trajectory.prefix_fraction)
            grading = engine.grade(attempt.error, attempt.trajectory)
            attempt.grade = await self._within_time(grading, RejectReason.REWARD_FAILED)
            record.reward, record.right = attempt.grade.score, attempt.grade.right
            report.right += attempt.grade.right
            if not attempt.grade.right and not self.tapo.keep_negatives:
                raise Rejected(RejectReason.NEGATIVE_DROPPED)
        except Rejected as rejection:
            reject(attempt, report, rejection.reason)
        except Exception:
            logger.exception("TAPO: a construction for uid=%s failed", record.uid)
            reject(attempt, report, RejectReason.INTERNAL_ERROR)

    async def _synthesize(self, record: AttemptRecord, engine: Engine) -> list[int]:
        prompt = fill_template(
            self.template,
            question=record.question,
            error_rollout=record.error_rollout,
            correct_rollout=record.correct_rollout,
        )
        prompt_ids = render_prompt(self.policy.tokenizer, prompt, self.policy.chat_template_kwargs)
        if len(prompt_ids) + self.max_tokens > self.policy.max_model_len:
            raise Rejected(RejectReason.DOES_NOT_FIT)
        return await self._within_time(engine.generate(prompt_ids, self.max_tokens), RejectReason.REQUEST_FAILED)

    async def _within_time(self, work: Awaitable[T], failed: RejectReason) -> T:
        try:
            return await asyncio.wait_for(work, timeout=self.tapo.synthesis.timeout_s)
        except asyncio.TimeoutError:
            raise Rejected(RejectReason.TIMED_OUT) from None
        except Exception as failure:
            logger.warning("TAPO: %s: %s", failed.value, failure)
            raise Rejected(failed) from failure

    def _build(self, attempt: Attempt, output_ids: list[int]) -> Trajectory:
        record, policy = attempt.record, self.policy
        error_ids, correct_ids = attempt.error.response_ids, attempt.correct.response_ids
        record.raw_output = decode(policy.tokenizer, output_ids)
        ended = bool(output_ids) and output_ids[-1] in policy.stop_ids
        trajectory = build_trajectory(
            record.raw_output,
            truncated=len(output_ids) >= self.max_tokens and not ended,
            error_ids=error_ids,
            tokenizer=policy.tokenizer,
            eos_token_id=choose_eos([correct_ids, error_ids], policy.stop_ids, policy.tokenizer.eos_token_id),
            max_response_length=policy.max_response_length,
            prefix_check=self.tapo.synthesis.prefix_check,
            min_prefix_fraction=self.tapo.synthesis.min_prefix_fraction,
            mask_prefix=self.tapo.mask_prefix,
        )
        if isinstance(trajectory, RejectReason):
            raise Rejected(trajectory)
        record.reconstruction = trajectory.text
        record.prefix_length = trajectory.prefix_length
        record.prefix_fraction = trajectory.prefix_fraction
        record.prefix_text = decode(policy.tokenizer, trajectory.response_ids[: trajectory.prefix_length])
        return trajectory


def reject(attempt: Attempt, report: GroupReport, reason: RejectReason) -> None:
    """Counts an attempt as come to nothing and says why in its record."""
    attempt.record.reason = reason.value
    report.reject(reason)
