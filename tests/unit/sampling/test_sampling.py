"""The sampling layer: runs that survive any interruption, and the client of an OpenAI-compatible server."""

import argparse
import fcntl
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_server import Answer, Server, completion, failure
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_tapo.cli import sampling_flags as flags
from recipe_tapo.errors import InputError
from recipe_tapo.records.store import read_results, read_settings, settings_path
from recipe_tapo.sampling.chat import ChatClient
from recipe_tapo.sampling.fill import Task, count_failed, fill_store
from recipe_tapo.sampling.requests import Request, Response, Sampling, derive_seed
from recipe_tapo.sampling.server import ServerSampler

TOTAL, CHUNK = 10, 3
SAMPLING = Sampling(temperature=0.7, top_p=0.9, top_k=20, max_tokens=32)


class Interrupt(BaseException):
    """Ends a run as a signal would."""


class Squares:
    """Answers with the square of the seed; notes the requests; ends before the call, or the answer, ``stop_after``.

    One by one, the last request of a call is answered first; else all come together.
    """

    def __init__(self, one_by_one: bool, stop_after: int | None, fail: set[int]) -> None:
        self.one_by_one, self.stop_after, self.fail = one_by_one, stop_after, fail
        self.calls: list[list[int]] = []
        self.given = 0

    def sample(self, requests, sampling):
        if not self.one_by_one and self.stop_after == len(self.calls):
            raise Interrupt
        self.calls.append([request.seed for request in requests])
        answers = [(n, self._answer(request.seed)) for n, request in enumerate(requests)]
        for batch in [[answer] for answer in reversed(answers)] if self.one_by_one else [answers]:
            if self.one_by_one and self.stop_after == self.given:
                raise Interrupt
            self.given += len(batch)
            yield batch

    def _answer(self, seed):
        return Response(failure="out of luck") if seed in self.fail else Response(str(seed**2), "stop")


def fill(path: Path, stop_after: int | None = None, one_by_one: bool = False, fail=(), **options) -> list[list[int]]:
    """Fills a store with the squares of 0…9; returns the chunks that were worked on."""
    engine = Squares(one_by_one, stop_after, set(fail))
    arguments = {"settings": {"model": "m"}, "items": range(TOTAL), "total": TOTAL, "chunk": CHUNK, **options}
    fill_store(
        path,
        ("item",),
        arguments.pop("settings"),
        [Task((item,), Request([], item), item) for item in arguments.pop("items")],
        lambda answers: [
            {"item": item, "square": answer.text, "failure": answer.failure, "note": "é\ud800\u2028"}
            for item, answer in answers
        ],
        make_sampler=lambda: engine,
        sampling=SAMPLING,
        desc="",
        **arguments,
    )
    return engine.calls


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "new" / "results.jsonl"


# --- runs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one_by_one", [False, True])
def test_results_come_back_in_the_order_of_the_items(store, one_by_one):
    assert fill(store, one_by_one=one_by_one) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert [result["square"] for result in read_results(store)] == [str(n * n) for n in range(10)]
    # Half a surrogate pair and a line separator survive.
    assert {result["note"] for result in read_results(store)} == {"é\ud800\u2028"}


def test_a_complete_store_is_left_alone(store):
    fill(store)
    before = store.read_bytes(), store.stat().st_ino
    assert fill(store) == []
    assert (store.read_bytes(), store.stat().st_ino) == before


@pytest.mark.parametrize("stop_after", range(4))
def test_an_interrupted_run_goes_on_with_the_chunk_that_was_under_way(store, tmp_path, stop_after):
    fill(tmp_path / "whole.jsonl")
    with pytest.raises(Interrupt):
        fill(store, stop_after=stop_after)
    chunks = fill(store)
    assert sum(map(len, chunks)) == TOTAL - stop_after * CHUNK
    assert store.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert settings_path(store).read_bytes() == settings_path(tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.parametrize("stop_after", range(10))
def test_an_engine_that_answers_one_by_one_is_never_asked_again_for_what_it_gave(store, tmp_path, stop_after):
    fill(tmp_path / "whole.jsonl")
    with pytest.raises(Interrupt):
        fill(store, stop_after, one_by_one=True)
    assert store.read_bytes().count(b"\n") == stop_after
    assert sum(map(len, fill(store, one_by_one=True))) == TOTAL - stop_after
    assert store.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_failure_is_final_only_when_its_chunk_is_complete(store):
    with pytest.raises(Interrupt):
        fill(store, 2, one_by_one=True, fail={2})  # 2 has failed and 1 is there when the run ends before 0
    assert store.read_bytes().count(b"\n") == 1
    assert fill(store, one_by_one=True, fail={2, 4}) == [[0, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert [result["item"] for result in read_results(store) if result["failure"]] == [2, 4]
    assert fill(store, one_by_one=True) == []


@pytest.mark.parametrize(("one_by_one", "asked"), [(True, [[2], [4]]), (False, [[0, 1, 2], [3, 4, 5]])])
def test_failures_are_asked_for_again_where_that_is_wanted(store, one_by_one, asked):
    fill(store, one_by_one=one_by_one, fail={2, 4})
    assert fill(store, one_by_one=one_by_one) == []
    assert fill(store, one_by_one=one_by_one, retry_failed=True) == asked
    assert [result["square"] for result in read_results(store)] == [str(n * n) for n in range(10)]
    assert fill(store, one_by_one=one_by_one, retry_failed=True) == []


def test_asking_again_never_loses_an_answer(store):
    fill(store, fail={2})
    # The engine answers a chunk whole: this time 2 is there, and 0 and 1 are not.
    assert fill(store, fail={0, 1}, retry_failed=True) == [[0, 1, 2]]
    assert [result["failure"] for result in read_results(store)] == [None] * TOTAL


def test_items_of_one_key_have_the_same_result(store):
    fill(store, items=[0, 1, 1, 2, 1], total=5)
    assert [result["item"] for result in read_results(store)] == [0, 1, 1, 2, 1]
    assert fill(store, items=[0, 1, 1, 2, 1], total=5) == []


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 600), junk=st.binary(max_size=20), one_by_one=st.booleans())
def test_a_store_cut_anywhere_or_with_junk_at_its_end_is_completed(tmp_path_factory, cut, junk, one_by_one):
    """As a killed process, a full disk or a crashed machine leaves it."""
    folder = tmp_path_factory.mktemp("cut")
    fill(folder / "whole.jsonl")
    whole = (folder / "whole.jsonl").read_bytes()
    fill(folder / "cut.jsonl")
    (folder / "cut.jsonl").write_bytes(whole[:cut] + junk)
    fill(folder / "cut.jsonl", one_by_one=one_by_one)
    assert (folder / "cut.jsonl").read_bytes() == whole


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settings": {"model": "other"}}, "was made with model 'm' (now 'other'); go on with the old settings"),
        ({"settings": {"model": "m", "n": 4}}, "n None (now 4)"),
        ({"chunk": 4}, "chunk 3 (now 4)"),
        ({"total": 9, "items": range(9)}, "total 10 (now 9)"),
    ],
)
def test_other_settings_are_refused_and_harm_nothing(store, options, message):
    fill(store)
    before = store.read_bytes()
    with pytest.raises(InputError) as error:
        fill(store, **options)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert store.read_bytes() == before


def test_an_incomplete_store_cannot_be_read_as_a_complete_one(store):
    with pytest.raises(Interrupt):
        fill(store, stop_after=2)
    with pytest.raises(InputError, match="has 6 of 10 results; finish the command"):
        list(read_results(store))


def test_a_store_without_its_settings_is_refused(store, tmp_path):
    fill(store)
    settings_path(store).unlink()
    for use in (read_settings, fill):
        with pytest.raises(InputError, match="cannot be read"):
            use(store)
    with pytest.raises(InputError, match="no such file"):
        read_settings(tmp_path / "none.jsonl")


def test_two_processes_cannot_fill_one_store(store):
    fill(store)
    with open(store, "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process is writing it"):
            fill(store)


# --- requests ---------------------------------------------------------------------------------------------------------


def test_seeds_depend_on_every_part_and_suit_every_engine():
    seeds = [derive_seed(*parts) for parts in ((0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1), ("0a",))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert derive_seed(0, "a") == seeds[0]


@pytest.mark.parametrize("one_by_one", [False, True])
def test_many_failures_without_one_success_are_no_result(store, tmp_path, one_by_one):
    broken = {"one_by_one": one_by_one, "fail": range(40)}
    with pytest.raises(InputError, match="all 32 requests of a chunk failed; the last one: out of luck"):
        fill(store, items=range(32), total=32, chunk=32, **broken)
    assert store.read_bytes() == b""
    fill(tmp_path / "few.jsonl", items=range(31), total=31, chunk=31, **broken)
    assert len(list(read_results(tmp_path / "few.jsonl"))) == 31


def test_what_is_left_of_a_chunk_may_fail_altogether(store):
    """Else forty prompts that are too long for the server would stop every further run of the same command."""
    options = {"items": range(41), "total": 41, "chunk": 41, "one_by_one": True, "fail": range(40)}
    with pytest.raises(Interrupt):
        fill(store, 40, **options)
    assert store.read_bytes().count(b"\n") == 1
    # One that was answered is asked again, and shows that the engine works.
    assert fill(store, **options) == [list(range(40)), [40]]
    assert sum(result["failure"] is not None for result in read_results(store)) == 40


def test_a_server_that_has_stopped_answering_makes_nothing_of_the_rest_final(store):
    options = {"items": range(41), "total": 41, "chunk": 41, "one_by_one": True}
    with pytest.raises(Interrupt):
        fill(store, 1, **options)
    with pytest.raises(InputError, match="all 40 requests of a chunk failed"):
        fill(store, fail=range(41), **options)
    assert store.read_bytes().count(b"\n") == 1
    fill(store, **options)
    assert count_failed(store) == 0


def test_an_interrupted_process_does_not_wait_for_answers_under_way():
    script = """
import time
from recipe_tapo.sampling.chat import ask_all
for answers in ask_all(lambda n: time.sleep(60 if n else 0), range(9), 4):
    raise KeyboardInterrupt
"""
    started = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=55)
    assert "KeyboardInterrupt" in ended.stderr
    assert time.monotonic() - started < 50


# --- flags ------------------------------------------------------------------------------------------------------------


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    flags.add_model(parser)
    flags.add_sampling(parser)
    return parser.parse_args(["--model", "m", *arguments])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--n", "0"),
        ("--temperature", "-0.1"),
        ("--temperature", "nan"),
        ("--top_p", "0"),
        ("--top_p", "1.1"),
        ("--top_k", "0"),
        ("--max_tokens", "0"),
        ("--timeout", "0"),
        ("--retries", "-1"),
        ("--chat_template_kwargs", "[1]"),
        ("--chat_template_kwargs", "{"),
    ],
)
def test_values_out_of_range_are_usage_errors(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(*arguments)
    assert stop.value.code == 2
    assert arguments[0] in capsys.readouterr().err.splitlines()[-1]


def test_settings_tell_checkpoints_in_one_folder_apart(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"header" + b"\0" * 100_000 + b"old")
    args = parse()
    args.model = str(tmp_path)
    first = flags.model_settings(args)
    assert flags.model_settings(args) == first
    (tmp_path / "model.safetensors").write_bytes(b"header" + b"\0" * 100_000 + b"new")
    assert flags.model_settings(args)["weights"] != first["weights"]
    assert json.loads(json.dumps(first)) == first


def test_a_models_folder_is_the_same_model_however_it_is_written(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    args = parse()
    found = set()
    for args.model in ("model", "model/", "./model", str(tmp_path / "model")):
        found.add(flags.model_settings(args)["model"])
    assert found == {str(tmp_path / "model")}
    args.model = "owner/name"
    assert flags.model_settings(args)["model"] == "owner/name"


# --- server -----------------------------------------------------------------------------------------------------------


def sample(sampler: ServerSampler, requests: list[Request]) -> list[Response]:
    """The responses in the order of the requests; they come in any."""
    responses = dict(answer for answers in sampler.sample(requests, SAMPLING) for answer in answers)
    return [responses[number] for number in range(len(requests))]


def ask(*texts: str) -> list[Request]:
    return [Request([{"role": "user", "content": text}], seed) for seed, text in enumerate(texts)]


def said(body: dict) -> str:
    return body["messages"][0]["content"]


def test_what_is_asked_and_what_comes_back(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with Server(lambda body, _: completion(said(body).upper(), "length")) as server:
        responses = sample(server.sampler(enable_thinking=False), ask("a"))
    assert responses == [Response("A", "length", prompt_tokens=7, tokens=3)]
    assert responses[0].truncated
    assert server.headers[0]["authorization"] == "Bearer secret"
    assert server.bodies == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "a"}],
            "seed": 0,
            "temperature": 0.7,
            "top_p": 0.9,
            "max_tokens": 32,
            "top_k": 20,
            "repetition_penalty": 1.0,
            "min_p": 0.0,
            "chat_template_kwargs": {"enable_thinking": False},
        }
    ]


def test_an_empty_key_is_none(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with Server(lambda body, _: completion("A")) as server:
        sample(server.sampler(), ask("a"))
    assert server.headers[0]["authorization"] == "Bearer none"


def test_answers_keep_the_order_of_the_requests_whenever_they_arrive():
    first_waits = threading.Event()

    def answer(body: dict, _: int) -> Answer:
        if said(body) == "0":
            first_waits.wait(5)
        if said(body) == "39":
            first_waits.set()
        return completion(said(body))

    with Server(answer) as server:
        responses = sample(server.sampler(), ask(*map(str, range(40))))
    assert [response.text for response in responses] == [str(n) for n in range(40)]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (failure(500, "boom"), "InternalServerError: "),
        (failure(400, "prompt too long"), "prompt too long"),
        ((200, "text/html", b"<html>"), "no chat completion"),
        ((200, "application/json", b'{"choices": []}'), "no chat completion"),
        ((200, "application/json", b'{"choices": [{}]}'), "no chat completion"),
        ((200, "application/json", b"{"), "JSONDecodeError"),
        (None, "APIConnectionError"),
    ],
)
def test_a_failing_request_costs_itself_alone(answer, message):
    with Server(lambda body, _: answer if said(body) == "bad" else completion("fine")) as server:
        responses = sample(server.sampler(), ask("good", "bad", "good"))
    assert [response.text for response in responses] == ["fine", "", "fine"]
    assert [response.failure is None for response in responses] == [True, False, True]
    assert message in responses[1].failure and "\n" not in responses[1].failure


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://localhost:80a/v1"])
def test_a_mistyped_address_is_one_line(url):
    with pytest.raises(InputError, match=r"is no address .*; one is like http://localhost:8000/v1"):
        ChatClient(url, "m", timeout=1, retries=0)


def test_a_failing_request_is_tried_again():
    with Server(lambda body, times: completion("fine") if times else failure(503, "busy")) as server:
        responses = sample(server.sampler(retries=1), ask("a"))
    assert [response.text for response in responses] == ["fine"]
    assert len(server.bodies) == 2


def test_a_request_that_takes_too_long_is_given_up():
    release = threading.Event()

    def answer(body: dict, _: int) -> Answer:
        if said(body) == "slow":
            release.wait(10)
        return completion("fine")

    with Server(answer) as server:
        responses = sample(server.sampler(timeout=0.5), ask("slow", "quick"))
        release.set()
    assert "APITimeoutError" in responses[0].failure
    assert responses[1].text == "fine"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_no_request_can_survive_ends_the_run_in_one_line(status):
    with (
        Server(lambda *_: failure(status, "no model m")) as server,
        pytest.raises(InputError, match=r"http://127\.0\.0\.1:\d+/v1: \w+: .*no model m"),
    ):
        sample(server.sampler(), ask("a", "b"))


def test_no_server_ends_the_run_in_one_line():
    with Server(lambda *_: completion("")) as server:
        sampler = server.sampler()
    with pytest.raises(InputError, match=r"APIConnectionError: .*is the server running"):
        sample(sampler, ask("a"))


def test_texts_can_be_written_as_utf_8():
    with Server(lambda *_: completion("a\ud83d")) as server:
        (response,) = sample(server.sampler(), ask("a"))
    assert response.text == "a?"
    with Server(lambda *_: completion(None)) as server:
        (response,) = sample(server.sampler(), ask("a"))
    assert (response.text, response.failure) == ("", None)
