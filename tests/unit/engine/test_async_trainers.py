"""TAPO under verl's asynchronous trainers: verl's own step, replay buffer and resumption on a queue in memory."""

import inspect
from types import SimpleNamespace

import pytest
import ray
from omegaconf import OmegaConf
from tensordict import TensorDict
from trainer_step import SMALL, Step, composed, same, two_questions
from verl.experimental.separation.engine_workers import DetachActorWorker
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync
from verl.trainer.ppo.v1.trainer_base import TRAINER_REGISTRY
from verl.trainer.ppo.v1.trainer_colocate_async import PPOTrainerColocateAsync
from verl.trainer.ppo.v1.trainer_separate_async import PPOTrainerSeparateAsync

from recipe_tapo.config import TapoConfig
from recipe_tapo.cpu.replay_buffer import POLL_INTERVAL_S, eager_replay_buffer
from recipe_tapo.engine import rows
from recipe_tapo.engine.train_worker import TapoDetachActorWorker, TapoTrainingWorker
from recipe_tapo.engine.trainer import (
    TapoColocateAsyncTrainer,
    TapoOverrides,
    TapoSeparateAsyncTrainer,
    TapoTrainer,
)
from recipe_tapo.engine.update_plan import PLAN_KEY, UpdatePlan

COLOCATE, SEPARATE = TapoColocateAsyncTrainer, TapoSeparateAsyncTrainer
TWO_BATCHES = (
    *("actor_rollout_ref.actor.ppo_mini_batch_size=1", "trainer.v1.separate_async.parameter_sync_step=2"),
    "actor_rollout_ref.actor.use_kl_loss=true",
)


def buffer_of(mode, **settings):
    arguments = {"max_off_policy_threshold": 8, "max_off_policy_strategy": "drop", **settings}
    return eager_replay_buffer(mode, trainer_config=OmegaConf.create({}), sampler_kwargs={}, **arguments)


def finished(queue, **steps):
    """Marks the questions as finished, handed out in these steps."""
    for uid, step in steps.items():
        queue.add_prompt(uid, step)
    return queue


def whole_step(monkeypatch, trainer_class, queue, *overrides):
    """verl's own ``step`` (replay buffer, all batches of a step) and the metrics of both."""
    step = Step(monkeypatch, queue, *overrides, trainer_class=trainer_class)
    trainer = step.trainer
    trainer.trainer_mode = trainer.verl_mode
    trainer.parameter_sync_step = step.config.trainer.v1[trainer.verl_mode].get("parameter_sync_step", 1)
    trainer.replay_buffer = buffer_of(trainer.verl_mode)
    trainer.local_trigger_step, trainer.curr_step_profile, trainer.current_mode = 0, False, None
    trainer.hybrid_rollout_config = SimpleNamespace(enable_switch=False)
    trainer.prepare_step = dict
    trainer.reward_loop_manager = SimpleNamespace(reward_loop_worker_handles=[])
    events = step.events = []
    trainer.checkpoint_manager = SimpleNamespace(
        sleep_replicas=lambda: events.append("sleep"), abort_replicas=lambda: events.append("abort")
    )
    for name in ("save_model_to_cpu", "restore_model_from_cpu", "clear_cpu_model"):
        setattr(trainer.actor_rollout_wg, name, lambda number, name=name: events.append((name, number)))
    timing = {}
    trainer.on_step_begin()
    step.batch = trainer.step(step.metrics, timing)
    trainer._compute_metrics(step.batch, step.metrics, {"gen": 1.0, "step": 1.0}, trainer.global_steps, 0)
    return step


# Which trainer a mode is


@pytest.mark.parametrize(
    ("name", "mode", "verls"),
    [
        ("tapo_colocate_async", "colocate_async", PPOTrainerColocateAsync),
        ("tapo_separate_async", "separate_async", PPOTrainerSeparateAsync),
    ],
)
def test_each_mode_is_verls_own_trainer_with_the_overrides_of_the_synchronous_one(monkeypatch, name, mode, verls):
    trainer_class = TRAINER_REGISTRY[name]
    assert issubclass(trainer_class, verls)
    overrides = {name for name, value in vars(TapoOverrides).items() if inspect.isfunction(value)}
    assert overrides >= {"_balance_batch", "_compute_advantage", "_update_actor", "_compute_metrics"}
    assert all(getattr(trainer_class, override) is getattr(TapoTrainer, override) for override in overrides)
    seen = []
    monkeypatch.setattr(verls, "__init__", lambda self, config: seen.append(config.trainer.v1.trainer_mode))
    trainer_class(composed(*SMALL, "trainer.device=cuda", f"trainer.v1.trainer_mode={name}"))
    assert seen == [mode]


def test_the_workers_that_separate_async_puts_in_place_become_tapos(monkeypatch):
    def init(self):
        self.role_worker_mapping = {"actor": ray.remote(DetachActorWorker)}

    monkeypatch.setattr(PPOTrainerSeparateAsync, "_init_resource_pool_mgr", init)
    trainer = object.__new__(SEPARATE)
    trainer._init_resource_pool_mgr()
    (worker,) = trainer.role_worker_mapping.values()
    worker_class = worker.__ray_metadata__.modified_class.__ray_actor_class__
    assert worker_class is TapoDetachActorWorker and worker_class.actor_worker_cls is TapoTrainingWorker


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("sync", ReplayBuffer), ("colocate_async", ReplayBufferAsync), ("separate_async", ReplayBufferAsync)],
)
def test_the_cpus_replay_buffer_is_the_one_verl_would_choose(mode, expected):
    buffer = buffer_of(mode)
    assert type(buffer) is expected and buffer.poll_interval == POLL_INTERVAL_S


# One step


def test_colocate_async_trains_the_same_rows_with_the_same_terms_as_the_synchronous_trainer(monkeypatch):
    sync = whole_step(monkeypatch, TapoTrainer, finished(two_questions(), a=1, b=1))
    ours = whole_step(monkeypatch, COLOCATE, finished(two_questions(), a=1, b=1))
    for column in (rows.ADVANTAGES, rows.TOKEN_FACTOR, rows.OLD_LOG_PROBS):
        same(ours.column(column), sync.column(column))
    timed = ("timing", "perf/", "tapo/construction", "tapo/staleness", "global_seqlen")
    compared = {name for name in sync.metrics if not name.startswith(timed)}
    assert {"tapo/rows", "tapo/ots_weight/mean", "critic/score/mean", "actor/loss"} <= compared
    assert {name: ours.metrics[name] for name in compared} == {name: sync.metrics[name] for name in compared}
    assert not any(name.startswith("tapo/staleness") for name in sync.metrics)
    # verl's own order: requests are aborted before weights and cache go.
    assert (ours.events, sync.events) == (["abort", "sleep"], ["sleep"])
    (weights,), (expected,) = ours.loss_weights(monkeypatch), sync.loss_weights(monkeypatch)
    same(weights, expected)


def test_separate_async_trains_each_batch_of_a_step_with_one_optimizer_step_and_reports_them_together(monkeypatch):
    queue = finished(two_questions(), a=0, b=1)  # the older question is trained on first
    # The second question has constructions as well: one row of three tokens.
    queue.add("b_4_0", 3, 1.0, constructed=True)
    step = whole_step(monkeypatch, SEPARATE, queue, *TWO_BATCHES)
    first, second = step.trainer.actor_rollout_wg.trained
    assert {rows.uid_of_key(key) for key in first.keys} == {"a"}
    assert {rows.uid_of_key(key) for key in second.keys} == {"b"}
    plans = [UpdatePlan.from_plain(batch.extra_info[PLAN_KEY]) for batch in (first, second)]
    # Rollouts of a: 3 + 5 + 2 + 4 tokens and 4 + 4 + 3 of constructions, of b: 4 + 1 + 3 + 2 and 3.
    assert [(plan.rows, plan.num_mini_batch) for plan in plans] == [(7, 1), (5, 1)]
    assert [(p.sizes.original_tokens, p.sizes.reflection_tokens) for p in plans] == [(14, 11), (10, 3)]
    assert step.metrics["tapo/rows"] == 4 and step.metrics["tapo/extra_tokens"] == 14
    assert step.metrics["tapo/eligible_groups"] == 1
    # All old log-probabilities are those of the weights that the step began with.
    saved, restored, cleared = "save_model_to_cpu", "restore_model_from_cpu", "clear_cpu_model"
    assert step.events == [(saved, 0), (saved, 1), (restored, 0), (restored, 1), (cleared, 1)]
    # A group of one construction: r / (1 + 1e-6).
    assert step.column(rows.ADVANTAGES)["b_4_0"].tolist() == pytest.approx([1.0] * 3, abs=1e-5)


def test_staleness_is_counted_from_the_version_that_the_step_began_with(monkeypatch):
    queue = finished(two_questions(), a=4, b=4)
    # Weights 4 train in step 5. y⁻ by 2, 3 and 3; the syntheses by 3, by 3 and 4 (continued), by 4.
    for key, source, oldest, newest in [("a_4_0", 2, 3, 3), ("a_5_0", 3, 3, 4), ("a_6_0", 3, 4, 4)]:
        versions = {rows.SOURCE_VERSION_TAG: source, "min_global_steps": oldest, "max_global_steps": newest}
        queue.tags[key].update(versions)
    step = Step(monkeypatch, queue, trainer_class=COLOCATE)
    step.trainer.global_steps = 5
    for uid in "ab":
        queue.kv_clear([uid], "train")
    metrics = step.run().metrics
    assert {name: value for name, value in metrics.items() if name.startswith("tapo/staleness")} == {
        "tapo/staleness/source/mean": pytest.approx(4 / 3),
        "tapo/staleness/source/max": 2,
        "tapo/staleness/synthesis/mean": pytest.approx(2 / 3),
        "tapo/staleness/synthesis/max": 1,
        "tapo/staleness/several_versions_fraction": pytest.approx(1 / 3),
        "tapo/staleness/newer_than_source_fraction": 1,
    }


# Groups that are not trained on


def test_a_group_dropped_for_staleness_takes_its_constructions_with_it(monkeypatch):
    queue = finished(two_questions(), a=1, b=3)
    queue.install(monkeypatch)
    refilled = []

    def refill(count):
        refilled.append(count)
        queue.add("c_0_0", 2, 1.0)
        queue.add("c_1_0", 2, 0.0, constructed=True)
        queue.add_prompt("c", 4)

    buffer = buffer_of("colocate_async", max_off_policy_threshold=2, refill_fn=refill)
    # In step 4 question a, handed out in step 1, would span four versions.
    batch, metrics = buffer.sample(global_steps=4, partition_id="train", batch_size=2)
    assert metrics["training/off_policy/evicted_samples"] == 1 and refilled == [1]
    assert {rows.uid_of_key(key) for key in queue.tags} == {"b", "c"}
    assert {rows.uid_of_key(key) for key in batch.keys} == {"b", "c"}
    assert rows.reflected_keys(batch) == ["c_1_0"]


def test_constructed_rows_over_a_checkpoint_go_with_a_group_in_flight_and_stay_with_a_finished_one(monkeypatch):
    queue = two_questions()  # three constructed rows of a
    queue.add("b_4_0", 3, 1.0, constructed=True)
    queue.add_prompt("a", 2)
    queue.add_prompt("b", 2, status="running")  # stored, but its last construction was not
    queue.install(monkeypatch)
    trainer = object.__new__(COLOCATE)
    trainer.tapo, trainer.trainer_mode, trainer.global_steps = TapoConfig(), "colocate_async", 3
    dispatched = []
    trainer.agent_loop_manager = SimpleNamespace(generate_sequences=dispatched.append)
    assert trainer._reissue_inflight_prompts() == 1
    (batch,) = dispatched
    assert isinstance(batch, TensorDict) and list(batch["uid"]) == ["b"]
    assert sorted(key for key in queue.tags if key.startswith("b")) == ["b"]
    kept = [key for key in queue.tags if queue.tags[key].get(rows.UID_TAG)]
    assert kept == ["a_4_0", "a_5_0", "a_6_0"]
    assert all(queue.rows[key][rows.UID] == queue.tags[key][rows.UID_TAG] == "a_reflected" for key in kept)
    # The resumed run trains on them.
    batch, _ = buffer_of("colocate_async").sample(global_steps=3, partition_id="train", batch_size=1)
    assert rows.reflected_keys(batch) == kept
