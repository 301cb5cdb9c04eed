"""A judge model behind an OpenAI-compatible endpoint."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import openai

from recipe_tapo.errors import InputError
from recipe_tapo.reflection.prompt import RESPONSE_FORMATS, fill_judge_prompt
from recipe_tapo.reflection.verdict import Case, Malformed, Outcome, parse_verdict
from recipe_tapo.sampling.requests import one_line

# These say that no request can succeed, not that this one did not.
_FATAL = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)


class RequestFailed(Exception):
    """One request got no answer; asking again may help."""


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
        self._client = openai.OpenAI(
            base_url=settings.url,
            # Local servers ask for none, the library insists on one.
            api_key=os.environ.get("OPENAI_API_KEY", "none"),
            timeout=settings.timeout,
            max_retries=settings.retries,
        )

    @property
    def identity(self) -> str:
        """All that a verdict depends on besides the case."""
        settings = self._settings
        parts = [settings.prompt, settings.response_format, settings.temperature, settings.max_tokens, settings.options]
        return f"{settings.model} {hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]}"

    def judge(self, case: Case) -> Outcome:
        """Returns the outcome for a case.

        Raises:
            RequestFailed: This request failed.
            InputError: The endpoint does not work at all.
        """
        settings = self._settings
        limit = {"max_tokens": settings.max_tokens} if settings.max_tokens else {}
        # Half a surrogate pair, which a response may hold, cannot be sent.
        prompt = fill_judge_prompt(settings.prompt, case).encode("utf-8", "replace").decode()
        try:
            answer = self._client.chat.completions.create(
                model=settings.model,
                messages=[{"role": "user", "content": prompt}],
                temperature=settings.temperature,
                extra_body=dict(settings.options),
                **limit,
                **RESPONSE_FORMATS[settings.response_format],
            )
        except openai.APITimeoutError as error:
            raise RequestFailed(one_line(error)) from error
        except (openai.APIConnectionError, *_FATAL) as error:
            raise InputError(f"judge {settings.model} at {settings.url}: {one_line(error)}") from error
        # What is no json, or json of another shape, comes out of the library as whatever it stumbled upon.
        except Exception as error:
            raise RequestFailed(one_line(error)) from error
        return _outcome(answer)


def _outcome(answer: Any) -> Outcome:
    choices = getattr(answer, "choices", None)
    if not choices or choices[0].message is None:
        raise RequestFailed("the server answered without a choice; is the address right, with /v1 at its end?")
    choice = choices[0]
    refusal = getattr(choice.message, "refusal", None)
    text = choice.message.content or ""
    if refusal or choice.finish_reason == "content_filter":
        return Outcome(malformed=Malformed.REFUSED, output=refusal or text)
    if choice.finish_reason == "length":
        return Outcome(malformed=Malformed.CUT_SHORT, output=text)
    return parse_verdict(text)
