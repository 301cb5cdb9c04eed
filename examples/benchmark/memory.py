"""How much memory a call needs beside what is there already (Linux)."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


def peak_extra_bytes(call: Callable[[], object]) -> int | None:
    """Peak resident memory during a call, above that before it; its result counts. None where Linux cannot tell."""
    try:
        gc.collect()
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        _CLEAR.write_text(_RESET_PEAK)
        before = _kilobytes("VmRSS")
        result = call()
        peak = _kilobytes("VmHWM")
    except OSError:
        return None
    del result
    return (peak - before) * 1024


def _kilobytes(field: str) -> int:
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(fields[field].removesuffix("kB"))
