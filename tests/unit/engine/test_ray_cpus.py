"""What verl asks Ray for, counted before Ray starts."""

import inspect

import pytest
import ray
from doc_pages import ROOT
from hydra import compose, initialize_config_module
from hydra_runs import start
from recorded_scripts import recorded_arguments

from recipe_tapo.config import TapoConfigError
from recipe_tapo.engine import ray_cpus
from recipe_tapo.engine.ray_cpus import asked, check_cpus

UNITS = "transfer_queue.backend.SimpleStorage.num_data_storage_units"


def composed(*overrides):
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("ppo_trainer", overrides=["+recipe=tapo", *overrides])


def needed(*overrides):
    return sum(item.cpus for item in asked(composed(*overrides)))


def test_nothing_is_said_of_a_remote_cluster_however_it_is_named(monkeypatch):
    monkeypatch.setattr("ray._private.utils.get_num_cpus", lambda: 1)  # which is too few for anything
    check_cpus(composed("+ray_kwargs.ray_init.address=ray://head:10001"))
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")  # ray.init takes it where no address is given, or "auto"
    check_cpus(composed())
    check_cpus(composed("+ray_kwargs.ray_init.address=auto"))


@pytest.mark.parametrize(
    ("overrides", "cpus"),
    [
        # controller + storage units + 3 for each GPU
        ([], 1 + 8 + 8 * 3),
        (["trainer.n_gpus_per_node=1"], 1 + 8 + 3),
        (["trainer.n_gpus_per_node=1", f"{UNITS}=1"], 1 + 1 + 3),
        (["trainer.nnodes=2"], 1 + 8 + 2 * 8 * 3),
        # Agent-loop and reward workers hold no CPU.
        (["actor_rollout_ref.rollout.agent.num_workers=64", "reward.num_workers=64"], 1 + 8 + 8 * 3),
        (["reward.reward_manager.name=remote", "reward.num_workers=3"], 1 + 8 + 8 * 3 + 3 * 3),
        (
            [
                *("reward.reward_model.enable_resource_pool=true", "reward.reward_model.n_gpus_per_node=2"),
                "reward.reward_model.nnodes=1",
            ],
            1 + 8 + 8 * 3 + 2 * 3,
        ),
        (["transfer_queue.backend.storage_backend=MooncakeStore"], 1 + 8 * 3),
        # Rollout servers with 4 GPUs of their own: 2 bundles for each.
        (
            [
                *("trainer.v1.trainer_mode=tapo_separate_async", "actor_rollout_ref.rollout.nnodes=1"),
                "actor_rollout_ref.rollout.n_gpus_per_node=4",
            ],
            1 + 8 + 8 * 3 + 4 * 2,
        ),
    ],
)
def test_the_sum(overrides, cpus):
    assert needed(*overrides) == cpus


def cpus_held(actor_class):
    return actor_class._default_options.get("num_cpus")


def test_the_classes_ask_for_what_is_counted():
    from transfer_queue.controller import TransferQueueController
    from transfer_queue.storage.simple_storage import SimpleStorageUnit
    from verl.experimental.reward_loop.reward_manager.remote import RewardComputeWorker
    from verl.single_controller.ray.base import ResourcePoolManager
    from verl.trainer.main_ppo import TaskRunnerV1
    from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopWorkerTQ
    from verl.workers.rollout.replica import RolloutReplica

    assert cpus_held(TransferQueueController) == ray_cpus.PER_CONTROLLER
    assert cpus_held(SimpleStorageUnit) == ray_cpus.PER_STORAGE_UNIT
    assert cpus_held(RewardComputeWorker) == ray_cpus.PER_REWARD_PROCESS
    assert ResourcePoolManager.max_colocate_count == ray_cpus.PER_GPU
    standalone = inspect.getsource(RolloutReplica.init_standalone)
    assert f"max_colocate_count={ray_cpus.PER_STANDALONE_GPU}," in standalone
    assert cpus_held(TaskRunnerV1) is cpus_held(AgentLoopWorkerTQ) is None


@pytest.fixture
def no_cluster(monkeypatch):
    monkeypatch.setattr("ray._private.services.canonicalize_bootstrap_address", lambda address: None)
    monkeypatch.setattr("ray._private.utils.get_num_cpus", lambda: 11)


def test_too_few_cpus_end_the_run_with_the_sum_and_the_keys(no_cluster):
    check_cpus(composed("trainer.n_gpus_per_node=1", f"{UNITS}=7"))
    with pytest.raises(TapoConfigError) as error:
        check_cpus(composed("trainer.n_gpus_per_node=1"))
    message = str(error.value)
    assert "\n" not in message
    for part in (
        "ray_kwargs.ray_init.num_cpus=None: verl's processes ask Ray for 12 CPUs (1 for TransferQueue's controller, ",
        f"8 for its storage units ({UNITS}), 3 for the GPUs (trainer.n_gpus_per_node, trainer.nnodes)), ",
        "this machine has 11",
        "set it to 12 or more",
        f"or lower {UNITS}",
    ):
        assert part in message


def test_a_number_of_the_users_own_counts_instead_of_the_machines(no_cluster):
    check_cpus(composed("trainer.n_gpus_per_node=1", "ray_kwargs.ray_init.num_cpus=12"))
    with pytest.raises(TapoConfigError, match=r"num_cpus=11: .* ray_kwargs.ray_init.num_cpus has 11"):
        check_cpus(composed("trainer.n_gpus_per_node=1", "ray_kwargs.ray_init.num_cpus=11"))


def test_a_running_cluster_counts_where_ray_would_join_it():
    # Without worker processes, a cluster costs little.
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, configure_logging=False, address="local")
    try:
        address = ray.get_runtime_context().gcs_address
        config = composed("trainer.n_gpus_per_node=1", f"+ray_kwargs.ray_init.address='{address}'", f"{UNITS}=1")
        with pytest.raises(TapoConfigError, match=r"ask Ray for 5 CPUs .* the running Ray cluster has 4"):
            check_cpus(config)
    finally:
        ray.shutdown()


def test_the_check_ends_a_run_before_verls_main_function(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match=r"TAPO: ray_kwargs\.ray_init\.num_cpus=3: verl's processes ask Ray for 33"):
        start(monkeypatch, tmp_path, "+recipe=tapo", "ray_kwargs.ray_init.num_cpus=3")


@pytest.mark.parametrize("script", ["run_qwen3_8b_vllm.sh", "run_qwen3_8b_grpo.sh"])
def test_the_scripts_run_on_one_gpu_with_16_cores(script, tmp_path, monkeypatch, no_cluster):
    monkeypatch.setenv("N_GPUS", "1")
    monkeypatch.setattr("ray._private.utils.get_num_cpus", lambda: 16)
    overrides = recorded_arguments(ROOT / "examples" / script, tmp_path, "verl.trainer.main_ppo")
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("ppo_trainer", overrides=list(overrides))
    check_cpus(config)
    assert sum(item.cpus for item in asked(config)) == 1 + 2 + 3
    workers = config.actor_rollout_ref.rollout.agent.num_workers + config.reward.num_workers
    assert workers <= 8  # each a process that imports torch
