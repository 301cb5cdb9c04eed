"""The rollout post-processor: verl's agent-loop worker that constructs trajectories (touches verl).

Construction runs inside the group's last finishing session, so it overlaps with the generation of all
other groups: same vLLM servers, no further barrier.
"""

import asyncio
import logging
import random
import time
import uuid
from typing import Any

import ray
import transfer_queue as tq
from tensordict import NonTensorStack, TensorDict
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ

from recipe_tapo.advantages import reflected_uid
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction import Trajectory, build_trajectory, choose_eos, question_text
from recipe_tapo.dump import AttemptDump, AttemptRecord
from recipe_tapo.group import REPORT_TAG, ROW_TAG, GroupReport, RolloutGroup, Session
from recipe_tapo.parsing import RejectReason
from recipe_tapo.prompt import fill_template, load_template
from recipe_tapo.selection import group_rng, is_correct, select_pairs
from recipe_tapo.splice import decode
from recipe_tapo.verl_config import stop_token_ids, synthesis_budget, synthesis_sampling_params, tapo_config

logger = logging.getLogger(__name__)

_KEPT_EXTRA_FIELDS = ("global_steps", "min_global_steps", "max_global_steps", "turn_scores", "tool_rewards")


class _Rejected(Exception):
    """Ends one construction attempt with its reason."""

    def __init__(self, reason: RejectReason):
        super().__init__(reason.value)
        self.reason = reason


class TapoAgentLoopWorker(AgentLoopWorkerTQ.__ray_metadata__.modified_class.__ray_actor_class__):
    """Runs rollouts as verl does and, after a training group's last one, its constructions."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.tapo: TapoConfig = tapo_config(self.config)
        self.template = load_template(self.tapo.synthesis.prompt_path, self.tapo.synthesis.mode)
        self.max_synthesis_tokens = synthesis_budget(self.tapo, self.config)
        self.stop_ids = stop_token_ids(self.tokenizer, self.model_config)
        self.dump = AttemptDump(self.tapo.dump_dir) if self.tapo.dump_dir else None
        self.groups: dict[str, RolloutGroup] = {}

    async def _run_prompt(self, prompt: dict, sampling_params: dict, trajectory: dict, trace: bool = False) -> None:
        uid = prompt["uid"]
        if self.tapo.enable and not trajectory["validate"]:
            size = int(prompt.get("__rollout_n__", self.config.actor_rollout_ref.rollout.n))
            self.groups[uid] = RolloutGroup(size=size)
        try:
            await super()._run_prompt(prompt, sampling_params, trajectory=trajectory, trace=trace)
        finally:
            self.groups.pop(uid, None)

    async def _run_agent_loop(self, sampling_params: dict[str, Any], trajectory: dict[str, Any], **kwargs) -> None:
        try:
            await super()._run_agent_loop(sampling_params, trajectory, **kwargs)
        finally:
            group = self.groups.get(kwargs["uid"])
            if group is not None and group.end_session():
                await self._construct_safely(group, sampling_params)

    async def _agent_loop_postprocess(
        self, output: AgentLoopOutput | list[AgentLoopOutput], validate: bool, **kwargs
    ) -> None:
        await super()._agent_loop_postprocess(output, validate, **kwargs)
        group = self.groups.get(kwargs["uid"])
        if group is None:
            return
        outputs = output if isinstance(output, list) else [output]
        if len(outputs) != 1 or not all(outputs[0].response_mask):
            group.single_turn = False
        if outputs and outputs[-1].reward_score is not None:
            final = outputs[-1]
            correct = is_correct(final.reward_score, final.extra_fields.get("reward_extra_info"))
            group.sessions.append(Session(kwargs["session_id"], final, kwargs, correct))

    async def _construct_safely(self, group: RolloutGroup, sampling_params: dict[str, Any]) -> None:
        """Constructs and reports; whatever goes wrong costs constructions, never the group."""
        sessions = group.ordered()
        if not sessions:
            return
        report = GroupReport()
        try:
            await self._construct(group, sessions, sampling_params, report)
        except Exception:
            logger.exception("TAPO: constructing for uid=%s failed", sessions[0].fields["uid"])
            report.reject(RejectReason.INTERNAL_ERROR)
        report.construction_end = time.time() if report.attempts else report.rollout_end
        first = sessions[0]
        await tq.async_kv_put(
            key=f"{first.fields['uid']}_{first.session_id}_0",
            partition_id="train",
            tag={REPORT_TAG: report.as_tag()},
        )

    async def _construct(
        self, group: RolloutGroup, sessions: list[Session], sampling_params: dict[str, Any], report: GroupReport
    ) -> None:
        fields = sessions[0].fields
        question = question_text(fields["raw_prompt"], fields.get("extra_info"))
        step = int(fields["global_steps"])
        rng: random.Random = group_rng(self.tapo.seed, step, question)
        selection = self.tapo.selection
        pairs = select_pairs(
            [session.correct for session in sessions],
            n_pos=selection.n_pos,
            n_neg=selection.n_neg,
            m_max=selection.m_max,
            rng=rng,
        )
        report.eligible = bool(pairs)
        report.attempts = len(pairs)
        if not group.single_turn:
            report.rejected[RejectReason.NOT_SINGLE_TURN.value] += len(pairs)
            return
        await asyncio.gather(
            *[
                self._attempt(
                    sessions[pair.error],
                    sessions[pair.correct],
                    session_id=group.size + number,
                    question=question,
                    step=step,
                    sampling_params=sampling_params,
                    report=report,
                )
                for number, pair in enumerate(pairs)
            ]
        )

    async def _attempt(
        self,
        error: Session,
        correct: Session,
        *,
        session_id: int,
        question: str,
        step: int,
        sampling_params: dict[str, Any],
        report: GroupReport,
    ) -> None:
        """One construction: request, parse, splice, grade, store. Ends in a row or in a counted reason."""
        record = AttemptRecord(
            step=step,
            uid=error.fields["uid"],
            question=question,
            error_rollout=decode(self.tokenizer, error.output.response_ids),
            correct_rollout=decode(self.tokenizer, correct.output.response_ids),
        )
        try:
            output_ids = await self._synthesize(record, sampling_params)
            report.synthesis_tokens += len(output_ids)
            trajectory = self._build(record, output_ids, error, correct)
            report.parsed += 1
            report.prefix_lengths.append(trajectory.prefix_length)
            report.prefix_fractions.append(trajectory.prefix_fraction)
            await self._grade_and_store(record, trajectory, error, session_id, report)
        except _Rejected as rejected:
            record.reason = rejected.reason.value
            report.reject(rejected.reason)
        except Exception:
            logger.exception("TAPO: a construction for uid=%s failed", record.uid)
            record.reason = RejectReason.INTERNAL_ERROR.value
            report.reject(RejectReason.INTERNAL_ERROR)
        self._dump(record)

    async def _synthesize(self, record: AttemptRecord, sampling_params: dict[str, Any]) -> list[int]:
        prompt = fill_template(
            self.template,
            question=record.question,
            error_rollout=record.error_rollout,
            correct_rollout=record.correct_rollout,
        )
        chat = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            add_generation_prompt=True,
            tokenize=False,
            **self.config.data.get("apply_chat_template_kwargs", {}),
        )
        prompt_ids = self.tokenizer.encode(chat, add_special_tokens=False)
        if len(prompt_ids) + self.max_synthesis_tokens > self.config.actor_rollout_ref.rollout.max_model_len:
            raise _Rejected(RejectReason.DOES_NOT_FIT)
        request = self.llm_client.generate(
            request_id=uuid.uuid4().hex,
            prompt_ids=prompt_ids,
            sampling_params=synthesis_sampling_params(self.tapo, sampling_params, self.max_synthesis_tokens),
        )
        try:
            output = await asyncio.wait_for(request, timeout=self.tapo.synthesis.timeout_s)
        except asyncio.TimeoutError:
            raise _Rejected(RejectReason.TIMED_OUT) from None
        except Exception as error:
            logger.warning("TAPO: a synthesis request failed: %s", error)
            raise _Rejected(RejectReason.REQUEST_FAILED) from error
        if output.stop_reason == "aborted":
            raise _Rejected(RejectReason.REQUEST_FAILED)
        return list(output.token_ids)

    def _build(self, record: AttemptRecord, output_ids: list[int], error: Session, correct: Session) -> Trajectory:
        record.raw_output = decode(self.tokenizer, output_ids)
        error_ids = error.output.response_ids
        ended = bool(output_ids) and output_ids[-1] in self.stop_ids
        trajectory = build_trajectory(
            record.raw_output,
            truncated=len(output_ids) >= self.max_synthesis_tokens and not ended,
            error_ids=error_ids,
            tokenizer=self.tokenizer,
            eos_token_id=choose_eos(
                [correct.output.response_ids, error_ids], self.stop_ids, self.tokenizer.eos_token_id
            ),
            max_response_length=self.rollout_config.response_length,
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

    async def _grade_and_store(
        self, record: AttemptRecord, trajectory: Trajectory, error: Session, session_id: int, report: GroupReport
    ) -> None:
        """Puts the row beside its group: the rollouts' reward path, a session of its own, the uid of G_ref."""
        extra_fields = {k: v for k, v in error.output.extra_fields.items() if k in _KEPT_EXTRA_FIELDS}
        log_probs = None if error.output.response_logprobs is None else [0.0] * len(trajectory.response_ids)
        row = error.output.model_copy(
            update={
                "response_ids": trajectory.response_ids,
                "response_mask": trajectory.response_mask,
                "response_logprobs": log_probs,
                "reward_score": None,
                "metrics": AgentLoopMetrics(),
                "extra_fields": extra_fields,
            }
        )
        fields = {**error.fields, "session_id": session_id}
        try:
            await asyncio.wait_for(self._compute_score([row], kwargs=fields), timeout=self.tapo.synthesis.timeout_s)
        except Exception as failure:
            logger.warning("TAPO: grading a construction failed: %s", failure)
            raise _Rejected(RejectReason.REWARD_FAILED) from failure
        record.reward = float(row.reward_score)
        record.right = is_correct(row.reward_score, row.extra_fields.get("reward_extra_info"))
        report.right += record.right
        if not record.right and not self.tapo.keep_negatives:
            raise _Rejected(RejectReason.NEGATIVE_DROPPED)

        key = f"{record.uid}_{session_id}_0"
        await super()._agent_loop_postprocess(row, validate=False, **fields)
        try:
            await tq.async_kv_batch_put(
                keys=[key],
                partition_id="train",
                fields=TensorDict({"uid": NonTensorStack(reflected_uid(record.uid))}, batch_size=[1]),
                tags=[{ROW_TAG: True}],
            )
        except Exception:
            await tq.async_kv_clear(keys=[key], partition_id="train")
            raise
        record.key = key

    def _dump(self, record: AttemptRecord) -> None:
        if self.dump is None:
            return
        try:
            self.dump.write(record)
        except OSError as error:
            logger.error("TAPO: tapo.dump_dir cannot be written, dumping stops: %s", error)
            self.dump = None


class TapoAgentLoopManager(AgentLoopManagerTQ):
    """verl's agent-loop manager with TAPO's worker; set as ``rollout.agent.agent_loop_manager_class``."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(TapoAgentLoopWorker)
