"""The rollout post-processor: verl's agent-loop worker that constructs trajectories (touches verl).

Construction runs inside the group's last finishing session, so it overlaps with the generation of all
other groups: same vLLM servers, no further barrier.
"""

import functools
import uuid
from typing import Any

import ray
import transfer_queue as tq
from tensordict import NonTensorStack, TensorDict
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ
from verl.workers.rollout.replica import TokenOutput

from recipe_tapo.algorithm.advantages import reflected_uid
from recipe_tapo.algorithm.selection import is_correct
from recipe_tapo.algorithm.trajectory import Trajectory
from recipe_tapo.construction.constructor import Constructor
from recipe_tapo.construction.group import REPORT_TAG, ROW_TAG, RolloutGroup, Session
from recipe_tapo.construction.self_teacher import SelfTeacher
from recipe_tapo.engine.opsd_rows import put_report, put_teacher_log_probs
from recipe_tapo.engine.rows import row_key
from recipe_tapo.engine.verl_config import (
    request_priority,
    stop_token_ids,
    synthesis_budget,
    synthesis_sampling_params,
    tapo_config,
)

_PARTITION = "train"
_KEPT_EXTRA_FIELDS = ("global_steps", "min_global_steps", "max_global_steps", "turn_scores", "tool_rewards")


def make_row(error: AgentLoopOutput, trajectory: Trajectory) -> AgentLoopOutput:
    """The constructed trajectory as an answer to y⁻'s own prompt, with the same fields set as y⁻'s output.

    Its sampler log-probs would belong to the synthesis prompt: zeros hold their place, nothing reads them.
    A reward function can tell it by ``extra_info["is_reflection"]``.
    """
    log_probs = None if error.response_logprobs is None else [0.0] * len(trajectory.response_ids)
    return error.model_copy(
        update={
            "response_ids": trajectory.response_ids,
            "response_mask": trajectory.response_mask,
            "response_logprobs": log_probs,
            "reward_score": None,
            "metrics": AgentLoopMetrics(),
            "extra_fields": {k: v for k, v in error.extra_fields.items() if k in _KEPT_EXTRA_FIELDS} | {ROW_TAG: True},
        }
    )


class TapoAgentLoopWorker(AgentLoopWorkerTQ.__ray_metadata__.modified_class.__ray_actor_class__):
    """Runs rollouts as verl does and, after a training group's last one, its constructions."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._init_tapo()

    def _init_tapo(self) -> None:
        self.tapo = tapo_config(self.config)
        self.groups: dict[str, RolloutGroup] = {}
        self.priority = request_priority(self.config)
        rollout = self.config.actor_rollout_ref.rollout
        budget = synthesis_budget(self.tapo, self.config)
        max_model_len = rollout.max_model_len or rollout.prompt_length + rollout.response_length
        chat_template_kwargs = self.config.data.get("apply_chat_template_kwargs", {})
        self.teacher = SelfTeacher(
            self.tapo,
            self.tokenizer,
            max_model_len=max_model_len,
            chat_template_kwargs=chat_template_kwargs,
            score_tokens=self._score_tokens,
            store=put_teacher_log_probs,
        )
        self.constructor = Constructor(
            self.tapo,
            self.tokenizer,
            sampling=functools.partial(synthesis_sampling_params, self.tapo, max_tokens=budget),
            max_tokens=budget,
            max_model_len=max_model_len,
            max_response_length=rollout.response_length,
            stop_ids=stop_token_ids(self.tokenizer, self.model_config),
            chat_template_kwargs=chat_template_kwargs,
            generate=self._generate,
            make_row=make_row,
            grade=self._grade,
            store=self._store,
        )

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
            if group is not None and group.end_session() and group.sessions:
                await self._finish(group, sampling_params)

    async def _finish(self, group: RolloutGroup, sampling_params: dict[str, Any]) -> None:
        first = group.ordered()[0].fields
        if self.tapo.opsd.enable:
            await put_report(first["uid"], await self.teacher.score(group))
            return
        report = await self.constructor.construct(group, sampling_params)
        await tq.async_kv_put(key=row_key(first), partition_id=_PARTITION, tag={REPORT_TAG: report.as_tag()})

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

    async def _request(self, prompt_ids: list[int], sampling_params: dict[str, Any]) -> TokenOutput:
        output = await self.llm_client.generate(
            request_id=uuid.uuid4().hex,
            prompt_ids=prompt_ids,
            sampling_params=dict(sampling_params),
            priority=self.priority,
        )
        if output.stop_reason == "aborted":
            raise RuntimeError("the server aborted the request")
        return output

    async def _generate(self, prompt_ids: list[int], sampling_params: dict[str, Any]) -> list[int]:
        return list((await self._request(prompt_ids, sampling_params)).token_ids)

    async def _score_tokens(self, ids: list[int]) -> list[float]:
        sampling_params = {"max_tokens": 1, "temperature": 1.0, "prompt_logprobs": 0, "detokenize": False}
        output = await self._request(ids, sampling_params)
        # verl's entry i is the log-probability of token i + 1, its last one a dummy.
        return [0.0, *(log_prob for (log_prob,) in output.extra_fields["prompt_logprobs"][:-1])]

    async def _grade(self, row: AgentLoopOutput, fields: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        await self._compute_score([row], kwargs=fields)
        return row.reward_score, row.extra_fields.get("reward_extra_info") or {}

    async def _store(self, row: AgentLoopOutput, fields: dict[str, Any]) -> str:
        """Stores the row as verl stores a rollout, then moves it to G_ref by its uid field."""
        key = row_key(fields)
        await super()._agent_loop_postprocess(row, validate=False, **fields)
        try:
            await tq.async_kv_batch_put(
                keys=[key],
                partition_id=_PARTITION,
                fields=TensorDict({"uid": NonTensorStack(reflected_uid(fields["uid"]))}, batch_size=[1]),
                tags=[{ROW_TAG: True}],
            )
        except Exception:
            await tq.async_kv_clear(keys=[key], partition_id=_PARTITION)
            raise
        return key


class TapoAgentLoopManager(AgentLoopManagerTQ):
    """verl's agent-loop manager with TAPO's worker; set as ``rollout.agent.agent_loop_manager_class``."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(TapoAgentLoopWorker)
