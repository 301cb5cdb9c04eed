"""Runs code in processes that have imported nothing of verl, vLLM or TAPO, whatever the test's own process has.

Libraries that take long to import are imported once, before the processes are forked.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import dedent

LIBRARIES = (
    *("torch.distributed.tensor", "torch._dynamo", "transformers", "tensordict", "torchdata", "peft", "datasets"),
    *("ray", "hydra", "pandas", "networkx", "aiohttp", "fastapi", "uvicorn"),
)
AT_ONCE = 2
TIMEOUT_S = 1800  # on a busy machine


@dataclass(frozen=True)
class Fresh:
    """Code that prints JSON, with the environment variables and the command line of its process."""

    code: str
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """What the code printed, and what went to standard error and to the log."""

    printed: object
    errors: str


def run_fresh(folder: Path, cases: Mapping[str, Fresh]) -> dict[str, Outcome]:
    """Runs every case in a process of its own, two at a time, with files in the folder."""
    (folder / "cases.json").write_text(json.dumps({name: asdict(case) for name, case in cases.items()}))
    command = [sys.executable, "-W", "ignore", __file__, str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert result.returncode == 0, result.stderr[-3000:]
    outcomes = {}
    for name in cases:
        printed, errors = ((folder / f"{name}.{stream}").read_text() for stream in ("out", "err"))
        assert printed, f"{name}: {errors[-3000:]}"
        outcomes[name] = Outcome(json.loads(printed.splitlines()[-1]), errors)
    return outcomes


def _run(folder: Path, name: str, case: dict) -> None:
    for descriptor, stream in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / f"{name}.{stream}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), descriptor)
    os.environ.update(case["environment"])
    sys.argv = ["program", *case["arguments"]]
    try:
        exec(compile(dedent(case["code"]), name, "exec"), {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    for library in LIBRARIES:
        __import__(library)
    directory = Path(sys.argv[1])
    running = 0
    for name, case in json.loads((directory / "cases.json").read_text()).items():
        if running == AT_ONCE:
            os.wait()
            running -= 1
        if not os.fork():
            _run(directory, name, case)
        running += 1
    for _ in range(running):
        os.wait()
