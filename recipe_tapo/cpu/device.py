"""Whether there is an accelerator, and what stands for its torch module where there is none."""

import os
from types import ModuleType


def accelerator_present() -> bool:
    """Whether this machine has an accelerator that torch can use."""
    import torch  # takes seconds, which commands that ask for no device must not pay

    npu = getattr(torch, "npu", None)
    return torch.cuda.is_available() or (npu is not None and npu.is_available())


def device_module() -> ModuleType:
    """``torch.cpu`` with the memory and identity calls that verl makes of a device."""
    import torch

    module = ModuleType("recipe_tapo.cpu_device", "torch.cpu, completed")
    names = {name: getattr(torch.cpu, name) for name in torch.cpu.__all__}
    for name in ("max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved"):
        names[name] = lambda *_, **__: 0
    for name in ("empty_cache", "ipc_collect", "reset_peak_memory_stats", "reset_max_memory_allocated"):
        names[name] = lambda *_, **__: None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    names["mem_get_info"] = lambda *_: (memory, memory)
    names["get_device_name"] = lambda *_: "cpu"
    names["manual_seed"] = names["manual_seed_all"] = torch.manual_seed
    names["get_rng_state"] = lambda *_: torch.get_rng_state()
    names["set_rng_state"] = lambda state, *_: torch.set_rng_state(state)
    names["set_device"] = lambda *_: None
    module.__dict__.update(names)
    return module
