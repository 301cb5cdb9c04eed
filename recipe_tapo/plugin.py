"""Entry point ``verl.plugins: tapo``, loaded by every process that imports verl; so it imports next to nothing.

Each registration waits until the module that it extends is imported.
"""

import logging
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

import wrapt

logger = logging.getLogger("recipe_tapo")


def _when_imported(module_name: str, purpose: str, action: Callable[[ModuleType], None]) -> None:
    """Runs ``action(module)`` once the module has been imported; a failure is logged, verl goes on."""

    def hook(module: ModuleType) -> None:
        try:
            action(module)
        except Exception as error:
            try:
                verl_version = version("verl")
            except PackageNotFoundError:
                verl_version = "unknown"
            logger.exception(
                "TAPO could not set up %s with verl %s: %s: %s. Run `tapo check`.",
                purpose,
                verl_version,
                type(error).__name__,
                error,
            )

    wrapt.register_post_import_hook(hook, module_name)


def _add_search_path(module: ModuleType) -> None:
    from recipe_tapo.engine.search_path import register

    register(module)


def _register_algorithms(_: ModuleType) -> None:
    import recipe_tapo.engine.registry  # noqa: F401


def _register_trainer(module: ModuleType) -> None:
    import recipe_tapo.engine.trainer  # noqa: F401


def _check_config_early(module: ModuleType) -> None:
    """Lets verl's own validation, which runs before Ray starts, end in one line on a bad ``tapo:`` node."""

    def checked(wrapped: Callable, _, args: tuple, kwargs: dict) -> None:
        from hydra.core.hydra_config import HydraConfig

        from recipe_tapo.config import TapoConfigError
        from recipe_tapo.engine.arms import check_arm_order
        from recipe_tapo.engine.verl_config import check_config

        config = kwargs["config"] if "config" in kwargs else args[0]
        if "tapo" in config:
            try:
                if HydraConfig.initialized():
                    check_arm_order(HydraConfig.get().overrides.task)
                check_config(config)
            except TapoConfigError as error:
                sys.exit(f"TAPO: {error}")
        return wrapped(*args, **kwargs)

    wrapt.wrap_function_wrapper(module, "validate_config", checked)


def _offer_cpu_platform(_: ModuleType) -> None:
    from recipe_tapo.cpu.platform import register

    register()


def _use_gloo_alone(module: ModuleType) -> None:
    from recipe_tapo.cpu.platform import wrap_process_group

    wrap_process_group(module)


def _name_weight_sender(module: ModuleType) -> None:
    from recipe_tapo.cpu.weight_socket import wrap_sender

    wrap_sender(module)


def _name_weight_receiver(module: ModuleType) -> None:
    from recipe_tapo.cpu.weight_socket import wrap_receiver

    wrap_receiver(module)


def _keep_linear_weights(module: ModuleType) -> None:
    from recipe_tapo.cpu.platform import keep_linear_weights

    keep_linear_weights(module)


_when_imported("hydra.core.plugins", "+recipe=tapo", _add_search_path)
_when_imported("verl.trainer.ppo.core_algos", "the advantage estimator and the policy loss", _register_algorithms)
_when_imported("verl.trainer.ppo.v1", "the trainer", _register_trainer)
_when_imported("verl.utils.config", "the configuration check", _check_config_early)
_when_imported("verl.plugin.platform.platform_manager", "the CPU platform", _offer_cpu_platform)
_when_imported("verl.utils.distributed", "the CPU's process group", _use_gloo_alone)
_when_imported("verl.workers.rollout.vllm_rollout.vllm_rollout", "its weight-sync socket", _name_weight_sender)
_when_imported("verl.workers.rollout.vllm_rollout.vllm_async_server", "its weight-sync socket", _name_weight_receiver)
_when_imported("vllm.model_executor.layers.utils", "weight sync into vLLM on the CPU", _keep_linear_weights)
