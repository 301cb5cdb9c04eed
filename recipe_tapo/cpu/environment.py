"""Environment variables of runs on a CPU; whatever the user has set stays."""

import os

PLATFORM = "cpu"

VLLM = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}
VERL = {
    "VERL_PLATFORM": PLATFORM,
    "VERL_ENGINE_DEVICE": "cuda",  # verl registers its FSDP engine for cuda and npu only
}


def set_defaults(*groups: dict[str, str]) -> None:
    """Sets the variables that are not set yet, for this process and those that it starts."""
    for group in groups:
        for name, value in group.items():
            os.environ.setdefault(name, value)


def is_active() -> bool:
    """Whether this process belongs to a run on the CPU platform (chosen by the recipe ``cpu``)."""
    return os.environ.get("VERL_PLATFORM", "").strip().lower() == PLATFORM
