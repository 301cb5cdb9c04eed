"""Hydra search path: lets ``+recipe=tapo`` find its yaml from any directory, editable install or wheel."""

from pathlib import Path
from types import ModuleType

import wrapt
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.singleton import Singleton
from hydra.plugins.search_path_plugin import SearchPathPlugin

PROVIDER = "recipe_tapo"


def config_source() -> str:
    """Where the recipes lie: in a checkout ``configs`` beside the package, in a wheel ``recipe_tapo.configs``."""
    checkout = Path(__file__).resolve().parent.parent.parent / "configs"
    return f"file://{checkout}" if (checkout / "recipe").is_dir() else "pkg://recipe_tapo.configs"


def accelerator_present() -> bool:
    """Whether this machine has an accelerator that torch can use."""
    import torch

    return torch.cuda.is_available() or (hasattr(torch, "npu") and torch.npu.is_available())


class TapoSearchPath(SearchPathPlugin):
    """Adds the recipes; the one called ``cpu`` is empty where there is an accelerator."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        source = config_source()
        separator = "/" if source.startswith("file://") else "."
        device = "accelerator" if accelerator_present() else "no_accelerator"
        search_path.append(provider=PROVIDER, path=source)
        search_path.append(provider=PROVIDER, path=f"{source}{separator}device{separator}{device}")


def register(module: ModuleType) -> None:
    """Registers the plugin with Hydra's table, now if it exists, else when Hydra builds it.

    Building the table costs 0.3 s, which only processes that run Hydra should pay.
    """
    plugins = module.Plugins
    if plugins in Singleton._instances:
        plugins.instance().register(TapoSearchPath)
        return

    def initialize(wrapped, instance, args, kwargs):
        wrapped(*args, **kwargs)
        instance.register(TapoSearchPath)

    wrapt.wrap_function_wrapper(module, "Plugins._initialize", initialize)
