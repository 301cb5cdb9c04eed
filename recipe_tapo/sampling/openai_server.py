"""What every client of an OpenAI-compatible server shares."""

import os
from typing import Any
from urllib.parse import urlsplit

import openai

from recipe_tapo.errors import InputError

FATAL = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)
"""Errors that say that no request can succeed, not that this one did not."""


def client_options(url: str, timeout: float, retries: int) -> dict[str, Any]:
    """Arguments of the library's clients.

    Args:
        url: Address up to and including ``/v1``.
        timeout: Seconds for one request.
        retries: Further tries of a request that fails, with growing pauses.

    Raises:
        InputError: The address is none.
    """
    try:
        urlsplit(url).port  # noqa: B018 (a port that is none is noticed here)
    except ValueError as error:
        raise InputError(f"{url}: is no address ({error}); one is like http://localhost:8000/v1") from error
    return {
        "base_url": url,
        # Local servers ask for none, the library insists on one.
        "api_key": os.environ.get("OPENAI_API_KEY") or "none",
        "timeout": timeout,
        "max_retries": retries,
    }
