"""Flags of the commands that sample, and what follows from them."""

import argparse
import hashlib
from pathlib import Path
from typing import Any

from recipe_tapo.cli.flag_types import above_zero, json_object, natural, positive, share, temperature
from recipe_tapo.sampling.requests import Sampler, Sampling

# The architecture lies in the first bytes of a weights file, the values at its end.
_TAIL_BYTES = 65536
_MODEL_FILES = ("*.safetensors", "*.bin", "*.json", "*.jinja", "*.txt")


def add_model(parser: argparse.ArgumentParser, required: bool = True) -> argparse._ArgumentGroup:
    """Adds the flags that choose model and engine.

    Args:
        parser: Where to.
        required: Whether the command cannot do without a model.

    Returns:
        The group about the model itself.
    """
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model", required=required, metavar="PATH", help="Hugging Face folder or name; with --base_url its name there"
    )
    model.add_argument(
        "--chat_template_kwargs",
        type=json_object,
        default={},
        metavar="JSON",
        help="arguments of the chat template, the same as in training, for instance '{\"enable_thinking\": false}' "
        "(default: %(default)s)",
    )
    offline = parser.add_argument_group("vLLM in this process (without --base_url)")
    offline.add_argument(
        "--dtype",
        default="auto",
        help="of the weights; auto is the model's own on a GPU and float32 on a CPU, where bfloat16 is faster only if "
        "the CPU can compute in it (default: %(default)s)",
    )
    offline.add_argument(
        "--max_model_len", type=positive, metavar="TOKENS", help="longest prompt and response (default: the model's)"
    )
    offline.add_argument(
        "--tensor_parallel_size", type=positive, default=1, metavar="N", help="accelerators per replica of the model"
    )
    offline.add_argument("--data_parallel_size", type=positive, default=1, metavar="N", help="replicas of the model")
    offline.add_argument("--gpu_memory_utilization", type=share, default=0.9, metavar="SHARE", help="(default: 0.9)")
    server = parser.add_argument_group("OpenAI-compatible server")
    server.add_argument(
        "--base_url", metavar="URL", help="ask this server, for instance http://localhost:8000/v1 (key: OPENAI_API_KEY)"
    )
    server.add_argument("--concurrency", type=positive, default=256, metavar="N", help="requests at a time")
    server.add_argument("--timeout", type=above_zero, default=1800.0, metavar="SECONDS", help="per request")
    server.add_argument("--retries", type=natural, default=4, metavar="N", help="further tries of a failing request")
    return model


def add_sampling(parser: argparse.ArgumentParser, n: bool = True) -> argparse._ArgumentGroup:
    """Adds the flags that say how responses are drawn.

    Args:
        parser: Where to.
        n: Whether there is one number of responses per query.

    Returns:
        Their group.
    """
    group = parser.add_argument_group("sampling; to go on with an interrupted run, leave these as they were")
    if n:
        group.add_argument(
            "--n", type=positive, default=8, metavar="N", help="responses per query (default: %(default)s)"
        )
    group.add_argument("--temperature", type=temperature, default=1.0, help="0 is greedy (default: %(default)s)")
    group.add_argument("--top_p", type=share, default=1.0, help="(default: %(default)s)")
    group.add_argument("--top_k", type=_rank, default=-1, help="-1 for all tokens (default: %(default)s)")
    group.add_argument(
        "--max_tokens", type=positive, default=8192, metavar="N", help="longest response (default: %(default)s)"
    )
    group.add_argument("--seed", type=int, default=0, help="seed of the run (default: %(default)s)")
    group.add_argument(
        "--chunk",
        type=positive,
        default=2048,
        metavar="N",
        help="responses sampled together, and then stored; at most so many are lost by an interruption "
        "(default: %(default)s)",
    )
    return group


def add_retry_failed(group: argparse._ArgumentGroup) -> None:
    """Adds ``--retry_failed``, for commands that keep failures as results."""
    group.add_argument(
        "--retry_failed",
        action="store_true",
        help="send the requests again that failed in an earlier run of this command; otherwise they stay failed",
    )


def print_failed(failed: int, consequence: str) -> None:
    """Says how many requests failed, if any did.

    Args:
        failed: Their number.
        consequence: What follows for them.
    """
    if failed:
        print(f"{failed} requests failed and {consequence}; --retry_failed sends them again")


def sampling_of(args: argparse.Namespace) -> Sampling:
    """The rollouts' sampling settings."""
    return Sampling(args.temperature, args.top_p, args.top_k, args.max_tokens)


def model_settings(args: argparse.Namespace) -> dict[str, Any]:
    """What identifies the model and how it is asked; responses of another one must not be mixed in."""
    folder = Path(args.model)
    return {
        # A folder has one name, however it is written.
        "model": str(folder.resolve()) if folder.is_dir() else args.model,
        "weights": _fingerprint(folder),
        "engine": "server" if args.base_url else "offline",
        "dtype": None if args.base_url else args.dtype,
        "max_model_len": None if args.base_url else args.max_model_len,
        "chat_template_kwargs": args.chat_template_kwargs,
    }


def make_sampler(args: argparse.Namespace) -> Sampler:
    """Starts the engine.

    Args:
        args: The command line.

    Raises:
        InputError: It does not start.
    """
    if args.base_url:
        from recipe_tapo.sampling.chat import ChatClient
        from recipe_tapo.sampling.server import ServerSampler

        client = ChatClient(args.base_url, args.model, args.timeout, args.retries)
        return ServerSampler(client, args.chat_template_kwargs, args.concurrency)
    engine = {
        "dtype": args.dtype,
        "tensor_parallel_size": args.tensor_parallel_size,
        "gpu_memory_utilization": args.gpu_memory_utilization,
    }
    if args.data_parallel_size > 1:
        from recipe_tapo.sampling.data_parallel import DataParallelSampler

        return DataParallelSampler(
            args.model,
            args.chat_template_kwargs,
            args.max_model_len,
            data_parallel_size=args.data_parallel_size,
            **engine,
        )
    from recipe_tapo.sampling.offline import OfflineSampler

    return OfflineSampler(args.model, args.chat_template_kwargs, args.max_model_len, **engine)


def _rank(text: str) -> int:
    value = int(text)
    if value != -1 and value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no rank; use -1 (off) or 1 and up")
    return value


def _fingerprint(folder: Path) -> str | None:
    """Tells checkpoints apart that were written to one folder after each other; None where there is no folder."""
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _MODEL_FILES for path in folder.glob(pattern)}):
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            digest.update(f"{path.name}\0{size}\0".encode() + file.read())
    return digest.hexdigest()[:16]
