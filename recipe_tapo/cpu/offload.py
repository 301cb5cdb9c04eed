"""verl pins the memory that a reference policy's weights lie in, which torch refuses without an accelerator."""

from types import ModuleType

from torch.distributed.fsdp import CPUOffloadPolicy


def do_not_pin(module: ModuleType) -> None:
    """Makes verl's FSDP engine offload into plain memory; verl asks for pinned memory and offers no setting."""
    vars(module)["CPUOffloadPolicy"] = _unpinned


def _unpinned(pin_memory: bool = True) -> CPUOffloadPolicy:
    return CPUOffloadPolicy(pin_memory=False)
