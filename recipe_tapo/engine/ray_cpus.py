"""The CPUs that verl's processes ask Ray for, counted before Ray starts.

With fewer, verl waits at its start for ever and says nothing (verl issues 7656 and 7398). What is counted: processes
that hold a CPU for as long as they live, and the bundles of the placement groups. All others (the task runner,
agent-loop and reward workers, inference servers) are Ray actors without a number, which hold none and start anyway.
"""

import os
from dataclasses import dataclass
from typing import cast

from omegaconf import DictConfig, OmegaConf

from recipe_tapo.config import refuse
from recipe_tapo.engine.names import SEPARATE_ASYNC

# As the classes are declared in verl 0.9.1 and TransferQueue 0.1.11; a test compares.
PER_CONTROLLER = PER_STORAGE_UNIT = PER_REWARD_PROCESS = 1
PER_GPU = 3  # verl's ResourcePoolManager.max_colocate_count: a bundle for each GPU of a pool
PER_STANDALONE_GPU = 2  # the same for rollout servers with GPUs of their own

_UNITS = "transfer_queue.backend.SimpleStorage.num_data_storage_units"


@dataclass(frozen=True)
class Asked:
    """CPUs for one purpose.

    Attributes:
        cpus: How many.
        purpose: What for, with the key that decides it, where there is one.
    """

    cpus: int
    purpose: str


def asked(config: DictConfig) -> list[Asked]:
    """What a run of verl's trainers asks Ray for, purpose by purpose."""
    items = [Asked(PER_CONTROLLER, "TransferQueue's controller")]
    if OmegaConf.select(config, "transfer_queue.backend.storage_backend") == "SimpleStorage":
        items.append(Asked(PER_STORAGE_UNIT * OmegaConf.select(config, _UNITS), f"its storage units ({_UNITS})"))
    items.append(Asked(PER_GPU * _gpus(config, "trainer"), "the GPUs (trainer.n_gpus_per_node, trainer.nnodes)"))
    if OmegaConf.select(config, "trainer.v1.trainer_mode") == SEPARATE_ASYNC:
        rollout = "actor_rollout_ref.rollout"
        gpus = _gpus(config, rollout)
        items.append(Asked(PER_STANDALONE_GPU * gpus, f"the rollout's GPUs ({rollout}.n_gpus_per_node, .nnodes)"))
    reward_model = "reward.reward_model"
    if OmegaConf.select(config, f"{reward_model}.enable_resource_pool"):
        items.append(Asked(PER_GPU * _gpus(config, reward_model), f"the reward model's GPUs ({reward_model}.*)"))
    if OmegaConf.select(config, "distillation.enabled"):
        items.append(Asked(PER_GPU * _gpus(config, "distillation"), "the teacher's GPUs (distillation.*)"))
    if OmegaConf.select(config, "reward.reward_manager.name") == "remote":
        workers = config.reward.num_workers
        items.append(Asked(PER_REWARD_PROCESS * workers**2, "remote reward processes (reward.num_workers, squared)"))
    return items


def check_cpus(config: DictConfig) -> None:
    """Compares what verl asks for with what Ray has, or will have.

    Raises:
        TapoConfigError: It has too few; the line says for what they are, and what to set.
    """
    items = asked(config)
    needed = sum(item.cpus for item in items)
    given = OmegaConf.select(config, "ray_kwargs.ray_init.num_cpus")
    available, owner = _available(config) if given is None else (given, "ray_kwargs.ray_init.num_cpus")
    if needed <= available:
        return
    parts = ", ".join(f"{item.cpus} for {item.purpose}" for item in items)
    remedy = f"set it to {needed} or more: Ray only counts, it reserves no cores"
    if owner == "the running Ray cluster":
        remedy = f"start the cluster with {needed} or more (ray start --num-cpus={needed}): Ray only counts"
    raise refuse(
        "ray_kwargs.ray_init.num_cpus",
        given,
        f"verl's processes ask Ray for {needed} CPUs ({parts}), {owner} has {available:g}, and verl would wait for "
        "ever without a word",
        f"{remedy}; or lower {_UNITS}, of which TransferQueue recommends 2 for each node",
    )


def _gpus(config: DictConfig, node: str) -> int:
    return OmegaConf.select(config, f"{node}.n_gpus_per_node") * OmegaConf.select(config, f"{node}.nnodes")


def _available(config: DictConfig) -> tuple[float, str]:
    """The CPUs of the cluster that ``ray.init`` would join, else of this machine as Ray counts them."""
    from ray._private.services import canonicalize_bootstrap_address
    from ray._private.utils import get_num_cpus

    address = OmegaConf.select(config, "ray_kwargs.ray_init.address")
    if address in (None, "auto"):  # as ray.init reads it
        address = os.environ.get("RAY_ADDRESS") or address
    if address is not None and "://" in str(address):
        return float("inf"), "a remote Ray cluster"  # nothing is known of it before it is joined
    cluster = canonicalize_bootstrap_address(cast(str, address))  # for None, the one that Ray finds
    if cluster is None:
        return get_num_cpus(), "this machine"
    return _cpus_of(cluster), "the running Ray cluster"


def _cpus_of(address: str) -> float:
    from ray._private.internal_api import get_state_from_address

    state = get_state_from_address(address)
    try:
        return state.cluster_resources().get("CPU", 0.0)
    finally:
        state.disconnect()
