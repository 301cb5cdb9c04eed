"""construction's engine on verl: what a server's answer means, and what a reward function is told."""

import asyncio
import copy
import math
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from small_tokenizer import TOKENIZER, encode
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput
from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls
from verl.workers.rollout.llm_server import FullyAsyncLLMServerClient, LLMServerClient
from verl.workers.rollout.replica import TokenOutput

from recipe_tapo.algorithm.trajectory import Trajectory
from recipe_tapo.construction.group import Rollout
from recipe_tapo.engine.agent_loop import TapoAgentLoopWorker
from recipe_tapo.engine.verl_engine import VerlEngine, VerlRollout, make_row

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
        return SimpleNamespace(token_ids=[1, 2], stop_reason=stop_reason, extra_fields={})

    worker.llm_client = SimpleNamespace(generate=generate)
    engine = VerlEngine(worker, {})
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
        return await VerlEngine(worker, {}).grade(rollout, trajectory)

    assert asyncio.run(grade()).score == 1.0
    ((text, extra_info),) = told
    assert text == "x = 3. Wait, x = 4" and extra_info["is_reflection"] is True
    if own is not None:
        # The other keys are the prompt's, whose own mapping stays as it is for the rollouts.
        assert extra_info["split"] == "train" and own == {"split": "train"}


# verl's asynchronous client, whose servers abort requests for each training


class AbortingServer:
    """A server of verl's, one answer for each request in turn: token ids, stop reason, version of the weights, more."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []
        self.generate = SimpleNamespace(remote=self._generate)

    async def _generate(self, request_id, prompt_ids, sampling_params, **_):
        self.requests.append((list(prompt_ids), dict(sampling_params)))
        ids, stop_reason, version, *more = self.answers.pop(0)
        extra = {"global_steps": version, **(more[0] if more else {})}
        log_probs = extra.pop("log_probs", [])
        return TokenOutput(token_ids=ids, log_probs=log_probs, stop_reason=stop_reason, extra_fields=extra)


def asynchronous_engine(monkeypatch, server):
    """Construction's engine on verl's own client, without a load balancer and without its pause of a second."""

    async def acquire(self, request_id, **_):
        return "server", server

    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _: sleep(0))
    monkeypatch.setattr(LLMServerClient, "_acquire_server", acquire)
    monkeypatch.setattr(LLMServerClient, "_release_server", lambda self, server_id, request_id=None: None)
    worker = make_worker()
    worker.config = OmegaConf.create({"actor_rollout_ref": {"rollout": {**ROLLOUT, "name": "vllm"}}})
    worker.llm_client = FullyAsyncLLMServerClient(worker.config)
    return VerlEngine(worker, {"temperature": 1.0, "logprobs": True})


def test_a_synthesis_that_training_interrupts_goes_on_and_names_the_weights_that_wrote_it(monkeypatch):
    server = AbortingServer(([5, 6], "aborted", 3), ([], "aborted", 3), ([7], "completed", 4))
    ids = asyncio.run(asynchronous_engine(monkeypatch, server).generate([1, 2], 10))
    assert (list(ids), ids.versions) == ([5, 6, 7], (3, 4))
    assert [(prompt, params["max_tokens"]) for prompt, params in server.requests] == [
        ([1, 2], 10),
        ([1, 2, 5, 6], 8),
        ([1, 2, 5, 6], 8),
    ]


def test_a_choice_that_training_interrupts_is_asked_again_whole(monkeypatch):
    """Continued, the grammar would begin anew behind the 1: 1 and 12 would become 112, and 1 and 1 step 11."""
    one, twelve = encode("1"), encode("12")
    server = AbortingServer((one, "aborted", 3), (twelve, "completed", 4))
    engine = asynchronous_engine(monkeypatch, server)
    choices = [str(number) for number in range(1, 13)]
    assert asyncio.run(engine.choose([1, 2], choices, 3)) == "12"
    assert [prompt for prompt, _ in server.requests] == [[1, 2], [1, 2]]
    assert {params["max_tokens"] for _, params in server.requests} == {3}


def test_scores_come_through_the_asynchronous_client_and_are_asked_for_again_after_an_abort(monkeypatch):
    scores = {"prompt_logprobs": [[-0.5], [-0.25], [0.0]]}  # verl's entry i is that of token i + 1
    server = AbortingServer(([], "aborted", 3), ([9], "completed", 4, scores))
    assert asyncio.run(asynchronous_engine(monkeypatch, server).score_tokens([1, 2, 3])) == [0.0, -0.5, -0.25]
    assert [prompt for prompt, _ in server.requests] == [[1, 2, 3], [1, 2, 3]]


@pytest.mark.parametrize(("sampled", "sign"), [(7, 1), (9, -1)])
def test_odds_are_read_from_what_was_allowed_and_asked_for_again_after_an_abort(monkeypatch, sampled, sign):
    server = AbortingServer(([], "aborted", 3), ([sampled], "completed", 4, {"log_probs": [math.log(0.9)]}))
    odds = asyncio.run(asynchronous_engine(monkeypatch, server).odds([1, 2], 7, 9))
    assert odds == pytest.approx(sign * math.log(9))  # 0.9 to 0.1
    assert [prompt for prompt, _ in server.requests] == [[1, 2], [1, 2]]
    params = server.requests[-1][1]
    assert params["allowed_token_ids"] == [7, 9] and params["temperature"] == 1.0 and params["max_tokens"] == 1


def test_a_token_without_any_doubt_has_finite_odds(monkeypatch):
    server = AbortingServer(([7], "completed", 4, {"log_probs": [0.0]}))
    assert 20 < asyncio.run(asynchronous_engine(monkeypatch, server).odds([1, 2], 7, 9)) < 40


@pytest.mark.parametrize("asks", ["choose", "score_tokens", "odds"])
def test_the_synchronous_client_asks_once(asks):
    worker = make_worker()

    async def generate(**_):
        return SimpleNamespace(token_ids=[], stop_reason="aborted", extra_fields={})

    worker.llm_client = SimpleNamespace(generate=generate)
    arguments = {"choose": ([1], ["1"], 2), "score_tokens": ([1],), "odds": ([1], 2, 3)}[asks]
    with pytest.raises(RuntimeError, match="aborted"):
        asyncio.run(getattr(VerlEngine(worker, {}), asks)(*arguments))


@pytest.mark.parametrize(("versions", "expected"), [((3, 4), (3, 4)), (None, (1, 2))])
def test_a_rows_versions_are_those_of_its_synthesis(versions, expected):
    error = AgentLoopOutput(
        prompt_ids=[1],
        response_ids=[2],
        response_mask=[1],
        num_turns=2,
        metrics=AgentLoopMetrics(),
        extra_fields={"min_global_steps": 1, "max_global_steps": 2},
    )
    trajectory = Trajectory("x", [3], [1], prefix_length=0, prefix_fraction=0.0)
    row = make_row(error, trajectory, versions=versions)
    assert (row.extra_fields["min_global_steps"], row.extra_fields["max_global_steps"]) == expected
