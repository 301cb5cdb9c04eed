"""Entry point ``verl.plugins: tapo``, loaded at the end of ``import verl`` by every process that imports verl.

It acts in three kinds of process and does nothing in all others, where it costs the import of this module:

- a driver whose command line may name a recipe: Hydra learns where the recipes are;
- a process of a TAPO run, told so by the variable that the recipe ``tapo`` puts in Ray's runtime environment;
- a process of a CPU run, told so by verl's own variable for the platform.

``recipe_tapo.engine.hooks`` lists everything that is done, with the reasons.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType

RUN_VARIABLE = "RECIPE_TAPO"

# `+recipe=tapo`, `+arm=wo_ots` and the like, or a configuration of the user's own, whose defaults may name a recipe.
_NAMES_A_RECIPE = re.compile(r"\+{0,2}(recipe|arm)(@[^=]*)?=|(--config-[npd]\w*|-c[npd])(=|$)")
_VLLM_ROLLOUT = "verl.workers.rollout.vllm_rollout"

logger = logging.getLogger("recipe_tapo")


def set_up(arguments: Iterable[str], environment: Mapping[str, str]) -> None:
    """Does what the process asks for.

    Args:
        arguments: Its command line.
        environment: Its environment variables.
    """
    is_tapo = environment.get(RUN_VARIABLE, "") not in ("", "0")
    is_cpu = environment.get("VERL_PLATFORM", "").strip().lower() == "cpu"
    if any(map(_NAMES_A_RECIPE.match, arguments)):
        _attempt("+recipe=tapo", _add_search_path)
    if is_cpu:
        _attempt("the CPU platform", _use_cpu)
        _when_imported("verl.workers.engine.fsdp.transformer_impl", "its offloading", _offload_without_pinning)
    if is_tapo:
        _when_imported("verl.trainer.ppo.v1", "the trainer", _register_trainer)
    if is_tapo or is_cpu:
        _when_imported(f"{_VLLM_ROLLOUT}.vllm_rollout", "its weight-sync socket", _name_weight_sender)
        _when_imported(f"{_VLLM_ROLLOUT}.vllm_async_server", "its weight-sync socket", _name_weight_receiver)


def _attempt(purpose: str, action: Callable[[], None]) -> None:
    """Logs a failure where a user sees it; verl reports those of a plug-in at the level DEBUG only."""
    try:
        action()
    except Exception as error:
        from importlib.metadata import version

        message = "TAPO could not set up %s with verl %s: %s: %s. Run `tapo check`."
        logger.exception(message, purpose, version("verl"), type(error).__name__, error)


def _when_imported(name: str, purpose: str, action: Callable[[ModuleType], None]) -> None:
    """Acts on a module once verl itself imports it, which takes seconds; at once if it has been imported."""
    import wrapt

    wrapt.register_post_import_hook(lambda module: _attempt(purpose, lambda: action(module)), name)


# Modules that register something when they are imported are imported here and not looked into: a process that imports
# one of them first loads verl, and so this plug-in, from the middle of that import.


def _add_search_path() -> None:
    from recipe_tapo.engine.search_path import register

    register()


def _use_cpu() -> None:
    from recipe_tapo.cpu.installation import install

    install()


def _offload_without_pinning(module: ModuleType) -> None:
    from recipe_tapo.cpu.offload import do_not_pin

    do_not_pin(module)


def _register_trainer(_: ModuleType) -> None:
    import recipe_tapo.engine.trainer  # noqa: F401


def _name_weight_sender(module: ModuleType) -> None:
    from recipe_tapo.engine.weight_socket import wrap_sender

    wrap_sender(module)


def _name_weight_receiver(module: ModuleType) -> None:
    from recipe_tapo.engine.weight_socket import wrap_receiver

    wrap_receiver(module)


set_up(sys.argv[1:], os.environ)
