"""The rollout post-processor without Ray: verl's own worker class on a stand-in server, store and grader."""

import asyncio
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf
from small_tokenizer import TOKENIZER, encode
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics, AgentLoopOutput
from verl.trainer.ppo.v1 import agent_loop_tq

from recipe_tapo.construction import requests
from recipe_tapo.construction.reports import GroupReport, TeacherReport
from recipe_tapo.engine import agent_loop, given_up, opsd_rows
from recipe_tapo.engine.agent_loop import TapoAgentLoopWorker
from recipe_tapo.engine.rows import PREFIX_LENGTH_TAG, REPORT_TAG, UID_TAG
from recipe_tapo.records.attempts import read_dump

EOS = TOKENIZER.eos_token_id
RIGHT, WRONG = "2x = 8\nx = 4\nFinal Answer: \\boxed{4}", "2x = 8\nx = 3\nFinal Answer: \\boxed{3}"
RECONSTRUCTION = "2x = 8\nx = 3\nWait, x = 4\nFinal Answer: \\boxed{4}"
OUTPUT = f"<analysis>Step 2.</analysis>\n<reconstruction>\n{RECONSTRUCTION}\n</reconstruction>"


class Store:
    """TransferQueue's key-value calls, as verl's worker and ours make them."""

    def __init__(self):
        self.rows, self.tags = {}, {}

    async def async_kv_put(self, key, partition_id, tag=None, fields=None):
        self.tags.setdefault(key, {}).update(tag or {})

    async def async_kv_batch_put(self, keys, partition_id, fields=None, tags=None):
        for i, key in enumerate(keys):
            if fields is not None:
                self.rows.setdefault(key, {}).update({name: fields[i][name] for name in list(fields.keys())})
            self.tags.setdefault(key, {}).update(tags[i] if tags else {})

    async def async_kv_clear(self, keys, partition_id):
        for key in keys:
            self.rows.pop(key, None)
            self.tags.pop(key, None)


class Server:
    """Answers synthesis requests; ``behaviour`` decides how."""

    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.requests, self.priorities = [], []

    async def generate(self, request_id, *, prompt_ids, sampling_params, priority):
        self.requests.append((prompt_ids, sampling_params))
        self.priorities.append(priority)
        return await self.behaviour(len(self.requests))


async def answer(_):
    return SimpleNamespace(token_ids=[*encode(OUTPUT), EOS], stop_reason="completed", extra_fields={})


def grade(text):
    return 1.0 if text.rstrip().endswith("\\boxed{4}") else 0.0


def make_worker(
    monkeypatch,
    behaviour=answer,
    grader=grade,
    max_model_len=4000,
    scheduling_policy="priority",
    temperature=1.0,
    **tapo,
):
    store = Store()
    for module in (agent_loop, agent_loop_tq):
        monkeypatch.setattr(module, "tq", store)
    monkeypatch.setattr(
        TOKENIZER, "apply_chat_template", lambda messages, **_: messages[0]["content"] + "\n", raising=False
    )
    worker = object.__new__(TapoAgentLoopWorker)
    worker.config = OmegaConf.create(
        {
            "actor_rollout_ref": {
                "rollout": {
                    "n": 8,
                    "max_model_len": max_model_len,
                    "prompt_length": 50,
                    "response_length": 200,
                    "scheduling_policy": scheduling_policy,
                    **{"temperature": temperature, "top_p": 1.0, "top_k": -1},
                }
            },
            "data": {"apply_chat_template_kwargs": {}},
            "tapo": {**tapo, "synthesis": {"max_tokens": 300, "min_new_tokens": 1, **tapo.get("synthesis", {})}},
        }
    )
    worker.tokenizer, worker.processor, worker.model_config = TOKENIZER, None, None
    worker.llm_client = Server(behaviour)
    worker.distillation_enabled = False
    worker._init_tapo()

    async def compute_score(outputs, kwargs):
        output = outputs[-1]
        if output.reward_score is None:
            output.reward_score = grader(TOKENIZER.decode(output.response_ids, skip_special_tokens=True))
            output.extra_fields["reward_extra_info"] = {"acc": output.reward_score}

    monkeypatch.setattr(worker, "_compute_score", compute_score, raising=False)
    return worker, store


def run_group(monkeypatch, worker, right=2, size=8, fail=(), images=None, masked=(), raw_prompt=None, score=None):
    """Runs one prompt's group of rollouts through verl's ``_run_prompt``, with scripted agent loops.

    Args:
        monkeypatch: pytest's.
        worker: The worker.
        right: How many rollouts are right, the first ones.
        size: Rollouts of the group.
        fail: Sessions that raise.
        images: What the prompt shows beside its text.
        masked: Sessions with a token that a tool wrote.
        raw_prompt: The chat of the prompt, where it is another one.
        score: The rewards that the agent loop itself gives, one after the other.
    """

    async def run_agent_loop(self, sampling_params, trajectory, **kwargs):
        session = kwargs["session_id"]
        await asyncio.sleep(0.001 * ((session * 5) % size))
        if session in fail:
            raise RuntimeError("rollout failed")
        text = RIGHT if session < right else WRONG
        output = AgentLoopOutput(
            prompt_ids=encode("2x=8?"),
            response_ids=[*encode(text), EOS],
            response_mask=[0 if session in masked else 1] + [1] * len(encode(text)),
            multi_modal_data=images,
            response_logprobs=[-0.1] * (len(encode(text)) + 1),
            num_turns=2,
            reward_score=None if score is None else next(score),
            metrics=AgentLoopMetrics(),
            extra_fields={"global_steps": 0, "min_global_steps": session, "max_global_steps": 8, "turn_scores": []},
        )
        await self._agent_loop_postprocess(output, trajectory["validate"], **kwargs)

    monkeypatch.setattr(TapoAgentLoopWorker.__mro__[1], "_run_agent_loop", run_agent_loop)
    prompt = {
        "uid": "q1",
        "raw_prompt": raw_prompt or [{"role": "user", "content": "2x=8?"}],
        "global_steps": 1,
        "data_source": "test",
        "index": 0,
    }
    trajectory = {"step": 1, "sample_index": 0, "rollout_n": 0, "validate": False}
    worker.config.actor_rollout_ref.rollout.n = size
    asyncio.run(worker._run_prompt(prompt, {"temperature": 1.0, "logprobs": True}, trajectory=trajectory))


def report_of(store):
    tags = [tag[REPORT_TAG] for tag in store.tags.values() if REPORT_TAG in tag]
    assert len(tags) == 1
    return GroupReport.from_plain(tags[0])


def test_an_eligible_group_gains_its_constructions_as_a_group_of_their_own(monkeypatch, tmp_path):
    worker, store = make_worker(monkeypatch, dump_dir=str(tmp_path))
    run_group(monkeypatch, worker)

    report = report_of(store)
    assert (report.eligible, report.attempts, report.parsed, report.right) == (True, 4, 4, 4)
    constructed = {key: row for key, row in store.rows.items() if store.tags[key].get(UID_TAG) == "q1_reflected"}
    assert sorted(constructed) == ["q1_10_0", "q1_11_0", "q1_8_0", "q1_9_0"]
    row = constructed["q1_8_0"]
    assert row["uid"] == "q1_reflected"
    sampled = [*encode(WRONG), EOS]
    prefix_length = report.prefix_lengths[0]
    assert prefix_length > 0
    assert store.tags["q1_8_0"][PREFIX_LENGTH_TAG] == prefix_length
    assert row["responses"].tolist()[:prefix_length] == sampled[:prefix_length]
    assert row["responses"].tolist()[-1] == EOS
    assert row["prompts"].tolist() == encode("2x=8?")  # the plain query, never the synthesis prompt
    assert row["rm_scores"].sum() == 1.0
    original = store.rows["q1_0_0"]
    assert set(row) == set(original)  # the same fields, or verl could not read the batch
    assert store.tags["q1"]["status"] == "finished"

    records = list(read_dump(tmp_path))
    assert len(records) == 4
    assert records[0]["reconstruction"] == RECONSTRUCTION
    assert records[0]["error_rollout"] == WRONG
    assert records[0]["reward"] == 1.0


def test_the_weights_that_wrote_a_construction_and_its_sources_are_recorded(monkeypatch, tmp_path):
    async def continued(_):
        versions = {"min_global_steps": 8, "max_global_steps": 9}
        return SimpleNamespace(token_ids=[*encode(OUTPUT), EOS], stop_reason="completed", extra_fields=versions)

    worker, store = make_worker(monkeypatch, continued, dump_dir=str(tmp_path))
    run_group(monkeypatch, worker)  # session s is written by weights s to 8
    records = {record["key"]: record for record in read_dump(tmp_path)}
    assert sorted(record["error_versions"][0] for record in records.values()) == sorted(
        store.tags[key]["tapo_source_version"] for key in records
    )
    for key, record in records.items():
        assert record["versions"] == [8, 9]
        assert record["error_versions"][1] == record["correct_versions"][1] == 8
        assert record["error_versions"][0] in range(2, 8) and record["correct_versions"][0] in (0, 1)
        assert (store.tags[key]["min_global_steps"], store.tags[key]["max_global_steps"]) == (8, 9)
    assert (store.tags["q1_3_0"]["min_global_steps"], store.tags["q1_3_0"]["max_global_steps"]) == (3, 8)


def test_no_default_time_out_runs_while_the_engine_stands_still_for_training(monkeypatch):
    def timeouts(pauses):
        seen = []

        async def wait_for(work, timeout):
            seen.append(timeout)
            return await work

        monkeypatch.setattr(requests.asyncio, "wait_for", wait_for)
        monkeypatch.setattr(agent_loop, "pauses", lambda client: pauses)
        worker, store = make_worker(monkeypatch)
        run_group(monkeypatch, worker)
        assert report_of(store).right == 4
        return seen

    # Four gradings, and four requests: of two minutes and a second for five tokens, or of no limit.
    running, paused = timeouts(False), timeouts(True)
    assert running.count(600.0) == paused.count(600.0) == 4
    assert len([seconds for seconds in running if 120.0 < seconds < 600.0]) == 4
    assert paused.count(None) == 4


@pytest.mark.parametrize(
    ("temperature", "pauses", "recorded"), [(1.0, False, True), (0.7, False, False), (1.0, True, False)]
)
def test_recorded_log_probs_stand_for_scores_where_sampling_was_plain_and_no_training_comes_in_between(
    monkeypatch, temperature, pauses, recorded
):
    seen = []

    async def finish(self, group, engine):
        seen.extend(rollout.log_probs is not None for rollout in group.rollouts)

    monkeypatch.setattr(agent_loop, "pauses", lambda client: pauses)
    monkeypatch.setattr(TapoAgentLoopWorker, "_finish", finish)
    worker, _ = make_worker(monkeypatch, temperature=temperature)
    run_group(monkeypatch, worker)
    assert seen == [recorded] * 8


def test_the_request_carries_the_prompt_the_budget_and_the_rollouts_sampling(monkeypatch):
    worker, _ = make_worker(monkeypatch)
    run_group(monkeypatch, worker)
    prompt_ids, sampling_params = worker.llm_client.requests[0]
    prompt = TOKENIZER.decode(prompt_ids)
    assert RIGHT in prompt and WRONG in prompt and "## Problem\n2x=8?" in prompt
    assert sampling_params == {"temperature": 1.0, "logprobs": False, "max_tokens": 300}

    worker, _ = make_worker(monkeypatch, synthesis={"temperature": 0.0, "top_p": 0.9})
    run_group(monkeypatch, worker)
    _, sampling_params = worker.llm_client.requests[0]
    assert (sampling_params["temperature"], sampling_params["top_p"]) == (0.0, 0.9)


@pytest.mark.parametrize(("policy", "priority"), [("priority", -1), ("fcfs", 0)])
def test_constructions_go_ahead_of_waiting_rollouts_where_the_scheduler_knows_priorities(monkeypatch, policy, priority):
    worker, _ = make_worker(monkeypatch, scheduling_policy=policy)
    run_group(monkeypatch, worker)
    # A rollout's priority is 0, vLLM serves the smaller first, and its FCFS scheduler refuses any other than 0.
    assert worker.llm_client.priorities == [priority] * 4


def test_constructions_of_a_group_run_at_once_and_the_group_is_finished_only_after_them(monkeypatch):
    all_asked, statuses = asyncio.Event(), []

    async def answer_once_all_are_asked(number):
        if number == 4:
            all_asked.set()
        await asyncio.wait_for(all_asked.wait(), timeout=60)
        statuses.append(store.tags["q1"]["status"])
        return await answer(number)

    worker, store = make_worker(monkeypatch, behaviour=answer_once_all_are_asked)
    run_group(monkeypatch, worker)
    assert statuses == ["running"] * 4 and store.tags["q1"]["status"] == "finished"
    report = report_of(store)
    assert report.rejected == {} and report.construction_end > report.rollout_end


@pytest.mark.parametrize("right", [0, 1, 5, 8])
def test_an_ineligible_group_asks_for_nothing(monkeypatch, right):
    worker, store = make_worker(monkeypatch)
    run_group(monkeypatch, worker, right=right)
    assert worker.llm_client.requests == []
    assert not report_of(store).eligible
    assert len(store.rows) == 8


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"masked": (3,)}, "not_single_turn"),
        ({"images": {"images": ["a picture"]}}, "multi_modal"),
        ({"images": {"images": ["a picture"]}, "masked": (3,)}, "multi_modal"),
        ({"images": {}}, None),  # what verl notes of a prompt of text alone
    ],
)
def test_rollouts_that_a_text_prompt_cannot_show_are_not_rewritten(monkeypatch, case, reason):
    worker, store = make_worker(monkeypatch)
    run_group(monkeypatch, worker, **case)
    report = report_of(store)
    assert report.eligible and report.attempts == 4
    assert report.rejected == ({} if reason is None else {reason: 4})
    assert len(worker.llm_client.requests) == (4 if reason is None else 0)
    assert len(store.rows) == (12 if reason is None else 8)


def test_nothing_is_constructed_where_the_agent_loop_gives_the_rewards(monkeypatch):
    worker, store = make_worker(monkeypatch, selection={"n_pos": 1, "n_neg": 1})
    # One right and one wrong by the loop's own reward.
    scores = iter([5.0, -5.0])
    run_group(monkeypatch, worker, size=2, score=scores)
    assert report_of(store).rejected == {"graded_by_agent_loop": 1}
    assert worker.llm_client.requests == [] and len(store.rows) == 2


def test_a_mask_reaches_the_rows_of_the_rewriting_modes(monkeypatch):
    worker, store = make_worker(monkeypatch, mask="prefix")
    run_group(monkeypatch, worker)
    kept = report_of(store).prefix_lengths[0]
    mask = store.rows["q1_8_0"]["response_mask"].tolist()
    assert kept > 0 and mask == [0] * kept + [1] * (len(mask) - kept)


def test_a_prompt_that_cannot_be_read_is_rolled_out_as_in_grpo(monkeypatch, caplog):
    """verl would wait for ever for a prompt whose task ends before its own handling of errors."""
    worker, store = make_worker(monkeypatch)
    run_group(monkeypatch, worker, raw_prompt="2x=8?")
    assert len([key for key, row in store.rows.items() if row]) == 8
    assert not any(REPORT_TAG in tag for tag in store.tags.values())
    assert "reading a prompt" in caplog.text


def test_no_row_is_written_behind_a_groups_end_even_where_one_cannot_be_cleared(monkeypatch):
    worker, store = make_worker(monkeypatch)
    put, written = store.async_kv_batch_put, []

    async def fails_at_once_or_is_slow(keys, partition_id, fields=None, tags=None):
        if fields is not None and UID_TAG in (tags or [{}])[0]:
            if keys == ["q1_8_0"]:
                raise RuntimeError("the store is gone")
            await asyncio.sleep(0.05)
            written.append(store.tags["q1"]["status"])
        await put(keys, partition_id, fields, tags)

    async def fails(keys, partition_id):
        raise RuntimeError("the store is gone")

    store.async_kv_batch_put, store.async_kv_clear = fails_at_once_or_is_slow, fails
    run_group(monkeypatch, worker)
    assert written == ["running"] * 3 and store.tags["q1"]["status"] == "failure"


def test_a_failing_call_costs_that_construction_only(monkeypatch):
    async def second_fails(number):
        if number == 2:
            raise RuntimeError("engine died")
        return await answer(number)

    worker, store = make_worker(monkeypatch, behaviour=second_fails)
    run_group(monkeypatch, worker)
    report = report_of(store)
    assert (report.attempts, report.parsed) == (4, 3)
    assert report.rejected == {"request_failed": 1}
    assert len(store.rows) == 8 + 3
    assert store.tags["q1"]["status"] == "finished"


def test_a_call_that_hangs_is_given_up(monkeypatch):
    async def first_hangs(number):
        if number == 1:
            await asyncio.sleep(60)
        return await answer(number)

    worker, store = make_worker(monkeypatch, behaviour=first_hangs, synthesis={"timeout_s": 0.1, "max_tokens": 300})
    run_group(monkeypatch, worker)
    assert report_of(store).rejected == {"timed_out": 1}
    assert len(store.rows) == 8 + 3


def test_a_reward_function_that_raises_on_a_construction_costs_that_construction_and_tells_why(monkeypatch, caplog):
    graded = []

    def raises_once(text):
        if "Wait" in text:
            graded.append(text)
            if len(graded) == 1:
                raise ValueError("no such answer")
        return grade(text)

    worker, store = make_worker(monkeypatch, grader=raises_once)
    run_group(monkeypatch, worker)
    assert "ValueError: no such answer" in caplog.text and "in raises_once" in caplog.text  # its traceback
    assert report_of(store).rejected == {"reward_failed": 1}
    assert len(store.rows) == 8 + 3
    assert store.tags["q1"]["status"] == "finished"


def test_a_store_that_fails_half_way_leaves_no_row_in_the_wrong_group(monkeypatch):
    worker, store = make_worker(monkeypatch)
    put = store.async_kv_batch_put

    async def refuses_uid(keys, partition_id, fields=None, tags=None):
        if fields is not None and set(fields.keys()) == {"uid"}:
            raise ConnectionError("store is gone")
        await put(keys, partition_id, fields, tags)

    monkeypatch.setattr(store, "async_kv_batch_put", refuses_uid)
    run_group(monkeypatch, worker)
    assert report_of(store).rejected == {"internal_error": 4}
    assert sorted(store.rows) == [f"q1_{i}_0" for i in range(8)]


def test_a_rollout_that_fails_does_not_stop_construction_from_the_others(monkeypatch):
    worker, store = make_worker(monkeypatch)
    run_group(monkeypatch, worker, right=3, fail=(0,))
    assert report_of(store).attempts == 4
    assert store.tags["q1"]["status"] == "failure"


def test_wrong_constructions_are_kept_as_negatives_unless_switched_off(monkeypatch):
    async def wrong(_):
        return SimpleNamespace(
            token_ids=[*encode(OUTPUT.replace("boxed{4}", "boxed{5}")), EOS], stop_reason="completed", extra_fields={}
        )

    worker, store = make_worker(monkeypatch, behaviour=wrong)
    run_group(monkeypatch, worker)
    assert len(store.rows) == 8 + 4
    assert store.rows["q1_8_0"]["rm_scores"].sum() == 0.0

    worker, store = make_worker(monkeypatch, behaviour=wrong, keep_negatives=False)
    run_group(monkeypatch, worker)
    assert report_of(store).rejected == {"negative_dropped": 4}
    assert len(store.rows) == 8


def test_what_does_not_fit_the_context_is_not_even_asked_for(monkeypatch):
    worker, store = make_worker(monkeypatch, max_model_len=400)
    run_group(monkeypatch, worker)
    assert worker.llm_client.requests == []
    assert report_of(store).rejected == {"does_not_fit": 4}


def test_a_synthesis_gets_the_room_that_is_left(monkeypatch):
    worker, _ = make_worker(monkeypatch, max_model_len=4000)
    run_group(monkeypatch, worker)
    (prompt_ids, sampling_params), *_ = worker.llm_client.requests
    assert sampling_params["max_tokens"] == 300
    worker, _ = make_worker(monkeypatch, max_model_len=len(prompt_ids) + 200)
    run_group(monkeypatch, worker)
    assert {params["max_tokens"] for ids, params in worker.llm_client.requests if len(ids) == len(prompt_ids)} == {200}


def test_switched_off_nothing_is_added(monkeypatch):
    worker, store = make_worker(monkeypatch, enable=False)
    run_group(monkeypatch, worker)
    assert len(store.rows) == 8
    assert not any(REPORT_TAG in tag for tag in store.tags.values())


def test_teacher_log_probs_that_cannot_be_stored_are_counted(monkeypatch):
    async def scores(_):
        return SimpleNamespace(stop_reason="completed", extra_fields={"prompt_logprobs": [[-1.0]] * 400})

    worker, store = make_worker(monkeypatch, behaviour=scores, opsd={"enable": True})
    monkeypatch.setattr(opsd_rows, "tq", store)
    put = store.async_kv_batch_put

    async def refuses_teacher(keys, partition_id, fields=None, tags=None):
        if partition_id == "tapo_opsd" and keys == ["q1_3_0"]:
            raise OSError("no space")
        await put(keys, partition_id, fields, tags)

    monkeypatch.setattr(store, "async_kv_batch_put", refuses_teacher)
    run_group(monkeypatch, worker)
    report = TeacherReport.from_plain(store.tags["q1"][REPORT_TAG])
    assert (report.rollouts, report.scored, report.rejected) == (8, 7, {"internal_error": 1})


def test_a_request_given_up_is_cancelled_on_its_server(monkeypatch):
    """The server's task is told so; tests/e2e/test_given_up.py does it with Ray and vLLM."""
    cancelled, started = [], asyncio.Event()
    monkeypatch.setattr(given_up.ray, "cancel", cancelled.append)

    class Client:
        async def _acquire_server(self, request_id, **_):
            assert request_id == "r"
            return "server", SimpleNamespace(generate=SimpleNamespace(remote=self.remote))

        def remote(self, **arguments):
            self.task = asyncio.get_running_loop().create_future()
            started.set()
            return self.task

        async def generate(self, request_id, *, prompt_ids):
            _, server = await self._acquire_server(request_id)
            return await server.generate.remote(prompt_ids=prompt_ids)

    async def give_up(client):
        async def ask():
            async with given_up.ending_with_its_caller(client) as noting:
                await noting.generate("r", prompt_ids=[1])

        waiting = asyncio.create_task(ask())
        await started.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(give_up(Client()))
    assert len(cancelled) == 1 and isinstance(cancelled[0], asyncio.Future)
