"""The sampling layer: journals that survive any interruption, and the client of an OpenAI-compatible server."""

import argparse
import fcntl
import json
import threading
from pathlib import Path

import pytest
from fake_server import Answer, Server, completion, failure
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_tapo.cli import sampling_flags as flags
from recipe_tapo.errors import InputError
from recipe_tapo.sampling.journal import fill_journal, read_journal, read_settings, settings_path
from recipe_tapo.sampling.requests import Request, Response, Sampling, derive_seed, sample_all

TOTAL, CHUNK = 10, 3


class Interrupt(BaseException):
    """Ends a run as a signal would."""


def fill(path: Path, chunks: list[list[int]] | None = None, stop_after: int | None = None, **options) -> None:
    """Fills a journal with the squares of 0…9; notes the chunks that were worked on."""
    chunks = chunks if chunks is not None else []

    def work(batch: list[int]) -> list[dict]:
        if stop_after is not None and len(chunks) == stop_after:
            raise Interrupt
        chunks.append(batch)
        return [{"item": item, "square": item**2, "note": "é\ud800\u2028"} for item in batch]

    arguments = {"settings": {"model": "m"}, "items": range(TOTAL), "total": TOTAL, "chunk": CHUNK, **options}
    fill_journal(path, arguments.pop("settings"), arguments.pop("items"), work=work, desc="", **arguments)


@pytest.fixture
def journal(tmp_path) -> Path:
    return tmp_path / "new" / "journal.jsonl"


# --- journal ----------------------------------------------------------------------------------------------------------


def test_results_come_back_in_the_order_of_the_items(journal):
    chunks: list[list[int]] = []
    fill(journal, chunks)
    assert chunks == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert [result["square"] for result in read_journal(journal)] == [n * n for n in range(10)]
    # Half a surrogate pair and a line separator survive.
    assert {result["note"] for result in read_journal(journal)} == {"é\ud800\u2028"}


def test_a_complete_journal_is_left_alone(journal):
    fill(journal)
    before = journal.read_bytes()
    fill(journal, chunks := [])
    assert (chunks, journal.read_bytes()) == ([], before)


@pytest.mark.parametrize("stop_after", range(4))
def test_an_interrupted_run_goes_on_with_the_chunk_that_was_under_way(journal, tmp_path, stop_after):
    fill(tmp_path / "whole.jsonl")
    with pytest.raises(Interrupt):
        fill(journal, stop_after=stop_after)
    fill(journal, chunks := [])
    assert sum(map(len, chunks)) == TOTAL - stop_after * CHUNK
    assert journal.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert settings_path(journal).read_bytes() == settings_path(tmp_path / "whole.jsonl").read_bytes()


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 600), junk=st.binary(max_size=20))
def test_a_journal_cut_anywhere_or_with_junk_at_its_end_is_completed(tmp_path_factory, cut, junk):
    """As a killed process, a full disk or a crashed machine leaves it."""
    folder = tmp_path_factory.mktemp("cut")
    fill(folder / "whole.jsonl")
    whole = (folder / "whole.jsonl").read_bytes()
    fill(folder / "cut.jsonl")
    (folder / "cut.jsonl").write_bytes(whole[:cut] + junk)
    fill(folder / "cut.jsonl")
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
def test_other_settings_are_refused_and_harm_nothing(journal, options, message):
    fill(journal)
    before = journal.read_bytes()
    with pytest.raises(InputError) as error:
        fill(journal, **options)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert journal.read_bytes() == before


def test_an_incomplete_journal_cannot_be_read_as_a_complete_one(journal):
    with pytest.raises(Interrupt):
        fill(journal, stop_after=2)
    with pytest.raises(InputError, match="has 6 of 10 results; finish the command"):
        list(read_journal(journal))


def test_a_journal_without_its_settings_is_refused(journal, tmp_path):
    fill(journal)
    settings_path(journal).unlink()
    for use in (read_settings, fill):
        with pytest.raises(InputError, match="cannot be read"):
            use(journal)
    with pytest.raises(InputError, match="no such file"):
        read_settings(tmp_path / "none.jsonl")


def test_two_processes_cannot_fill_one_journal(journal):
    fill(journal)
    with open(journal, "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process is writing it"):
            fill(journal)


# --- requests ---------------------------------------------------------------------------------------------------------


def test_seeds_depend_on_every_part_and_suit_every_engine():
    seeds = [derive_seed(*parts) for parts in ((0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1), ("0a",))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert derive_seed(0, "a") == seeds[0]


def test_many_failures_without_one_success_are_no_result():
    class Broken:
        def sample(self, requests, sampling):
            return [Response(failure="out of memory") for _ in requests]

    with pytest.raises(InputError, match="all 32 requests of a chunk failed; the last one: out of memory"):
        sample_all(Broken(), [Request([], 0)] * 32, SAMPLING)
    assert len(sample_all(Broken(), [Request([], 0)] * 31, SAMPLING)) == 31


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


# --- server -----------------------------------------------------------------------------------------------------------

SAMPLING = Sampling(temperature=0.7, top_p=0.9, top_k=20, max_tokens=32)


def ask(*texts: str) -> list[Request]:
    return [Request([{"role": "user", "content": text}], seed) for seed, text in enumerate(texts)]


def said(body: dict) -> str:
    return body["messages"][0]["content"]


def test_what_is_asked_and_what_comes_back(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with Server(lambda body, _: completion(said(body).upper(), "length")) as server:
        responses = server.sampler(enable_thinking=False).sample(ask("a"), SAMPLING)
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
            "chat_template_kwargs": {"enable_thinking": False},
        }
    ]


def test_answers_keep_the_order_of_the_requests_whenever_they_arrive():
    first_waits = threading.Event()

    def answer(body: dict, _: int) -> Answer:
        if said(body) == "0":
            first_waits.wait(5)
        if said(body) == "39":
            first_waits.set()
        return completion(said(body))

    with Server(answer) as server:
        responses = server.sampler().sample(ask(*map(str, range(40))), SAMPLING)
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
        responses = server.sampler().sample(ask("good", "bad", "good"), SAMPLING)
    assert [response.text for response in responses] == ["fine", "", "fine"]
    assert [response.failure is None for response in responses] == [True, False, True]
    assert message in responses[1].failure and "\n" not in responses[1].failure


def test_a_failing_request_is_tried_again():
    with Server(lambda body, times: completion("fine") if times else failure(503, "busy")) as server:
        responses = server.sampler(retries=1).sample(ask("a"), SAMPLING)
    assert [response.text for response in responses] == ["fine"]
    assert len(server.bodies) == 2


def test_a_request_that_takes_too_long_is_given_up():
    release = threading.Event()

    def answer(body: dict, _: int) -> Answer:
        if said(body) == "slow":
            release.wait(10)
        return completion("fine")

    with Server(answer) as server:
        responses = server.sampler(timeout=0.5).sample(ask("slow", "quick"), SAMPLING)
        release.set()
    assert "APITimeoutError" in responses[0].failure
    assert responses[1].text == "fine"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_no_request_can_survive_ends_the_run_in_one_line(status):
    with (
        Server(lambda *_: failure(status, "no model m")) as server,
        pytest.raises(InputError, match=r"http://127\.0\.0\.1:\d+/v1: \w+: .*no model m"),
    ):
        server.sampler().sample(ask("a", "b"), SAMPLING)


def test_no_server_ends_the_run_in_one_line():
    with Server(lambda *_: completion("")) as server:
        sampler = server.sampler()
    with pytest.raises(InputError, match=r"APIConnectionError: .*is the server running"):
        sampler.sample(ask("a"), SAMPLING)


def test_texts_can_be_written_as_utf_8():
    with Server(lambda *_: completion("a\ud83d")) as server:
        (response,) = server.sampler().sample(ask("a"), SAMPLING)
    assert response.text == "a?"
    with Server(lambda *_: completion(None)) as server:
        (response,) = server.sampler().sample(ask("a"), SAMPLING)
    assert (response.text, response.failure) == ("", None)
