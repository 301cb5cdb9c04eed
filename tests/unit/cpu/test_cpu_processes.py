"""What the CPU recipe does in its driver, in verl's processes and in vLLM's; each process starts afresh."""

from importlib.metadata import PackageNotFoundError, version

import pytest
from fresh_processes import Fresh, run_fresh

CPU = {"VERL_PLATFORM": "cpu"}

DRIVER = """
import json, os
from hydra._internal.callbacks import Callbacks
from omegaconf import OmegaConf
import verl
callback = {"_target_": "recipe_tapo.cpu.callback.UseCpu"}
Callbacks(OmegaConf.create({"hydra": {"callbacks": {"cpu": callback}}})).on_job_start(config=None, task_function=None)
from verl.plugin.platform import get_platform
print(json.dumps([dict(os.environ), get_platform().device_name]))
"""
GROUP = """
import json, torch
from importlib.metadata import PackageNotFoundError, version
from verl.utils.distributed import initialize_global_process_group_ray
initialize_global_process_group_ray(timeout_second=60)
try:
    vllm = version("vllm")
except PackageNotFoundError:
    vllm = None
print(json.dumps([torch.distributed.get_backend(), vllm]))
"""
LAYER = """
import json, torch
from vllm.plugins import load_general_plugins
load_general_plugins()
from recipe_tapo.cpu.vllm_plugin import keep_linear_weights
keep_linear_weights()
from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm
layer = torch.nn.Linear(4, 3)
weight = layer.weight.detach().clone()
dispatch_cpu_unquantized_gemm(layer, remove_weight=True)
x = torch.randn(2, 4)
before = torch.equal(layer.cpu_linear(x, layer.weight, layer.bias), layer(x))
layer.weight.data.copy_(2 * weight)  # what weight sync does
after = torch.equal(layer.cpu_linear(x, layer.weight, layer.bias), x @ (2 * weight).T + layer.bias)
print(json.dumps([before, after]))
"""


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    group = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
    own = {"OMP_NUM_THREADS": "3", "VLLM_PLUGINS": "mine"}
    cases = {
        "driver": Fresh(DRIVER, own),
        "group": Fresh(GROUP, {**CPU, **group, "DIST_INIT_METHOD": f"file://{folder}/group"}),
        "layer": Fresh(LAYER, CPU),
    }
    return run_fresh(folder, cases)


def test_the_driver_chooses_the_cpu_and_keeps_what_the_user_has_set(processes):
    environment, platform = processes["driver"].printed
    assert platform == "cpu"
    assert (environment["VERL_PLATFORM"], environment["VLLM_CPU_KVCACHE_SPACE"]) == ("cpu", "1")
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["VLLM_PLUGINS"] == "mine,recipe_tapo_cpu"


def test_verls_process_group_runs_on_gloo_alone(processes):
    assert processes["group"].printed[0] == "gloo"


def test_without_a_vllm_distribution_its_cpu_build_answers(processes):
    try:
        cpu_build = version("vllm-cpu")
    except PackageNotFoundError:
        pytest.skip("vLLM's CPU build is not installed")
    assert processes["group"].printed[1] == f"{cpu_build}+cpu"


def test_vllms_linear_layers_follow_their_weights(processes):
    assert processes["layer"].printed == [True, True]
