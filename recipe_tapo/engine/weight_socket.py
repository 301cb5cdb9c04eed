"""One weight-sync socket per Ray cluster: two runs on one machine must not meet (touches verl).

verl names the socket in ``/tmp`` by Ray's job id (verl's #6233, #6246), which is 01000000 in every cluster that a run
starts for itself. Runs that sync at the same moment then hang, or load each other's weights.
"""

import hashlib
import inspect
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt


def name_by_cluster(name: str, job_id: str, gcs_address: str) -> str:
    """The name with a digest of the cluster's address after the job id; verl's length limits leave room for it."""
    digest = hashlib.sha256(gcs_address.encode()).hexdigest()[:8]
    return name.replace(job_id, f"{job_id}-{digest}", 1)


def _in_this_cluster(name: str) -> str:
    import ray

    context = ray.get_runtime_context()
    return name_by_cluster(name, context.get_job_id(), context.gcs_address)


def wrap_sender(module: ModuleType) -> None:
    """The training worker, which binds the socket."""

    def init(wrapped: Callable, adapter: Any, args: tuple, kwargs: dict) -> None:
        wrapped(*args, **kwargs)
        adapter.zmq_handle = _in_this_cluster(adapter.zmq_handle)

    wrapt.wrap_function_wrapper(module, "ServerAdapter.__init__", init)


def wrap_receiver(module: ModuleType) -> None:
    """The vLLM server, whose engine process builds the name from the environment that it inherits."""
    original = module.vLLMHttpServer.__init__

    # A plain function: Ray runs what inspect.unwrap finds behind an actor's methods, so wrapt would be lost.
    def init(server: Any, *args: Any, **kwargs: Any) -> None:
        original(server, *args, **kwargs)
        os.environ["VERL_RAY_JOB_ID"] = _in_this_cluster(os.environ["VERL_RAY_JOB_ID"])

    init.__signature__ = inspect.signature(original)
    module.vLLMHttpServer.__init__ = init
