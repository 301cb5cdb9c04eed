"""One group's constructions (Alg. 1, lines 2-4): select, synthesise, parse, grade, store; all of them at once.

Knows neither Ray nor verl: what it needs of them comes as three coroutines.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from recipe_tapo.algorithm.prompts import fill_template, load_template, question_text, render_prompt
from recipe_tapo.algorithm.selection import group_rng, is_correct, select_pairs
from recipe_tapo.algorithm.tokens import choose_eos, decode
from recipe_tapo.algorithm.trajectory import Trajectory, build_trajectory
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.group import GroupReport, RolloutGroup, Session
from recipe_tapo.reasons import RejectReason
from recipe_tapo.records.attempts import AttemptDump, AttemptRecord

logger = logging.getLogger(__name__)

Generate = Callable[[list[int], dict[str, Any]], Awaitable[list[int]]]
Grade = Callable[[Any, dict[str, Any]], Awaitable[tuple[float, Mapping[str, Any]]]]
Store = Callable[[Any, dict[str, Any]], Awaitable[str]]
MakeRow = Callable[[Any, Trajectory], Any]


class _Rejected(Exception):
    """Ends one construction attempt with its reason."""

    def __init__(self, reason: RejectReason):
        super().__init__(reason.value)
        self.reason = reason


class Constructor:
    """Turns a finished group's wrong rollouts into trajectories; whatever goes wrong costs that attempt only.

    Args:
        tapo: The configuration.
        tokenizer: The policy's tokenizer.
        sampling: Sampling parameters of the synthesis, given the rollout's.
        max_tokens: Most tokens one synthesis may generate.
        max_model_len: The engine's context.
        max_response_length: Longest training row.
        stop_ids: Ids that end a rollout.
        chat_template_kwargs: As the rollouts' prompts are rendered with.
        generate: Prompt ids and sampling parameters to output ids; raises on failure.
        make_row: The wrong rollout's output and a trajectory to an output that verl can grade and store.
        grade: A row and its fields to score and reward extra info; raises on failure.
        store: Puts a graded row beside its group as one of G_ref; returns its key; raises, leaving nothing.
    """

    def __init__(
        self,
        tapo: TapoConfig,
        tokenizer: Any,
        *,
        sampling: Callable[[dict[str, Any]], dict[str, Any]],
        max_tokens: int,
        max_model_len: int,
        max_response_length: int,
        stop_ids: set[int],
        chat_template_kwargs: Mapping[str, Any],
        generate: Generate,
        make_row: MakeRow,
        grade: Grade,
        store: Store,
    ):
        self.tapo = tapo
        self.tokenizer = tokenizer
        self.sampling = sampling
        self.max_tokens = max_tokens
        self.max_model_len = max_model_len
        self.max_response_length = max_response_length
        self.stop_ids = stop_ids
        self.chat_template_kwargs = chat_template_kwargs
        self.generate, self.make_row, self.grade, self.store = generate, make_row, grade, store
        self.template = load_template(tapo.synthesis.prompt_path, tapo.synthesis.mode)
        self.dump = AttemptDump(tapo.dump_dir) if tapo.dump_dir else None

    async def construct(self, group: RolloutGroup, rollout_sampling: dict[str, Any]) -> GroupReport:
        """Constructs from a group whose last rollout has ended. Never raises (cancellation aside)."""
        report = GroupReport()
        try:
            await self._construct(group, rollout_sampling, report)
        except Exception:
            logger.exception("TAPO: constructing from a group failed")
            report.reject(RejectReason.INTERNAL_ERROR)
        report.construction_end = time.time() if report.attempts else report.rollout_end
        return report

    async def _construct(self, group: RolloutGroup, rollout_sampling: dict[str, Any], report: GroupReport) -> None:
        sessions = group.ordered()
        fields = sessions[0].fields
        question = question_text(fields["raw_prompt"], fields.get("extra_info"))
        step = int(fields["global_steps"])
        pairs = select_pairs(
            [session.correct for session in sessions],
            n_pos=self.tapo.selection.n_pos,
            n_neg=self.tapo.selection.n_neg,
            m_max=self.tapo.selection.m_max,
            rng=group_rng(self.tapo.seed, step, question),
        )
        report.eligible = bool(pairs)
        report.attempts = len(pairs)
        if not group.single_turn:
            report.reject(RejectReason.NOT_SINGLE_TURN, len(pairs))
            return
        sampling = self.sampling(rollout_sampling)
        attempts = []
        for number, pair in enumerate(pairs):
            error, correct = sessions[pair.error], sessions[pair.correct]
            record = AttemptRecord(
                step=step,
                uid=error.fields["uid"],
                question=question,
                error_rollout=decode(self.tokenizer, error.output.response_ids),
                correct_rollout=decode(self.tokenizer, correct.output.response_ids),
            )
            attempts.append(self._attempt(record, error, correct, group.size + number, sampling, report))
        await asyncio.gather(*attempts)

    async def _attempt(
        self,
        record: AttemptRecord,
        error: Session,
        correct: Session,
        session_id: int,
        sampling: dict[str, Any],
        report: GroupReport,
    ) -> None:
        """Ends in a stored row or in a counted reason."""
        try:
            output_ids = await self._synthesize(record, sampling)
            report.synthesis_tokens += len(output_ids)
            trajectory = self._build(record, output_ids, error.output.response_ids, correct.output.response_ids)
            report.parsed += 1
            report.prefix_lengths.append(trajectory.prefix_length)
            report.prefix_fractions.append(trajectory.prefix_fraction)
            row = self.make_row(error.output, trajectory)
            fields = {**error.fields, "session_id": session_id}
            await self._grade(record, row, fields)
            report.right += record.right
            if not record.right and not self.tapo.keep_negatives:
                raise _Rejected(RejectReason.NEGATIVE_DROPPED)
            record.key = await self.store(row, fields)
        except Exception as failure:
            reason = failure.reason if isinstance(failure, _Rejected) else RejectReason.INTERNAL_ERROR
            if reason is RejectReason.INTERNAL_ERROR:
                logger.exception("TAPO: a construction for uid=%s failed", record.uid)
            record.reason = reason.value
            report.reject(reason)
        self._write(record)

    async def _within_time(self, work: Awaitable, failed: RejectReason) -> Any:
        try:
            return await asyncio.wait_for(work, timeout=self.tapo.synthesis.timeout_s)
        except asyncio.TimeoutError:
            raise _Rejected(RejectReason.TIMED_OUT) from None
        except Exception as failure:
            logger.warning("TAPO: %s: %s", failed.value, failure)
            raise _Rejected(failed) from failure

    async def _synthesize(self, record: AttemptRecord, sampling: dict[str, Any]) -> list[int]:
        prompt = fill_template(
            self.template,
            question=record.question,
            error_rollout=record.error_rollout,
            correct_rollout=record.correct_rollout,
        )
        prompt_ids = render_prompt(self.tokenizer, prompt, self.chat_template_kwargs)
        if len(prompt_ids) + self.max_tokens > self.max_model_len:
            raise _Rejected(RejectReason.DOES_NOT_FIT)
        return await self._within_time(self.generate(prompt_ids, sampling), RejectReason.REQUEST_FAILED)

    def _build(
        self, record: AttemptRecord, output_ids: list[int], error_ids: Sequence[int], correct_ids: Sequence[int]
    ) -> Trajectory:
        record.raw_output = decode(self.tokenizer, output_ids)
        ended = bool(output_ids) and output_ids[-1] in self.stop_ids
        trajectory = build_trajectory(
            record.raw_output,
            truncated=len(output_ids) >= self.max_tokens and not ended,
            error_ids=error_ids,
            tokenizer=self.tokenizer,
            eos_token_id=choose_eos([correct_ids, error_ids], self.stop_ids, self.tokenizer.eos_token_id),
            max_response_length=self.max_response_length,
            prefix_check=self.tapo.synthesis.prefix_check,
            min_prefix_fraction=self.tapo.synthesis.min_prefix_fraction,
            mask_prefix=self.tapo.mask_prefix,
        )
        if isinstance(trajectory, RejectReason):
            raise _Rejected(trajectory)
        record.reconstruction = trajectory.text
        record.prefix_length = trajectory.prefix_length
        record.prefix_fraction = trajectory.prefix_fraction
        record.prefix_text = decode(self.tokenizer, trajectory.response_ids[: trajectory.prefix_length])
        return trajectory

    async def _grade(self, record: AttemptRecord, row: Any, fields: dict[str, Any]) -> None:
        score, info = await self._within_time(self.grade(row, fields), RejectReason.REWARD_FAILED)
        record.reward = float(score)
        record.right = is_correct(score, info)

    def _write(self, record: AttemptRecord) -> None:
        if self.dump is None:
            return
        try:
            self.dump.write(record)
        except OSError as error:
            logger.error("TAPO: tapo.dump_dir cannot be written, dumping stops: %s", error)
            self.dump = None
