"""Hydra callback of the recipes ``cpu`` and ``cpu_sft``: chooses the CPU before verl's main function runs."""

import os
import sys
import traceback
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from recipe_tapo.cpu import environment
from recipe_tapo.cpu.vllm_plugin import ENTRY_POINT


class UseCpu(Callback):
    """Sets what Ray's and vLLM's processes inherit, and the platform of this process."""

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        """Called by Hydra in the driver.

        Raises:
            SystemExit: The CPU cannot be used. Hydra would turn any other exception into a warning.
        """
        try:
            self._use_cpu()
        except Exception:
            traceback.print_exc()
            sys.exit("TAPO: the CPU platform could not be set up; see above")

    @staticmethod
    def _use_cpu() -> None:
        from verl.plugin.platform.platform_manager import set_platform

        from recipe_tapo.cpu.installation import install
        from recipe_tapo.cpu.platform import CpuPlatform

        environment.set_defaults(environment.VERL, environment.VLLM)
        if "VLLM_PLUGINS" in os.environ:  # then vLLM loads the plug-ins named there and no others
            os.environ["VLLM_PLUGINS"] += f",{ENTRY_POINT}"
        install()
        set_platform(CpuPlatform())
