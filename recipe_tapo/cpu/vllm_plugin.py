"""vLLM's plug-in for the CPU: weight sync must find linear weights where it left them."""

from recipe_tapo.cpu import environment

ENTRY_POINT = "recipe_tapo_cpu"  # in the group vllm.general_plugins


def keep_linear_weights() -> None:
    """Stops vLLM from packing linear weights into oneDNN or AMX handles, which weight sync could not update.

    vLLM calls this in each of its processes and imports the function that is replaced at each call. Nothing happens
    where the recipe ``cpu`` is not in use.
    """
    if not environment.is_active():
        return
    from vllm.model_executor.layers import utils

    utils.dispatch_cpu_unquantized_gemm = _use_the_weight_itself


def _use_the_weight_itself(layer, remove_weight: bool) -> None:
    import torch

    layer.cpu_linear = torch.nn.functional.linear
