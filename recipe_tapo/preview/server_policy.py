"""A preview's policy on a running vLLM server, by its OpenAI-compatible completions."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import openai

from recipe_tapo.algorithm.tokens import stop_ids
from recipe_tapo.errors import InputError
from recipe_tapo.preview.policy import TOP, Likelihood, read_likelihood, read_odds
from recipe_tapo.sampling.openai_server import FATAL, client_options
from recipe_tapo.sampling.requests import Sampling, one_line

logger = logging.getLogger(__name__)

# vLLM writes -9999 for a token that a request does not allow: json has no infinity.
_FORBIDDEN = -9000.0


class ServerPolicy:
    """``vllm serve``, asked with token ids; see ``PreviewPolicy``.

    Args:
        url: Address up to and including ``/v1``.
        model: Name under which the server knows the model.
        tokenizer: Hugging Face folder or name of its tokenizer.
        sampling: How rollouts are drawn.
        max_model_len: Longest prompt and answer together; None to ask the server.
        concurrency: Requests under way at a time.
        timeout: Seconds for one request.
        retries: Further tries of a request that fails.
    """

    def __init__(
        self,
        url: str,
        model: str,
        tokenizer: str,
        sampling: Sampling,
        *,
        max_model_len: int | None,
        concurrency: int,
        timeout: float,
        retries: int,
    ):
        self.url, self.model, self.sampling = url, model, sampling
        self._tokenizer, self._max_model_len = tokenizer, max_model_len
        self._concurrency, self._timeout, self._retries = concurrency, timeout, retries
        self._mode_known = False

    async def start(self) -> None:
        """Reads the tokenizer and asks the server for its context.

        Raises:
            InputError: The server is down or does not know the model, or there is no such tokenizer.
        """
        from transformers import AutoTokenizer, GenerationConfig

        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(self._tokenizer)
        except (OSError, ValueError) as error:
            raise InputError(f"--tokenizer {self._tokenizer}: {one_line(error)}") from error
        try:
            ends = GenerationConfig.from_pretrained(self._tokenizer).eos_token_id
        except OSError:
            ends = None
        self.stop_ids = stop_ids(self.tokenizer, ends)
        self._places = asyncio.Semaphore(self._concurrency)
        self._client = openai.AsyncOpenAI(**client_options(self.url, self._timeout, self._retries))
        self.max_model_len: int = self._max_model_len or await self._ask_context()

    def close(self) -> None:
        """Nothing is held: the server goes on."""

    async def generate(self, prompt_ids: list[int], sampling: Sampling, seed: int | None = None) -> list[int]:
        """See ``PreviewPolicy``."""
        choice = await self._complete(
            prompt_ids,
            {
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": sampling.top_k,
                "max_tokens": min(sampling.max_tokens, self.max_model_len - len(prompt_ids)),
                "return_token_ids": True,
                **({} if seed is None else {"seed": seed}),
            },
        )
        ids = choice.get("token_ids")
        if not isinstance(ids, list):
            raise InputError(f"{self.url}: the server returns no token ids; a preview needs vLLM 0.12 or later")
        return ids

    async def choose(self, prompt_ids: list[int], choices: list[str], max_tokens: int) -> str:
        """See ``PreviewPolicy``."""
        fields = {
            "temperature": 0.0,
            "max_tokens": max_tokens,
            "structured_outputs": {"choice": choices},
        }
        return str((await self._complete(prompt_ids, fields))["text"]).strip()

    async def odds(self, prompt_ids: list[int], token: int, other: int) -> float:
        """See ``PreviewPolicy``."""
        fields = {
            "temperature": 1.0,
            "max_tokens": 1,
            "top_p": 1.0,
            "top_k": -1,
            "allowed_token_ids": [token, other],
            "logprobs": TOP,
            "return_tokens_as_token_ids": True,
        }
        choice = await self._complete(prompt_ids, fields)
        try:
            (named,) = choice["logprobs"]["top_logprobs"]
            known = {int(name.removeprefix("token_id:")): log_prob for name, log_prob in named.items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{self.url}: the server returns no log-probabilities of tokens by their ids") from error
        self._look_at_mode(known, {token, other})
        return read_odds(known, token, other)

    async def likelihood(self, token_ids: list[int], top: int = TOP) -> Likelihood:
        """See ``PreviewPolicy``."""
        choice = await self._complete(token_ids, {"temperature": 0.0, "max_tokens": 1, "prompt_logprobs": top})
        entries = choice.get("prompt_logprobs")
        if not isinstance(entries, list):
            raise InputError(f"{self.url}: the server returns no log-probabilities of prompts; a preview needs vLLM's")
        return read_likelihood(
            token_ids, [{int(id_): entry["logprob"] for id_, entry in known.items()} for known in entries[1:]]
        )

    def _look_at_mode(self, known: Mapping[int, float], allowed: set[int]) -> None:
        """Warns once where a server tells the log-probabilities of tokens that were not allowed."""
        if self._mode_known:
            return
        self._mode_known = True
        if any(log_prob > _FORBIDDEN for id_, log_prob in known.items() if id_ not in allowed):
            logger.warning(
                "%s: tells log-probabilities among all tokens, and training reads them among the two allowed ones; an "
                "answer outside the %d likeliest counts as the least of them. Start the server with "
                "--logprobs-mode processed_logprobs",
                self.url,
                TOP,
            )

    async def _complete(self, prompt_ids: list[int], fields: Mapping[str, Any]) -> dict[str, Any]:
        # Said explicitly, for the server otherwise takes them from the model's generation_config: a judge's digits, for
        # instance, stand in the numbered steps and would be penalised.
        body = {"model": self.model, "prompt": prompt_ids, "repetition_penalty": 1.0, "min_p": 0.0, **fields}
        async with self._places:
            answer: Any = await self._sent(self._client.post("/completions", body=body, cast_to=object))
        try:
            return dict(answer["choices"][0])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise RuntimeError(f"the server's answer is no completion ({one_line(error)})") from error

    async def _ask_context(self) -> int:
        answer: Any = await self._sent(self._client.get("/models", cast_to=object))
        if not isinstance(answer, dict):
            raise InputError(f"{self.url}: is no OpenAI-compatible server's address; does yours end with /v1?")
        known = {model.get("id"): model.get("max_model_len") for model in answer.get("data") or []}
        if isinstance(known.get(self.model), int):
            return known[self.model]
        raise InputError(f"{self.url}: does not say how long the context of {self.model} is; give --max_model_len")

    async def _sent(self, request: Any) -> Any:
        try:
            return await request
        except FATAL as error:
            raise InputError(f"{self.url}: {one_line(error)}") from error
        except openai.APIConnectionError as error:
            if isinstance(error, openai.APITimeoutError):
                raise RuntimeError(f"{self.url}: {one_line(error)}") from error
            raise InputError(f"{self.url}: {one_line(error)}; is the server running?") from error
        except openai.APIError as error:
            raise RuntimeError(f"{self.url}: {one_line(error)}") from error
