"""Hydra callback of the recipe ``cpu``: chooses the CPU before verl's main function runs."""

import os
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

ENVIRONMENT = {
    "VERL_PLATFORM": "cpu",
    "VERL_ENGINE_DEVICE": "cuda",  # verl registers its FSDP engine for cuda and npu only
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}


class UseCpu(Callback):
    """Sets what Ray's and vLLM's processes inherit; a variable that is set already stays."""

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        from verl.plugin.platform.platform_manager import set_platform

        from recipe_tapo.cpu.platform import CpuPlatform

        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        set_platform(CpuPlatform())
