"""construction's engine on verl: what a server's answer means, and what a reward function is told."""

import asyncio
import copy
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from small_tokenizer import TOKENIZER, encode
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput
from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls

from recipe_tapo.algorithm.trajectory import Trajectory
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.group import Rollout
from recipe_tapo.engine.agent_loop import TapoAgentLoopWorker
from recipe_tapo.engine.verl_engine import VerlEngine, VerlRollout

ROLLOUT = {"scheduling_policy": "fcfs"}


def make_worker():
    worker = object.__new__(TapoAgentLoopWorker)
    worker.config = OmegaConf.create({"actor_rollout_ref": {"rollout": ROLLOUT}})
    worker.tokenizer, worker.processor, worker.mm_processor_kwargs = TOKENIZER, None, {}
    return worker


@pytest.mark.parametrize("stop_reason", ["aborted", "abort"])
def test_an_aborted_request_has_failed_whichever_server_says_so(stop_reason):
    worker = make_worker()

    async def generate(**_):
        return SimpleNamespace(token_ids=[1, 2], stop_reason=stop_reason)

    worker.llm_client = SimpleNamespace(generate=generate)
    engine = VerlEngine(worker, TapoConfig(), {})
    with pytest.raises(RuntimeError, match="aborted"):
        asyncio.run(engine.generate([1], 5))


MANAGERS = ("naive", "dapo", "gdpo", "rate_limited", "remote")


@pytest.mark.parametrize("name", MANAGERS)
@pytest.mark.parametrize("own", [{"split": "train"}, None], ids=["with extra_info", "without"])
def test_a_reward_function_behind_every_manager_sees_that_a_row_is_constructed(name, own):
    """verl's own ``_compute_score`` and managers; the manager gets a copy of the row, as through Ray."""
    told = []

    def compute_score(data_source, solution_str, ground_truth, extra_info, **_):
        told.append((solution_str, dict(extra_info)))
        return 1.0

    async def grade():
        config = OmegaConf.create({"reward": {"num_workers": 1}, "trainer": {"experiment_name": "e"}})
        cls = get_reward_manager_cls(name)
        manager = object.__new__(cls)
        if name != "remote":
            cls.__init__(manager, config, TOKENIZER, compute_score)
        else:  # it would start Ray's processes, which call the function with what they are given

            async def remote(**arguments):
                return compute_score(**arguments)

            reward_worker = SimpleNamespace(compute_score=SimpleNamespace(remote=remote))
            manager.tokenizer, manager.loop = TOKENIZER, asyncio.get_running_loop()
            manager.reward_router_address = None
            manager.choose_reward_worker = lambda: reward_worker
        manager.loop = asyncio.get_running_loop()

        async def run_single(data):
            return await manager.run_single(copy.deepcopy(data))

        worker = make_worker()
        worker.reward_loop_worker_handles = [SimpleNamespace(compute_score=SimpleNamespace(remote=run_single))]
        fields = {"data_source": "d", "reward_model": {"ground_truth": "4"}, "uid": "q"}
        if own is not None:
            fields["extra_info"] = own
        output = AgentLoopOutput(
            prompt_ids=encode("2x=8?"),
            response_ids=encode("x = 3"),
            response_mask=[1] * len(encode("x = 3")),
            num_turns=2,
            metrics=AgentLoopMetrics(),
            extra_fields={"turn_scores": [], "tool_rewards": []},
        )
        rollout = Rollout(0, output.response_ids, False, source=VerlRollout(output, fields))
        ids = encode("x = 3. Wait, x = 4")
        trajectory = Trajectory("x = 3. Wait, x = 4", ids, [1] * len(ids), prefix_length=0, prefix_fraction=0.0)
        return await VerlEngine(worker, TapoConfig(), {}).grade(rollout, trajectory)

    assert asyncio.run(grade()).score == 1.0
    ((text, extra_info),) = told
    assert text == "x = 3. Wait, x = 4" and extra_info["is_reflection"] is True
    if own is not None:
        # The other keys are the prompt's, whose own mapping stays as it is for the rollouts.
        assert extra_info["split"] == "train" and own == {"split": "train"}
