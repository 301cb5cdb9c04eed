"""The client of an OpenAI-compatible server of chat completions, such as ``vllm serve``."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import openai
from pydantic import AliasPath, BaseModel, Field

from recipe_tapo.errors import InputError
from recipe_tapo.sampling.openai_server import FATAL, client_options
from recipe_tapo.sampling.requests import one_line

Item = TypeVar("Item")
Result = TypeVar("Result")


class RequestFailed(Exception):
    """One request got no answer; asking again may help."""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class Answer(BaseModel):
    """What is read of a server's answer: its first choice.

    Attributes:
        message: The model's words, or its refusal.
        finish_reason: ``stop``, or ``length`` at the token limit, for instance.
        prompt_tokens: Length of the chat; 0 where the server does not count.
        tokens: Length of the answer; likewise.
    """

    message: _Message = Field(validation_alias=AliasPath("choices", 0, "message"))
    finish_reason: str | None = Field(default=None, validation_alias=AliasPath("choices", 0, "finish_reason"))
    prompt_tokens: int = Field(default=0, validation_alias=AliasPath("usage", "prompt_tokens"))
    tokens: int = Field(default=0, validation_alias=AliasPath("usage", "completion_tokens"))

    @property
    def text(self) -> str:
        """What the model says; half a surrogate pair, which UTF-8 cannot hold, becomes a question mark."""
        return _encodable(self.message.content or "")


class ChatClient:
    """Asks one model of a server; for use by many threads.

    Args:
        url: Address up to and including ``/v1``.
        model: Name under which the server knows the model.
        timeout: Seconds for one request.
        retries: Further tries of a request that fails, with growing pauses.
    """

    def __init__(self, url: str, model: str, timeout: float, retries: int) -> None:
        self._url = url
        self._model = model
        self._client = openai.OpenAI(**client_options(url, timeout, retries))

    def ask(self, messages: Iterable[dict[str, str]], fields: Mapping[str, Any]) -> Answer:
        """Returns the answer to one chat.

        Args:
            messages: The chat, without the answer.
            fields: Further fields of the request.

        Raises:
            RequestFailed: This request failed.
            InputError: The server is down, or refuses every request.
        """
        # Half a surrogate pair cannot be sent.
        chat = [{name: _encodable(text) for name, text in message.items()} for message in messages]
        body = {"model": self._model, "messages": chat, **fields}
        try:
            # The library's own method for chats hands on whatever a server sends as if it were a completion.
            return Answer.model_validate(self._client.post("/chat/completions", body=body, cast_to=object))
        except (ValueError, RecursionError) as error:
            raise RequestFailed(
                f"the server's answer is no chat completion ({one_line(error)}); does its address end with /v1?"
            ) from error
        except FATAL as error:
            raise InputError(f"{self._url}: {one_line(error)}") from error
        except openai.OpenAIError as error:
            connected = isinstance(error, openai.APITimeoutError) or not isinstance(error, openai.APIConnectionError)
            # One request that the server breaks over must not stop all others for ever.
            if connected or self._is_up():
                raise RequestFailed(one_line(error)) from error
            raise InputError(f"{self._url}: {one_line(error)}; is the server running?") from error

    def _is_up(self) -> bool:
        try:
            self._client.models.list()
        except openai.APIStatusError:
            return True
        except (openai.OpenAIError, ValueError):
            return False
        return True


def ask_all(
    ask: Callable[[Item], Result], items: Iterable[Item], concurrency: int
) -> Iterator[list[tuple[Item, Result | RequestFailed]]]:
    """Yields items with their answers as they come, those together that came while the caller was busy.

    Args:
        ask: Asks about one item, in a thread of its own; may raise ``RequestFailed``.
        items: What to ask about.
        concurrency: How many are asked about at a time.

    Raises:
        InputError: The first one that ``ask`` raised. Nothing is asked any more then, but what was under way is waited
            for, and yielded, before.
    """
    waiting = deque(items)
    done: SimpleQueue[tuple[Item, Result | BaseException] | None] = SimpleQueue()

    def work() -> None:
        while True:
            try:
                item = waiting.popleft()
            except IndexError:
                break
            try:
                done.put((item, ask(item)))
            except BaseException as error:
                done.put((item, error))
        done.put(None)

    # Not a pool's threads: a process that is interrupted would wait for these, and so for the slowest answer.
    threads = [Thread(target=work, daemon=True) for _ in range(min(concurrency, len(waiting)))]
    for thread in threads:
        thread.start()
    working, fatal = len(threads), None
    try:
        while working:
            ready = [done.get()] + [done.get() for _ in range(done.qsize())]
            working -= ready.count(None)
            answers: list[tuple[Item, Result | RequestFailed]] = []
            for item, answer in filter(None, ready):
                if isinstance(answer, InputError):
                    fatal = fatal or answer
                    waiting.clear()
                elif isinstance(answer, BaseException) and not isinstance(answer, RequestFailed):
                    raise answer
                else:
                    answers.append((item, answer))
            if answers:
                yield answers
    finally:
        waiting.clear()
    if fatal:
        raise fatal


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
