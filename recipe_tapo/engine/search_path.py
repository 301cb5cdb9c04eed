"""Hydra's search path: ``+recipe=tapo`` is found from any directory, in an editable install and in a wheel."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from recipe_tapo.cpu.device import accelerator_present

PROVIDER = "recipe_tapo"


def config_source() -> str:
    """Where the recipes lie: in a checkout ``configs`` beside the package, in a wheel ``recipe_tapo.configs``."""
    checkout = Path(__file__).resolve().parent.parent.parent / "configs"
    return f"file://{checkout}" if (checkout / "recipe").is_dir() else "pkg://recipe_tapo.configs"


class TapoSearchPath(SearchPathPlugin):
    """Adds the recipes; the one called ``cpu`` is empty where there is an accelerator."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Appends, so that a user's own configurations of the same name come first."""
        source = config_source()
        separator = "/" if source.startswith("file://") else "."
        device = "accelerator" if accelerator_present() else "no_accelerator"
        search_path.append(provider=PROVIDER, path=source)
        search_path.append(provider=PROVIDER, path=f"{source}{separator}device{separator}{device}")


def register() -> None:
    """Makes the recipes known to Hydra in this process; a second call changes nothing.

    verl's commands need no call: the plug-in makes it where the command line names a recipe. A program that composes
    configurations itself (``hydra.compose``) calls it before ``hydra.initialize``.
    """
    Plugins.instance().register(TapoSearchPath)
