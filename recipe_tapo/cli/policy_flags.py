"""The flags that choose a preview's policy, and what follows from them."""

import argparse
from dataclasses import asdict
from typing import Any

from recipe_tapo.cli.sampling_flags import add_model, add_sampling, model_settings, sampling_of
from recipe_tapo.preview.policy import PreviewPolicy


def add_policy(parser: argparse.ArgumentParser, n: bool = True) -> None:
    """Adds the flags that choose model and engine, and those that say how responses are drawn.

    Args:
        parser: Where to.
        n: Whether there is a number of rollouts per question.
    """
    model = add_model(parser)
    model.add_argument(
        "--tokenizer", metavar="PATH", help="with --base_url: Hugging Face folder or name (default: --model)"
    )
    add_sampling(parser, n)


def policy_settings(args: argparse.Namespace, policy: PreviewPolicy) -> dict[str, Any]:
    """What results depend on.

    Args:
        args: The flags.
        policy: The policy, started: what the model or the server says of its context, to which requests are cut.
    """
    context = {"max_model_len": policy.max_model_len}
    return {**model_settings(args), **context, "tokenizer": args.tokenizer, **asdict(sampling_of(args))}


def make_policy(args: argparse.Namespace) -> PreviewPolicy:
    """The policy, not started."""
    if args.base_url:
        from recipe_tapo.preview.server_policy import ServerPolicy

        return ServerPolicy(
            args.base_url,
            args.model,
            args.tokenizer or args.model,
            sampling_of(args),
            max_model_len=args.max_model_len,
            concurrency=args.concurrency,
            timeout=args.timeout,
            retries=args.retries,
        )
    from recipe_tapo.preview.vllm_policy import VllmPolicy

    return VllmPolicy(
        args.model,
        sampling_of(args),
        args.max_model_len,
        dtype=args.dtype,
        tensor_parallel_size=args.tensor_parallel_size,
        data_parallel_size=args.data_parallel_size,
        gpu_memory_utilization=args.gpu_memory_utilization,
    )
