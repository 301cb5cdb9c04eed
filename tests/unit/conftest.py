"""What a process of a run has and a process of tests would lack."""

import pytest

from recipe_tapo.cpu.device import accelerator_present
from recipe_tapo.cpu.vllm_alias import answer_for_vllm
from recipe_tapo.engine.search_path import register


@pytest.fixture(scope="session", autouse=True)
def recipes():
    """Hydra finds the recipes (these tests compose configurations themselves); verl finds vLLM's CPU build."""
    register()
    if not accelerator_present():
        answer_for_vllm()
