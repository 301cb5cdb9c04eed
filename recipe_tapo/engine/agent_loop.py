"""The rollout post-processor: verl's agent-loop worker, which constructs trajectories and stores them.

Construction runs inside the group's last finishing session, so it overlaps with the generation of all other groups:
same vLLM servers, no further barrier.
"""

import asyncio
import logging
import time
from typing import Any

import ray
import transfer_queue as tq
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ

from recipe_tapo.algorithm.chats import question_text
from recipe_tapo.algorithm.selection import is_correct
from recipe_tapo.algorithm.tokens import stop_ids
from recipe_tapo.construction.attempt import Attempt, reject
from recipe_tapo.construction.constructor import Constructor
from recipe_tapo.construction.group import Rollout, RolloutGroup
from recipe_tapo.construction.policy import Policy
from recipe_tapo.construction.reports import GroupReport
from recipe_tapo.construction.self_teacher import SelfTeacher
from recipe_tapo.engine.opsd_rows import put_report, put_teacher_log_probs
from recipe_tapo.engine.rows import (
    PREFIX_LENGTH_TAG,
    REPORT_TAG,
    SOURCE_VERSION_TAG,
    TRAIN_PARTITION,
    UID_TAG,
    reflected_uid,
    row_key,
    uid_field,
)
from recipe_tapo.engine.verl_config import records_own_log_probs, tapo_config
from recipe_tapo.engine.verl_engine import VerlEngine, VerlRollout, make_row, pauses, versions_of
from recipe_tapo.reasons import RejectReason
from recipe_tapo.records.attempts import AttemptDump

logger = logging.getLogger(__name__)


# verl decorates the class at its definition; a subclass needs the class under Ray's decorator.
_AgentLoopWorkerTQ: Any = AgentLoopWorkerTQ


class TapoAgentLoopWorker(_AgentLoopWorkerTQ.__ray_metadata__.modified_class.__ray_actor_class__):
    """Runs rollouts as verl does and, after a training group's last one, its constructions."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._init_tapo()

    def _init_tapo(self) -> None:
        self.tapo = tapo_config(self.config)
        self.groups: dict[str, RolloutGroup] = {}
        rollout = self.config.actor_rollout_ref.rollout
        generation_config = getattr(self.model_config, "generation_config", None)
        policy = Policy(
            tokenizer=self.tokenizer,
            max_model_len=rollout.max_model_len or rollout.prompt_length + rollout.response_length,
            max_response_length=rollout.response_length,
            stop_ids=stop_ids(self.tokenizer, getattr(generation_config, "eos_token_id", None)),
            chat_template_kwargs=self.config.data.get("apply_chat_template_kwargs", {}),
            pauses=pauses(self.llm_client),
        )
        # Where training comes in between, recorded ones are of other weights than scores to come.
        self.own_log_probs = records_own_log_probs(rollout) and not policy.pauses
        self.synthesis_sampling = self.tapo.synthesis.sampling
        self.constructor = Constructor(self.tapo, policy)
        self.teacher = SelfTeacher(self.tapo, policy)
        self.dump = AttemptDump(self.tapo.dump_dir) if self.tapo.dump_dir else None

    async def _run_prompt(self, prompt: dict, sampling_params: dict, trajectory: dict, trace: bool = False) -> None:
        uid = prompt["uid"]
        if self.tapo.enable and not trajectory["validate"]:
            # What is raised here verl would not see, and wait for this prompt for ever.
            try:
                self.groups[uid] = self._new_group(prompt)
            except Exception as error:
                self.constructor.failures.note("reading a prompt (nothing is constructed for it)", error)
        try:
            await super()._run_prompt(prompt, sampling_params, trajectory=trajectory, trace=trace)
        finally:
            self.groups.pop(uid, None)

    def _new_group(self, prompt: dict) -> RolloutGroup:
        return RolloutGroup(
            uid=prompt["uid"],
            question=question_text(prompt["raw_prompt"], prompt.get("extra_info")),
            messages=prompt["raw_prompt"],
            global_step=int(prompt["global_steps"]),
            size=int(prompt.get("__rollout_n__", self.config.actor_rollout_ref.rollout.n)),
        )

    async def _run_agent_loop(self, sampling_params: dict[str, Any], trajectory: dict[str, Any], **kwargs) -> None:
        try:
            await super()._run_agent_loop(sampling_params, trajectory, **kwargs)
        finally:
            group = self.groups.get(kwargs["uid"])
            if group is not None and group.end_session() and group.rollouts:
                await self._finish(group, VerlEngine(self, {**sampling_params, **self.synthesis_sampling}))

    async def _agent_loop_postprocess(
        self, output: AgentLoopOutput | list[AgentLoopOutput], validate: bool, **kwargs
    ) -> None:
        outputs = output if isinstance(output, list) else [output]
        graded_by_its_loop = any(output.reward_score is not None for output in outputs)
        await super()._agent_loop_postprocess(output, validate, **kwargs)
        group = self.groups.get(kwargs["uid"])
        if group is None:
            return
        if graded_by_its_loop:
            # Constructed rows would have the reward function's score, which may be of another scale.
            group.unfit = RejectReason.GRADED_BY_AGENT_LOOP
        elif any(output.multi_modal_data for output in outputs):
            group.unfit = RejectReason.MULTI_MODAL
        elif len(outputs) != 1 or not all(outputs[0].response_mask):
            group.unfit = group.unfit or RejectReason.NOT_SINGLE_TURN
        final = outputs[-1] if outputs else None
        if final is not None and final.reward_score is not None:
            correct = is_correct(final.reward_score, final.extra_fields.get("reward_extra_info"))
            source = VerlRollout(final, kwargs)
            group.rollouts.append(
                Rollout(
                    session_id=kwargs["session_id"],
                    response_ids=final.response_ids,
                    correct=correct,
                    prompt_ids=final.prompt_ids,
                    log_probs=final.response_logprobs if self.own_log_probs else None,
                    versions=versions_of(final.extra_fields),
                    source=source,
                )
            )

    async def _finish(self, group: RolloutGroup, engine: VerlEngine) -> None:
        if self.tapo.opsd.enable:
            await self._teach(group, engine)
        else:
            await self._construct(group, engine)

    async def _teach(self, group: RolloutGroup, engine: VerlEngine) -> None:
        scored, report = await self.teacher.score(group, engine)
        for rollout, log_probs in scored:
            try:
                await put_teacher_log_probs(group.uid, rollout.session_id, log_probs)
            except Exception as error:
                self.teacher.failures.note("storing a teacher's log-probs", error)
                report.scored -= 1
                report.reject(RejectReason.INTERNAL_ERROR)
        await put_report(group.uid, report)

    async def _construct(self, group: RolloutGroup, engine: VerlEngine) -> None:
        attempts, report = await self.constructor.construct(group, engine)
        # Sessions from ``size`` on are free.
        kept = [(a, group.size + number) for number, a in enumerate(attempts) if a.record.reason is None]
        storing = (self._store(attempt, session_id, report) for attempt, session_id in kept)
        # None may go on writing once verl has called the group failed.
        failures = [e for e in await asyncio.gather(*storing, return_exceptions=True) if e is not None]
        if failures:
            raise failures[0]
        if attempts:
            report.construction_end = time.time()
        key = row_key(group.uid, group.ordered()[0].session_id)
        await tq.async_kv_put(key=key, partition_id=TRAIN_PARTITION, tag={REPORT_TAG: report.to_plain()})
        self._write(attempts)

    async def _store(self, attempt: Attempt, session_id: int, report: GroupReport) -> None:
        """Stores a constructed row as verl stores a rollout, then moves it to G_ref by its uid field."""
        assert attempt.trajectory is not None
        rollout: VerlRollout = attempt.error.source
        uid, group_uid = rollout.fields["uid"], reflected_uid(rollout.fields["uid"])
        key = row_key(uid, session_id)
        try:
            row = make_row(rollout.output, attempt.trajectory, attempt.grade, attempt.record.versions)
            await super()._agent_loop_postprocess(row, False, **{**rollout.fields, "session_id": session_id})
            tag = {
                UID_TAG: group_uid,
                SOURCE_VERSION_TAG: (attempt.error.versions or (None,))[0],
                PREFIX_LENGTH_TAG: attempt.trajectory.prefix_length,
            }
            await tq.async_kv_batch_put(
                keys=[key], partition_id=TRAIN_PARTITION, fields=uid_field(group_uid), tags=[tag]
            )
            attempt.record.key = key
        except Exception as error:
            self.constructor.failures.note("storing a constructed row", error)
            reject(attempt, report, RejectReason.INTERNAL_ERROR)
            await tq.async_kv_clear(keys=[key], partition_id=TRAIN_PARTITION)

    def _write(self, attempts: list[Attempt]) -> None:
        if self.dump is None:
            return
        try:
            for attempt in attempts:
                self.dump.write(attempt.record)
        except OSError as error:
            logger.error("TAPO: tapo.dump_dir cannot be written, dumping stops: %s", error)
            self.dump = None


class TapoAgentLoopManager(AgentLoopManagerTQ):
    """verl's agent-loop manager with TAPO's worker; set as ``rollout.agent.agent_loop_manager_class``."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(TapoAgentLoopWorker)
