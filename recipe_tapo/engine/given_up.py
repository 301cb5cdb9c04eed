"""A request that nobody waits for any more ends on the server too."""

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import ray
from verl.workers.rollout.llm_server import LLMServerClient


@asynccontextmanager
async def ending_with_its_caller(client: LLMServerClient) -> AsyncIterator[LLMServerClient]:
    """Yields a client; where what it is asked is cancelled, by a time-out for instance, so is the server's task.

    Cancelling what waits for a Ray task leaves the task running: the server would go on generating up to
    ``max_tokens``. ``ray.cancel`` cancels the server's coroutine, at which vLLM aborts the request. verl's own
    ``abort_request`` cannot be used: it looks the request up by the id it was given, which vLLM extends by a suffix,
    and the client draws that id anew.

    Args:
        client: The agent-loop worker's client.
    """
    tasks: list[ray.ObjectRef] = []
    noting = copy.copy(client)

    async def acquire(request_id: str, **fields: Any) -> tuple[str, Any]:
        server_id, server = await type(client)._acquire_server(noting, request_id, **fields)

        def remote(**arguments: Any) -> ray.ObjectRef:
            tasks.append(server.generate.remote(**arguments))
            return tasks[-1]

        return server_id, SimpleNamespace(generate=SimpleNamespace(remote=remote))

    noting._acquire_server = acquire
    try:
        yield noting
    except asyncio.CancelledError:
        for task in tasks:
            ray.cancel(task)
        raise
