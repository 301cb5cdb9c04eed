"""Sampling from a running OpenAI-compatible server, such as ``vllm serve``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tqdm import tqdm

from recipe_tapo.sampling.chat import ChatClient, RequestFailed, ask_all
from recipe_tapo.sampling.requests import Request, Response, Sampling


class ServerSampler:
    """A chat completions server, which applies its own copy of the chat template.

    Args:
        client: Asks the model.
        chat_template_kwargs: For the chat template, as in training.
        concurrency: Requests under way at a time.
    """

    one_by_one = True

    def __init__(self, client: ChatClient, chat_template_kwargs: Mapping[str, Any], concurrency: int) -> None:
        self._client = client
        self._template = {"chat_template_kwargs": dict(chat_template_kwargs)} if chat_template_kwargs else {}
        self._concurrency = concurrency

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[list[tuple[int, Response]]]:
        """See ``Sampler``."""
        with tqdm(total=len(requests), position=1, leave=False, disable=None) as progress:
            for answers in ask_all(
                lambda number: self._ask(requests[number], sampling), range(len(requests)), self._concurrency
            ):
                progress.update(len(answers))
                yield [
                    (number, Response(failure=str(answer)) if isinstance(answer, RequestFailed) else answer)
                    for number, answer in answers
                ]

    def _ask(self, request: Request, sampling: Sampling) -> Response:
        answer = self._client.ask(
            request.messages,
            {
                "seed": request.seed,
                **asdict(sampling),
                # Said explicitly, for vLLM's server otherwise takes them from the model's generation_config.
                "repetition_penalty": 1.0,
                "min_p": 0.0,
                **self._template,
            },
        )
        return Response(answer.text, answer.finish_reason, answer.prompt_tokens, answer.tokens)
