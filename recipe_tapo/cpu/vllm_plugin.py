"""vLLM's plug-in for the CPU: weight sync must find linear weights where it left them."""


def keep_linear_weights() -> None:
    """Stops vLLM from packing linear weights into oneDNN or AMX handles, which weight sync could not update.

    vLLM calls this in each of its processes (entry-point group ``vllm.general_plugins``); it changes nothing where the
    recipe ``cpu`` is not in use.
    """
