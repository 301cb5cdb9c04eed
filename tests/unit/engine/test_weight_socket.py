"""The weight-sync socket's name on both sides, with verl's way of building it and Ray's of running an actor."""

import os
from types import ModuleType, SimpleNamespace

import pytest
import ray

from recipe_tapo.engine.weight_socket import name_by_cluster, wrap_receiver, wrap_sender

JOB = "01000000"


@pytest.fixture
def sender_and_receiver(monkeypatch):
    """The socket's name on both sides, as verl builds it, in a cluster at an address."""
    monkeypatch.setenv("VERL_RAY_JOB_ID", "")

    class ServerAdapter:
        def __init__(self, replica_rank):
            self.zmq_handle = f"ipc:///tmp/rl-colocate-zmq-{JOB}-replica-{replica_rank}-rank-0.sock"

    class HttpServer:
        def __init__(self):
            os.environ["VERL_RAY_JOB_ID"] = JOB

    module = ModuleType("verl_stub")
    module.ServerAdapter, module.vLLMHttpServer = ServerAdapter, HttpServer
    wrap_sender(module)
    wrap_receiver(module)
    server_class = ray.remote(module.vLLMHttpServer).__ray_metadata__.modified_class

    def names(gcs_address):
        context = SimpleNamespace(get_job_id=lambda: JOB, gcs_address=gcs_address)
        monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
        server_class()
        receiver = f"ipc:///tmp/rl-colocate-zmq-{os.environ['VERL_RAY_JOB_ID']}-replica-3-rank-0.sock"
        return module.ServerAdapter(replica_rank=3).zmq_handle, receiver

    return names


def test_both_sides_of_a_cluster_meet(sender_and_receiver):
    sender, receiver = sender_and_receiver("10.0.0.1:6379")
    assert sender == receiver


def test_two_clusters_on_one_machine_do_not(sender_and_receiver):
    assert sender_and_receiver("10.0.0.1:6379") != sender_and_receiver("10.0.0.1:52341")


def test_name_keeps_within_the_length_of_a_unix_socket():
    name = name_by_cluster(f"/tmp/rl-colocate-zmq-{JOB}-replica-1023-rank-7.sock", JOB, "[2001:db8::1]:6379")
    assert name.startswith(f"/tmp/rl-colocate-zmq-{JOB}-") and name.endswith("-replica-1023-rank-7.sock")
    assert len(name) < 108
