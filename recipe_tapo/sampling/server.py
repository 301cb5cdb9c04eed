"""Sampling from a running OpenAI-compatible server, such as ``vllm serve``."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import openai
from tqdm import tqdm

from recipe_tapo.errors import InputError
from recipe_tapo.sampling.kept import KeptAnswers, key_of
from recipe_tapo.sampling.requests import Request, Response, Sampling, one_line

# These say that no request can succeed, not that this one did not.
_FATAL = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)


class ServerSampler:
    """A chat completions server, which applies its own copy of the chat template.

    Args:
        base_url: Address up to and including ``/v1``.
        model: Name under which the server knows the model.
        chat_template_kwargs: For the chat template, as in training.
        concurrency: Requests under way at a time.
        timeout: Seconds for one request.
        retries: Further tries of a request that fails; with growing pauses.
        kept: Where to keep answers until the journal holds them; None for nowhere.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        chat_template_kwargs: Mapping[str, Any],
        concurrency: int,
        timeout: float,
        retries: int,
        kept: KeptAnswers | None = None,
    ) -> None:
        self._client = openai.OpenAI(
            base_url=base_url,
            # Local servers ask for none, the library insists on one.
            api_key=os.environ.get("OPENAI_API_KEY", "none"),
            timeout=timeout,
            max_retries=retries,
        )
        self._base_url = base_url
        self._model = model
        self._template = {"chat_template_kwargs": dict(chat_template_kwargs)} if chat_template_kwargs else {}
        self._concurrency = concurrency
        self._kept = kept

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Response]:
        """See ``Sampler``."""
        if self._kept is not None:
            self._kept.keep_only(self._key(request, sampling) for request in requests)
        threads = ThreadPoolExecutor(max_workers=self._concurrency)
        try:
            answers = threads.map(lambda request: self._ask_once(request, sampling), requests)
            return list(tqdm(answers, total=len(requests), position=1, leave=False, disable=None))
        finally:
            threads.shutdown(cancel_futures=True)

    def _ask_once(self, request: Request, sampling: Sampling) -> Response:
        if self._kept is None:
            return self._ask(request, sampling)
        key = self._key(request, sampling)
        answer = self._kept.get(key)
        if answer is None:
            answer = self._ask(request, sampling)
            if answer.failure is None:
                self._kept.add(key, answer)
        return answer

    def _key(self, request: Request, sampling: Sampling) -> str:
        return key_of(self._model, self._template, asdict(sampling), request.seed, request.messages)

    def _ask(self, request: Request, sampling: Sampling) -> Response:
        try:
            answer = self._client.chat.completions.create(
                model=self._model,
                messages=request.messages,
                seed=request.seed,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                # Said explicitly, for vLLM's server otherwise takes it from the model's generation_config.
                extra_body={"top_k": sampling.top_k, "repetition_penalty": 1.0, **self._template},
            )
        except (openai.APITimeoutError, ValueError) as error:
            # A ValueError is an answer that is no json.
            return Response(failure=one_line(error))
        except _FATAL as error:
            raise InputError(f"{self._base_url}: {one_line(error)}") from error
        except openai.APIConnectionError as error:
            # One request that the server breaks over must not stop all others for ever.
            if self._is_up():
                return Response(failure=one_line(error))
            raise InputError(f"{self._base_url}: {one_line(error)}; is the server running?") from error
        except openai.OpenAIError as error:
            return Response(failure=one_line(error))
        return _read(answer)

    def _is_up(self) -> bool:
        try:
            self._client.models.list()
        except openai.APIStatusError:
            return True
        except (openai.OpenAIError, ValueError):
            return False
        return True


def _read(answer: Any) -> Response:
    try:
        choice, usage = answer.choices[0], answer.usage
        return Response(
            # UTF-8 files have no lone surrogates.
            text=(choice.message.content or "").encode("utf-8", "replace").decode("utf-8"),
            finish_reason=choice.finish_reason,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            tokens=usage.completion_tokens if usage else 0,
        )
    # The library hands on whatever a server sends.
    except (AttributeError, IndexError, TypeError):
        return Response(failure="the server's answer is no chat completion")
