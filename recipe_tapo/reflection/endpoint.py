"""A judge model behind an OpenAI-compatible endpoint."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recipe_tapo.records.digest import short_digest
from recipe_tapo.reflection.prompt import RESPONSE_FORMATS, fill_judge_prompt
from recipe_tapo.reflection.verdict import Case, Malformed, Outcome, parse_verdict
from recipe_tapo.sampling.chat import Answer, ChatClient


@dataclass(frozen=True)
class EndpointSettings:
    """Which judge, and how it is asked.

    Attributes:
        url: Address up to and including ``/v1``.
        model: Name under which the server knows the judge.
        prompt: The judge prompt, with its placeholders.
        response_format: One of ``RESPONSE_FORMATS``.
        temperature: Of the judge.
        max_tokens: Longest output; 0 leaves it to the server.
        options: Further fields of the request body.
        timeout: Seconds for one request.
        retries: Further tries of a request that fails, with growing pauses.
    """

    url: str
    model: str
    prompt: str
    response_format: str = "json_schema"
    temperature: float = 0.0
    max_tokens: int = 4096
    options: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 600.0
    retries: int = 4


class EndpointJudge:
    """Asks a judge model about one case at a time; safe to call from several threads."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self._client = ChatClient(settings.url, settings.model, settings.timeout, settings.retries)

    @property
    def identity(self) -> str:
        """All that a verdict depends on besides the case."""
        settings = self._settings
        parts = [settings.prompt, settings.response_format, settings.temperature, settings.max_tokens, settings.options]
        return f"{settings.model} {short_digest(json.dumps(parts, sort_keys=True))}"

    def judge(self, case: Case) -> Outcome:
        """Returns the outcome for a case.

        Raises:
            RequestFailed: This request failed.
            InputError: The endpoint does not work at all.
        """
        settings = self._settings
        chat = [{"role": "user", "content": fill_judge_prompt(settings.prompt, case)}]
        limit = {"max_tokens": settings.max_tokens} if settings.max_tokens else {}
        fields = {"temperature": settings.temperature, **limit, **RESPONSE_FORMATS[settings.response_format]}
        return _to_outcome(self._client.ask(chat, {**fields, **settings.options}))


def _to_outcome(answer: Answer) -> Outcome:
    if answer.message.refusal or answer.finish_reason == "content_filter":
        return Outcome(malformed=Malformed.REFUSED, output=answer.message.refusal or answer.text)
    if answer.finish_reason == "length":
        return Outcome(malformed=Malformed.CUT_SHORT, output=answer.text)
    return parse_verdict(answer.text)
