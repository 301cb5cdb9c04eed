"""construction's ``Engine`` on verl: the rollout's own vLLM servers and the run's reward function."""

import uuid
from typing import Any

from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput, AgentLoopWorker
from verl.workers.rollout.replica import TokenOutput

from recipe_tapo.algorithm.selection import is_correct
from recipe_tapo.algorithm.tokens import decode
from recipe_tapo.algorithm.trajectory import Trajectory
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.group import Rollout
from recipe_tapo.construction.policy import Grade
from recipe_tapo.engine.rows import REWARD_INFO
from recipe_tapo.engine.verl_config import request_priority, synthesis_sampling_params

_KEPT_EXTRA_FIELDS = ("global_steps", "min_global_steps", "max_global_steps", "turn_scores", "tool_rewards")


class VerlRollout:
    """A rollout as verl knows it: what ``Rollout.source`` holds here.

    Attributes:
        output: verl's output of the agent loop.
        fields: What verl stores beside it: uid, prompt, data source and so on.
    """

    def __init__(self, output: AgentLoopOutput, fields: dict[str, Any]):
        self.output = output
        self.fields = fields


def make_row(error: AgentLoopOutput, trajectory: Trajectory, grade: Grade | None = None) -> AgentLoopOutput:
    """The constructed trajectory as an answer to y⁻'s own prompt, with the same fields set as y⁻'s output.

    Its sampler log-probs would belong to the synthesis prompt: zeros hold their place, nothing reads them. A reward
    function can tell it by ``extra_info["is_reflection"]``.

    Args:
        error: y⁻.
        trajectory: What was constructed from it.
        grade: Its reward; None for a row that is still to be graded.
    """
    extra_fields = {k: v for k, v in error.extra_fields.items() if k in _KEPT_EXTRA_FIELDS} | {REWARD_INFO: True}
    if grade is not None:
        extra_fields["reward_extra_info"] = dict(grade.info)
    return error.model_copy(
        update={
            "response_ids": trajectory.response_ids,
            "response_mask": trajectory.response_mask,
            "response_logprobs": None if error.response_logprobs is None else [0.0] * len(trajectory.response_ids),
            "reward_score": None if grade is None else grade.score,
            "metrics": AgentLoopMetrics(),
            "extra_fields": extra_fields,
        }
    )


class VerlEngine:
    """Asks for one group's constructions.

    Args:
        worker: verl's agent-loop worker, which knows servers and reward function.
        tapo: The configuration.
        sampling_params: How the group's rollouts were sampled.
    """

    def __init__(self, worker: AgentLoopWorker, tapo: TapoConfig, sampling_params: dict[str, Any]):
        self.worker = worker
        self.tapo = tapo
        self.sampling_params = sampling_params
        self.priority = request_priority(worker.config)

    async def generate(self, prompt_ids: list[int], max_tokens: int) -> list[int]:
        """See ``Engine``. Raises RuntimeError where the server gave the request up."""
        output = await self._request(prompt_ids, synthesis_sampling_params(self.tapo, self.sampling_params, max_tokens))
        return list(output.token_ids)

    async def choose(self, prompt_ids: list[int], choices: list[str], max_tokens: int) -> str:
        """See ``Engine``. vLLM's structured outputs allow the choices and nothing else."""
        from vllm.sampling_params import StructuredOutputsParams

        sampling_params = {
            "max_tokens": max_tokens,
            "temperature": 0.0,
            "structured_outputs": StructuredOutputsParams(choice=choices),
        }
        output = await self._request(prompt_ids, sampling_params)
        return decode(self.worker.tokenizer, output.token_ids).strip()

    async def score_tokens(self, token_ids: list[int]) -> list[float]:
        """See ``Engine``."""
        output = await self._request(
            token_ids, {"max_tokens": 1, "temperature": 1.0, "prompt_logprobs": 0, "detokenize": False}
        )
        # verl's entry i is the log-probability of token i + 1, its last one a dummy.
        return [0.0, *(log_prob for (log_prob,) in output.extra_fields["prompt_logprobs"][:-1])]

    async def grade(self, error: Rollout, trajectory: Trajectory) -> Grade:
        """See ``Engine``."""
        row = make_row(error.source.output, trajectory)
        # Every reward manager hands the prompt's extra_info on to the function; not all add the output's extra fields.
        fields = error.source.fields
        extra_info = {**(fields.get("extra_info") or {}), REWARD_INFO: True}
        await self.worker._compute_score([row], kwargs={**fields, "extra_info": extra_info})
        if row.reward_score is None:
            raise RuntimeError("there is no reward function that grades during generation")
        info = row.extra_fields.get("reward_extra_info") or {}
        return Grade(float(row.reward_score), is_correct(row.reward_score, info), info)

    async def _request(self, prompt_ids: list[int], sampling_params: dict[str, Any]) -> TokenOutput:
        output = await self.worker.llm_client.generate(
            request_id=uuid.uuid4().hex,
            prompt_ids=prompt_ids,
            sampling_params=sampling_params,
            priority=self.priority,
        )
        if output.stop_reason in ("aborted", "abort"):  # vLLM and TensorRT-LLM, SGLang
            raise RuntimeError("the server aborted the request")
        return output
