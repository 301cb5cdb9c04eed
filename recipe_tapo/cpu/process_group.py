"""verl names the process group's backend ``cpu:gloo,<device>:<backend>``, which torch refuses for the CPU itself."""

import functools

import torch.distributed

_TWICE = "cpu:gloo,cpu:gloo"


def use_gloo_alone() -> None:
    """Makes that one name mean ``gloo`` in this process; a second call changes nothing."""
    original = torch.distributed.init_process_group
    if getattr(original, "__module__", None) == __name__:
        return

    @functools.wraps(original, assigned=("__doc__",))
    def init_process_group(backend: str | None = None, *args, **kwargs) -> None:
        original("gloo" if backend == _TWICE else backend, *args, **kwargs)

    torch.distributed.init_process_group = init_process_group
