"""What a process of a run has and a process of tests would lack."""

import logging

import pytest
from hypothesis import settings

from recipe_tapo.cpu.device import accelerator_present
from recipe_tapo.cpu.vllm_alias import answer_for_vllm
from recipe_tapo.engine.search_path import register

# The first example of a property may import and compile; how long that takes is no property of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def recipes():
    """Hydra finds the recipes (these tests compose configurations themselves); verl finds vLLM's CPU build."""
    register()
    if not accelerator_present():
        answer_for_vllm()


@pytest.fixture(autouse=True)
def own_loggers():
    """Each test finds the project's loggers at work: libraries that configure logging switch off those they meet."""
    for name, logger in logging.Logger.manager.loggerDict.items():
        if name.split(".")[0] == "recipe_tapo" and isinstance(logger, logging.Logger):
            logger.disabled, logger.propagate = False, True
