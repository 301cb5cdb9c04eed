"""A preview's policy on a server that answers as vLLM's completions do."""

import asyncio
import json
import logging

import pytest
from fake_server import Server, failure
from small_tokenizer import EOS, TOKENIZER, encode

from recipe_tapo.errors import InputError
from recipe_tapo.preview.policy import entropy
from recipe_tapo.preview.server_policy import ServerPolicy
from recipe_tapo.sampling.requests import Sampling

SAMPLING = Sampling(temperature=0.7, top_p=0.9, top_k=20, max_tokens=30)


def choice(**fields):
    return 200, "application/json", json.dumps({"choices": [{"index": 0, "text": "", **fields}]}).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer")
    TOKENIZER.save_pretrained(path)
    return str(path)


def ask(folder, answer, question, **options):
    options = {"max_model_len": 100, "concurrency": 4, "timeout": 10.0, "retries": 0, **options}

    async def asked(policy):
        await policy.start()
        return await question(policy)

    with Server(answer) as server:
        url = f"http://127.0.0.1:{server.http.server_port}/v1"
        policy = ServerPolicy(url, "m", folder, SAMPLING, **options)
        return asyncio.run(asked(policy)), server.bodies


def test_it_asks_with_token_ids_and_is_answered_with_token_ids(folder):
    ids = [*encode("x = 4"), EOS]
    answer, (body,) = ask(
        folder, lambda body, _: choice(token_ids=ids), lambda policy: policy.generate([5, 6, 7], SAMPLING, seed=3)
    )
    assert answer == ids
    assert body["prompt"] == [5, 6, 7] and body["return_token_ids"] is True and body["seed"] == 3
    assert (body["temperature"], body["top_p"], body["top_k"], body["max_tokens"]) == (0.7, 0.9, 20, 30)
    # What the model's generation_config says is not used, as in training.
    assert (body["repetition_penalty"], body["min_p"]) == (1.0, 0.0)


def test_an_answer_never_runs_beyond_the_context(folder):
    _, (body,) = ask(
        folder, lambda body, _: choice(token_ids=[EOS]), lambda policy: policy.generate([5] * 90, SAMPLING)
    )
    assert body["max_tokens"] == 10 and "seed" not in body


def test_the_choices_are_all_that_it_can_say(folder):
    answer, (body,) = ask(
        folder, lambda body, _: choice(text=" 2"), lambda policy: policy.choose([5], ["1", "2"], max_tokens=2)
    )
    assert answer == "2" and body["structured_outputs"] == {"choice": ["1", "2"]} and body["temperature"] == 0.0


def test_likelihoods_are_those_of_the_prompts_tokens(folder):
    known = [None, {"6": {"logprob": -0.5}, "9": {"logprob": -1.5}}, {"7": {"logprob": -0.1}}]
    answer, (body,) = ask(
        folder, lambda body, _: choice(prompt_logprobs=known), lambda policy: policy.likelihood([5, 6, 7])
    )
    assert body["prompt_logprobs"] == 20 and body["max_tokens"] == 1
    assert answer.log_probs == [0.0, -0.5, -0.1]
    assert answer.entropies == [0.0, entropy([-0.5, -1.5]), entropy([-0.1])]


@pytest.mark.parametrize(
    ("known", "odds"),
    [
        ({"token_id:7": -0.5, "token_id:9": -2.0}, 1.5),
        # 9 is not among the likeliest: it counts as the least likely of them.
        ({"token_id:7": -0.5, "token_id:3": -4.0}, 3.5),
    ],
)
def test_odds_are_those_of_the_two_tokens_that_it_may_write(folder, known, odds):
    answer, (body,) = ask(
        folder, lambda body, _: choice(logprobs={"top_logprobs": [known]}), lambda policy: policy.odds([5, 6], 7, 9)
    )
    assert answer == pytest.approx(odds)
    assert body["allowed_token_ids"] == [7, 9] and body["temperature"] == 1.0 and body["max_tokens"] == 1


@pytest.mark.parametrize(("elsewhere", "told"), [(-4.0, 1), (-9999.0, 0)])
def test_a_server_that_tells_of_tokens_that_were_not_allowed_is_warned_of_once(folder, caplog, elsewhere, told):
    caplog.set_level(logging.WARNING)  # other tests' imports raise it
    known = {"token_id:7": -0.5, "token_id:9": -2.0, "token_id:3": elsewhere}

    async def twice(policy):
        return [await policy.odds([5, 6], 7, 9) for _ in range(2)]

    answer, _ = ask(folder, lambda body, _: choice(logprobs={"top_logprobs": [known]}), twice)
    assert answer == [1.5, 1.5]
    assert sum("--logprobs-mode processed_logprobs" in record.message for record in caplog.records) == told


def test_entropy_by_hand():
    # 1/2 and 1/4 are known; the 1/4 that is left counts as one: 1/2 ln 2 + 2 * 1/4 ln 4 = 1.5 ln 2.
    assert entropy([-0.6931472, -1.3862944]) == pytest.approx(1.5 * 0.6931472)


@pytest.mark.parametrize(
    ("answer", "options", "message"),
    [
        (choice(text="x"), {}, "no token ids"),
        (failure(404, "no such model"), {}, "no such model"),
        (choice(), {"max_model_len": None}, "give --max_model_len"),
        (None, {}, "is the server running"),
    ],
)
def test_a_server_that_cannot_serve_is_named(folder, answer, options, message):
    with pytest.raises(InputError, match=message):
        ask(folder, lambda body, _: answer, lambda policy: policy.generate([5], SAMPLING), **options)


def test_the_address_of_another_page_is_named(folder, monkeypatch):
    send = Server.send
    page = (200, "text/html", b"<html>")
    monkeypatch.setattr(Server, "send", staticmethod(lambda handler, _: send(handler, page)))
    with pytest.raises(InputError, match="does yours end with /v1"):
        ask(folder, None, None, max_model_len=None)


def test_a_request_that_fails_is_no_bad_input(folder):
    with pytest.raises(RuntimeError, match="no completion"):
        ask(
            folder,
            lambda body, _: (200, "application/json", b'{"choices": []}'),
            lambda policy: policy.generate([5], SAMPLING),
        )
