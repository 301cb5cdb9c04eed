"""What the installed package does in processes that ask for nothing, for TAPO or for the CPU; each starts afresh."""

from importlib.metadata import entry_points

import pytest
from fresh_processes import Fresh, run_fresh

from recipe_tapo.cpu.vllm_plugin import ENTRY_POINT
from recipe_tapo.engine.contract import SYMBOLS
from recipe_tapo.engine.hooks import HOOKS
from recipe_tapo.engine.names import TRAINER_MODES

ROLLOUT = "verl.workers.rollout.vllm_rollout"
# Everything that TAPO patches or registers with, and vLLM's own plug-ins.
LOOK = f"""
import json, logging, sys
logging.disable(logging.WARNING)
sys.path.append({{site!r}})
import verl, verl.trainer.ppo.v1, verl.utils.config, verl.utils.distributed
import {ROLLOUT}.vllm_rollout, {ROLLOUT}.vllm_async_server, verl.workers.engine.fsdp.transformer_impl
import vllm.model_executor.layers.utils, vllm.plugins
vllm.plugins.load_general_plugins()
from process_state import state
print(json.dumps(state()))
"""
TAPO = {"RECIPE_TAPO": "1"}
CPU = {"VERL_PLATFORM": "cpu"}
FIRST_IMPORT = """
import json, importlib
importlib.import_module({module!r})
from verl.plugin.platform.platform_manager import PlatformRegistry
from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY
from verl.trainer.ppo.v1.trainer_base import TRAINER_REGISTRY
registries = PlatformRegistry.registered_names(), ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY, TRAINER_REGISTRY
print(json.dumps([[name for name in names if "tapo" in name or name == "cpu"] for names in registries]))
"""
ESTIMATORS = ["tapo", "tapo_joint", "tapo_anchored"]


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    # A distribution called vllm, without which verl's rollout can be imported in CPU processes only.
    site = folder / "site"
    metadata = site / "vllm-0.28.0+cpu.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.28.0+cpu\n")
    others = {point.name for point in entry_points(group="vllm.general_plugins")} - {ENTRY_POINT}
    look = LOOK.format(site=str(site))
    cases = {
        "without": Fresh(look, {"VERL_USE_EXTERNAL_PLUGINS": "none", "VLLM_PLUGINS": ",".join(others)}),
        "installed": Fresh(look, arguments=["data.train_files=recipe/arm=.parquet", "trainer.logger=[file]"]),
        "asking": Fresh(look, TAPO | CPU, ["+recipe=[tapo,cpu]"]),
        "entry point": Fresh("""
            import json, sys
            before = set(sys.modules)
            import recipe_tapo.plugin
            print(json.dumps(sorted(set(sys.modules) - before - set(sys.stdlib_module_names))))
        """),
        "broken": Fresh(
            """
            import json, sys
            sys.modules["recipe_tapo.engine.trainer"] = None
            from verl.trainer.ppo.v1.trainer_base import TRAINER_REGISTRY
            print(json.dumps(sorted(TRAINER_REGISTRY)))
            """,
            TAPO,
        ),
    }
    for module in ("engine.registry", "engine.trainer", "cpu.platform"):
        for name, environment in (("plain", {}), ("asking", TAPO | CPU)):
            cases[f"{module} {name}"] = Fresh(FIRST_IMPORT.format(module=f"recipe_tapo.{module}"), environment)
    return run_fresh(folder, cases)


def differences(one, other):
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def test_installing_the_package_changes_nothing_in_a_process_that_does_not_ask_for_it(processes):
    without, installed = processes["without"].printed, processes["installed"].printed
    assert len(without["callables"]) > 50_000
    assert set(installed["modules"]) - set(without["modules"]) == {
        *("recipe_tapo", "recipe_tapo.plugin"),
        # vLLM's plug-in, which vLLM itself loads in all its processes
        *("recipe_tapo.cpu", "recipe_tapo.cpu.environment", "recipe_tapo.cpu.vllm_plugin"),
    }
    changed = differences(without["callables"], installed["callables"])
    assert changed <= {"verl:_entry_points"}  # verl's own name for the function by which it finds plug-ins
    for what in without.keys() - {"modules", "callables"}:
        assert installed[what] == without[what], what


def test_a_process_that_asks_has_what_the_list_of_hooks_says_and_nothing_else(processes):
    installed, asking = processes["installed"].printed, processes["asking"].printed
    patched = {
        f"{ROLLOUT}.vllm_rollout:ServerAdapter.__init__",
        f"{ROLLOUT}.vllm_async_server:vLLMHttpServer.__init__",
        "torch.distributed:init_process_group",
        "verl.workers.engine.fsdp.transformer_impl:CPUOffloadPolicy",
        "vllm.model_executor.layers.utils:dispatch_cpu_unquantized_gemm",
    }
    assert patched <= {hook.symbol.path for hook in HOOKS}
    re_exported = {f"{ROLLOUT}:ServerAdapter.__init__"}
    changed = differences(installed["callables"], asking["callables"]) - {"verl:_entry_points"}
    # A class that a function takes the place of has lost its members too.
    of_replaced = {name for name in changed if name.startswith("verl.workers.engine.fsdp.transformer_impl:CPUOffload")}
    assert changed - of_replaced | patched == patched | re_exported and patched <= changed

    def added(what):
        return [name for name in asking[what] if name not in installed[what]]

    assert sorted(ESTIMATORS) == sorted(added("estimators"))
    assert (added("losses"), added("platforms")) == (["tapo"], ["cpu"])
    assert sorted(added("trainers")) == sorted(TRAINER_MODES)
    assert len(added("search_paths")) == 1 and "TapoSearchPath" in added("search_paths")[0]
    finders = added("meta_path")
    assert len(finders) == 2 and "wrapt.importer" in finders[0] and "VllmCpuAlias" in finders[1]
    assert differences(installed["environment"], asking["environment"]) == {"RECIPE_TAPO", "VERL_PLATFORM"}


def test_the_entry_point_imports_the_standard_library_only(processes):
    assert processes["entry point"].printed == ["recipe_tapo", "recipe_tapo.plugin"]


@pytest.mark.parametrize("process", ["plain", "asking"])
@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("engine.registry", ([], ESTIMATORS, ["tapo"], [])),
        ("engine.trainer", ([], ESTIMATORS, ["tapo"], sorted(TRAINER_MODES))),
        ("cpu.platform", (["cpu"], [], [], [])),
    ],
)
def test_a_module_imported_before_anything_of_verl_registers_all_of_its_own(processes, module, expected, process):
    everything = (["cpu"], ESTIMATORS, ["tapo"], sorted(TRAINER_MODES))
    found = processes[f"{module} {process}"].printed
    assert [sorted(names) for names in found] == [
        sorted(names) for names in (everything if process == "asking" else expected)
    ]


def test_a_registration_that_fails_is_logged_loudly_with_verls_version_and_harms_nothing(processes):
    broken = processes["broken"]
    assert "sync" in broken.printed and "tapo" not in broken.printed
    message = "TAPO could not set up the trainer with verl 0.9.1: ModuleNotFoundError: "
    assert message in broken.errors and "Run `tapo check`." in broken.errors


def test_every_hook_is_under_contract_and_names_its_place():
    from pathlib import Path

    import recipe_tapo

    package = Path(recipe_tapo.__file__).parent
    for hook in HOOKS:
        assert hook.symbol in SYMBOLS or hook.symbol.module in ("os", "sys")
        assert all((package / place).is_file() for place in hook.code.split(", ")), hook.code
