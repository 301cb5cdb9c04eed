"""A request given up ends on the server: verl's server class and client, Ray, and vLLM on the demo's model."""

import asyncio
from types import SimpleNamespace

import pytest
import ray
from engine import CHECKPOINT
from omegaconf import OmegaConf

from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.failures import FailureLog
from recipe_tapo.construction.policy import Policy
from recipe_tapo.construction.requests import Requests
from recipe_tapo.cpu import environment
from recipe_tapo.cpu.vllm_alias import answer_for_vllm
from recipe_tapo.engine.verl_engine import VerlEngine
from recipe_tapo.reasons import Rejected, RejectReason

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROLLOUT = {"max_model_len": 2000, "response_length": 1900, "prompt_length": 100, "scheduling_policy": "fcfs",
           "name": "vllm", "full_determinism": False, "mtp": None, "enable_rollout_routing_replay": False}  # fmt: skip


def make_server():
    """verl's server class, started on nothing but the engine."""
    from verl.workers.rollout.vllm_rollout.vllm_async_server import vLLMHttpServer

    class Server(vLLMHttpServer):
        lora_as_adapter = False

        def __init__(self):
            self.config, self.model_config = OmegaConf.create(ROLLOUT), SimpleNamespace(processor=None)
            self._disaggregation_role, self._submission_paused, self._rejecting = None, False, False
            self._admitting, self.replica_rank, self.global_steps = 0, 0, 0
            self.ends = []

        async def begin(self):
            from vllm import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM

            self.engine = AsyncLLM.from_engine_args(
                AsyncEngineArgs(str(CHECKPOINT), dtype="float32", enforce_eager=True, max_model_len=2000)
            )

        async def generate(self, *args, **kwargs):
            try:
                output = await super().generate(*args, **kwargs)
            except asyncio.CancelledError:
                self.ends.append("cancelled")
                raise
            self.ends.append(len(output.token_ids))
            return output

        async def state(self):
            return self.ends, len(self.engine.output_processor.request_states), self._admitting

    return Server


@pytest.fixture(scope="module")
def server():
    answer_for_vllm()
    variables = {"VERL_PLATFORM": "cpu", **environment.VLLM}
    ray.init(num_cpus=8, include_dashboard=False, runtime_env={"env_vars": variables})
    handle = ray.remote(make_server()).options(max_concurrency=8).remote()
    ray.get(handle.begin.remote())
    yield handle
    ray.shutdown()


def test_a_time_out_ends_the_request_on_the_server(server):
    from verl.workers.rollout.llm_server import LLMServerClient

    class Client(LLMServerClient):
        """Without the load balancer."""

        def __init__(self, config):
            self.config, self.released = config, []

        async def _acquire_server(self, request_id, **_):
            return "one", server

        def _release_server(self, server_id, request_id=None):
            self.released.append(server_id)

    config = OmegaConf.create({"actor_rollout_ref": {"rollout": ROLLOUT}})
    client = Client(config)
    sampling_params = {"temperature": 1.0, "ignore_eos": True}
    engine = VerlEngine(SimpleNamespace(llm_client=client, config=config), sampling_params)

    def requests(timeout_s):
        tapo = TapoConfig.from_mapping({"synthesis": {"timeout_s": timeout_s}})
        return Requests(tapo, Policy(None, 2000, 1900, frozenset()), engine, FailureLog())

    async def ask():
        first, _ = await requests(300.0).generate([3, 4, 5], most=50)  # what is waited for ends by itself
        assert len(first) == 50
        with pytest.raises(Rejected) as given_up:
            await requests(0.5).generate([3, 4, 5])
        assert given_up.value.reason is RejectReason.TIMED_OUT
        for _ in range(600):  # until the server's coroutine has ended, one way or the other, and vLLM has heard of it
            ends, under_way, admitting = await server.state.remote()
            if len(ends) == 2 and not under_way:
                break
            await asyncio.sleep(0.05)
        return ends, under_way, admitting

    # The second one was cut short of its 1,900 tokens, and vLLM has no request left.
    assert asyncio.run(ask()) == ([50, "cancelled"], 0, 0)
    assert client.released == ["one", "one"]
