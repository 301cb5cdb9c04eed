"""construction's ``Engine`` on verl: the rollout's own vLLM servers and the run's reward function."""

import asyncio
import math
import uuid
from collections.abc import Mapping
from typing import Any

from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput, AgentLoopWorker
from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient, LLMServerClient
from verl.workers.rollout.replica import TokenOutput

from recipe_tapo.algorithm.selection import is_correct
from recipe_tapo.algorithm.tokens import decode
from recipe_tapo.algorithm.trajectory import Trajectory
from recipe_tapo.construction.group import Rollout, Versions
from recipe_tapo.construction.policy import Grade, Sampled
from recipe_tapo.engine.given_up import ending_with_its_caller
from recipe_tapo.engine.rows import NEWEST_VERSION_TAG, OLDEST_VERSION_TAG, REWARD_INFO
from recipe_tapo.engine.verl_config import request_priority

_ABORTED = ("aborted", "abort")  # vLLM and TensorRT-LLM, SGLang
_ASK_AGAIN_S = 1.0  # as verl's client waits
# Else verl adds rollout.repetition_penalty, which would fall on digits of the numbered steps and on answers that the
# rollout has written.
_NO_PENALTY = {"repetition_penalty": 1.0}
_LEAST = 1e-12  # a probability that is not told apart from 0
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


def versions_of(extra_fields: Mapping[str, Any]) -> Versions | None:
    """The versions of the weights that wrote an output of verl's, where its server says so."""
    oldest, newest = (extra_fields.get(name) for name in (OLDEST_VERSION_TAG, NEWEST_VERSION_TAG))
    return None if oldest is None or newest is None else (oldest, newest)


def pauses(client: LLMServerClient) -> bool:
    """Whether verl's client is the one of its asynchronous trainers, whose servers stop and abort for each training."""
    return isinstance(client, FullyAsyncLLMServerClient)


def make_row(
    error: AgentLoopOutput, trajectory: Trajectory, grade: Grade | None = None, versions: Versions | None = None
) -> AgentLoopOutput:
    """The constructed trajectory as an answer to y⁻'s own prompt, with the same fields set as y⁻'s output.

    Its sampler log-probs would belong to the synthesis prompt: zeros hold their place, nothing reads them. A reward
    function can tell it by ``extra_info["is_reflection"]``.

    Args:
        error: y⁻.
        trajectory: What was constructed from it.
        grade: Its reward; None for a row that is still to be graded.
        versions: The weights that wrote its new tokens, which verl's storage then says of the row instead of y⁻'s.
    """
    extra_fields = {k: v for k, v in error.extra_fields.items() if k in _KEPT_EXTRA_FIELDS} | {REWARD_INFO: True}
    if grade is not None:
        extra_fields["reward_extra_info"] = dict(grade.info)
    if versions is not None:
        extra_fields.update(zip((OLDEST_VERSION_TAG, NEWEST_VERSION_TAG), versions, strict=True))
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
        sampling_params: How synthesis is sampled.
    """

    def __init__(self, worker: AgentLoopWorker, sampling_params: dict[str, Any]):
        self.worker = worker
        self.sampling_params = sampling_params
        self.priority = request_priority(worker.config)
        self.odds_id = uuid.uuid4().hex

    async def generate(self, prompt_ids: list[int], max_tokens: int) -> list[int]:
        """See ``Engine``. Raises RuntimeError where the server gave the request up."""
        output = await self._request(prompt_ids, {**self.sampling_params, "logprobs": False, "max_tokens": max_tokens})
        return Sampled(output.token_ids, versions_of(output.extra_fields))

    async def choose(self, prompt_ids: list[int], choices: list[str], max_tokens: int) -> str:
        """See ``Engine``. vLLM's structured outputs allow the choices and nothing else."""
        from vllm.sampling_params import StructuredOutputsParams

        sampling_params = {
            **_NO_PENALTY,
            "max_tokens": max_tokens,
            "temperature": 0.0,
            "structured_outputs": StructuredOutputsParams(choice=choices),
        }
        output = await self._request_whole(prompt_ids, sampling_params)
        return decode(self.worker.tokenizer, output.token_ids).strip()

    async def score_tokens(self, token_ids: list[int]) -> list[float]:
        """See ``Engine``."""
        output = await self._request_whole(
            token_ids, {"max_tokens": 1, "temperature": 1.0, "prompt_logprobs": 0, "detokenize": False}
        )
        # verl's entry i is the log-probability of token i + 1, its last one a dummy.
        return [0.0, *(log_prob for (log_prob,) in output.extra_fields["prompt_logprobs"][:-1])]

    async def odds(self, prompt_ids: list[int], token: int, other: int) -> float:
        """See ``Engine``. verl returns the sampled token's log-probability alone; the other one has the rest.

        All of a group's go to one server, which then has the rollouts in its cache: verl chooses it by the request's
        id.
        """
        sampling_params = {
            **_NO_PENALTY,
            "max_tokens": 1,
            "temperature": 1.0,
            "allowed_token_ids": [token, other],
            "logprobs": True,
        }
        output = await self._request_whole(prompt_ids, sampling_params, self.odds_id)
        (sampled,), (log_prob,) = output.token_ids, output.log_probs or []
        odds = log_prob - math.log(max(-math.expm1(log_prob), _LEAST))
        return odds if sampled == token else -odds

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

    async def _request(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], request_id: str | None = None
    ) -> TokenOutput:
        """One request; verl's asynchronous client goes on with one that was aborted for a training."""
        async with ending_with_its_caller(self.worker.llm_client) as client:
            return _not_aborted(await client.generate(**self._arguments(prompt_ids, sampling_params, request_id)))

    async def _request_whole(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], request_id: str | None = None
    ) -> TokenOutput:
        """One request whose answer makes sense in one piece alone.

        verl's asynchronous client would put the second half of a choice after the first, which is no choice or another
        one, and drops the log-probabilities of prompts. Its base class hands the aborted request back instead, which is
        asked again from the start.
        """
        client = self.worker.llm_client
        if not pauses(client):
            return await self._request(prompt_ids, sampling_params, request_id)
        while True:
            arguments = self._arguments(prompt_ids, dict(sampling_params), request_id)
            async with ending_with_its_caller(client) as noting:
                output = await LLMServerClient.generate(noting, **arguments)
            if output.stop_reason not in _ABORTED:
                return output
            await asyncio.sleep(_ASK_AGAIN_S)

    def _arguments(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], request_id: str | None
    ) -> dict[str, Any]:
        return {
            "request_id": request_id or uuid.uuid4().hex,
            "prompt_ids": prompt_ids,
            "sampling_params": sampling_params,
            "priority": self.priority,
        }


def _not_aborted(output: TokenOutput) -> TokenOutput:
    if output.stop_reason in _ABORTED:
        raise RuntimeError("the server aborted the request")
    return output
