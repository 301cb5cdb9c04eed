"""What a plug-in could have changed in this process."""

import contextlib
import os
import sys

FAMILIES = ("verl", "hydra", "omegaconf", "ray", "transfer_queue", "vllm", "importlib", "torch.distributed")


def described(value: object) -> str:
    """Type, name and place of a function or class: what a wrapper or a replacement would change."""
    code = getattr(value, "__code__", None)
    place = f"{code.co_filename}:{code.co_firstlineno}" if code else ""
    names = [getattr(value, name, None) for name in ("__module__", "__qualname__")]
    return f"{type(value).__module__}.{type(value).__qualname__} {names} {place}"


def callables() -> dict[str, str]:
    """Every function, class and method that a module of the families holds."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        if any(name == family or name.startswith(f"{family}.") for family in FAMILIES):
            for attribute, value in list(vars(module).items()):
                if callable(value):
                    with contextlib.suppress(Exception):  # objects that refuse to be looked at
                        found[f"{name}:{attribute}"] = described(value)
                        if isinstance(value, type):
                            members = vars(value).items()
                            found |= {f"{name}:{attribute}.{key}": described(member) for key, member in members}
    return found


def state() -> dict[str, object]:
    """The state of this process, to be compared with that of another one."""
    from hydra.core.plugins import Plugins
    from hydra.plugins.search_path_plugin import SearchPathPlugin
    from verl.plugin.platform.platform_manager import PlatformRegistry, get_platform
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY
    from verl.trainer.ppo.v1.trainer_base import TRAINER_REGISTRY

    return {
        "estimators": sorted(ADV_ESTIMATOR_REGISTRY),
        "losses": sorted(POLICY_LOSS_REGISTRY),
        "trainers": sorted(TRAINER_REGISTRY),
        "platforms": sorted(PlatformRegistry.registered_names()),
        "platform": described(type(get_platform())),
        "search_paths": sorted(map(described, Plugins.instance().discover(SearchPathPlugin))),
        "meta_path": [described(finder if isinstance(finder, type) else type(finder)) for finder in sys.meta_path],
        "environment": {name: value for name, value in os.environ.items() if "PLUGINS" not in name},
        "callables": callables(),
        "modules": sorted(sys.modules),
    }
