"""``evaluate`` and ``compare`` from the command line, with an engine that answers at once."""

import errno
import json
import os
import re
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_server import Server, completion

from recipe_tapo.cli import evaluate
from recipe_tapo.cli import main as tapo
from recipe_tapo.cli.run import BAD_INPUT_EXIT_CODE, run_command
from recipe_tapo.errors import InputError
from recipe_tapo.evaluation import provenance
from recipe_tapo.evaluation.checkpoint import _cache_name, resolve_model
from recipe_tapo.evaluation.folder import load_evaluation
from recipe_tapo.sampling.chat import ChatClient
from recipe_tapo.sampling.requests import Response

PROBLEMS = 3


class Interrupt(BaseException):
    """Ends a run as a signal would."""


class Engine:
    """Answers "2" where the seed is even and the right answer, the question's last word, elsewhere."""

    one_by_one = False

    def __init__(self, fail_at: int | None = None, error: BaseException | None = None) -> None:
        self.requests = []
        self._fail_at, self._error = fail_at, error

    def sample(self, requests, sampling):
        self.requests += requests
        if self._fail_at is not None and len(self.requests) > self._fail_at:
            raise self._error
        yield [(number, self._answer(request)) for number, request in enumerate(requests)]

    def _answer(self, request):
        if request.seed % 7 == 0:
            return Response(failure="out of luck")
        answer = request.messages[-1]["content"].split()[-1] if request.seed % 2 else "2"
        cut = request.seed % 5 == 0
        return Response(f"So \\boxed{{{answer}" + ("" if cut else "}"), "length" if cut else "stop", 9, 4)


@pytest.fixture
def data(tmp_path) -> Path:
    """A folder with one benchmark, ``tiny``."""
    rows = [
        {
            "prompt": [{"role": "user", "content": f"Say {number + 10}"}],
            "reward_model": {"ground_truth": str(number + 10)},
            "extra_info": {"question": f"Say {number + 10}"},
        }
        for number in range(PROBLEMS)
    ]
    folder = tmp_path / "data"
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "tiny.parquet")
    return folder


@pytest.fixture
def model(tmp_path) -> Path:
    """A folder that looks like a model."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    return tmp_path / "model"


@pytest.fixture
def run(tmp_path, data, model, monkeypatch):
    """Evaluates with an engine of this process."""
    monkeypatch.setattr(provenance, "_chat_template", lambda model: "{% if enable_thinking %}")

    def run(output: str, *options: str, engine: Engine | None = None) -> Engine:
        engine = engine or Engine()
        monkeypatch.setattr(evaluate, "make_sampler", lambda args: engine)
        arguments = ["--model", str(model), "--benchmark", "tiny", "--data_dir", str(data), "--samples", "2"]
        arguments += ["--runs", "3", "--chunk", "4", "--output", str(tmp_path / output)]
        tapo.run(["evaluate", *arguments, *options])
        return engine

    return run


def content(folder: Path) -> dict[str, bytes | dict]:
    """All files; the settings without their date."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    files["settings.json"] = {**json.loads(files["settings.json"]), "date": None}
    return files


def error_of(command, *arguments, capsys) -> str:
    """The one line on stderr with which a command ends."""
    with pytest.raises(SystemExit) as stop:
        run_command(lambda: tapo.run([command, *map(str, arguments)]))
    assert stop.value.code == BAD_INPUT_EXIT_CODE
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


def write_answers(path: Path, answers: dict[tuple[int, int, int], str], **more) -> Path:
    lines = [
        json.dumps({"benchmark": "tiny", "problem_idx": problem, "run": run, "sample": sample, "response": text} | more)
        for (problem, run, sample), text in answers.items()
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def grid_of_answers(text="\\boxed{10}") -> dict[tuple[int, int, int], str]:
    return {(problem, run, sample): text for problem in range(PROBLEMS) for run in range(2) for sample in range(2)}


# --- sampling ---------------------------------------------------------------------------------------------------------


def test_a_sampled_evaluation_is_complete_and_says_what_it_was_made_with(run, tmp_path, model, capsys):
    engine = run("out")
    evaluation = load_evaluation(tmp_path / "out")
    assert len(evaluation.responses) == len(engine.requests) == PROBLEMS * 3 * 2
    assert len({request.seed for request in engine.requests}) == PROBLEMS * 3 * 2
    for record in evaluation.responses:
        failed = record.failure is not None
        assert record.right == (record.pred == str(record.problem_idx + 10))
        assert (record.tokens is None, record.truncated is None) == (failed, failed)
        # A box that the token limit cut off is no answer.
        assert not (record.truncated and record.pred)
    known = evaluation.settings
    assert (known["temperature"], known["top_p"], known["max_tokens"], known["seed"]) == (0.6, 0.9, 8192, 0)
    assert (known["samples"], known["runs"], known["model"]) == (2, 3, str(model))
    assert known["chat_template_kwargs"] == {"enable_thinking": False}
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:]+\+00:00", known["date"])
    out = capsys.readouterr().out
    for part in ("2 samples × 3 runs", "temperature 0.6", "top-p 0.9", "max tokens 8192", "vLLM ", "seed 0"):
        assert part in out


def test_the_defaults_are_the_papers():
    args = tapo.parse(["evaluate", "--model", "m", "--benchmark", "a,b", "--output", "o"])
    assert (args.samples, args.runs, args.temperature, args.top_p, args.thinking) == (5, 16, 0.6, 0.9, "off")
    assert args.benchmark == ["a", "b"]
    again = tapo.parse(["evaluate", "--model", "m", "--benchmark", "a,b", "--benchmark", "c", "--output", "o"])
    assert again.benchmark == ["a", "b", "c"]


@pytest.mark.parametrize("fail_at", [0, 4, 8, 12, 16])
def test_an_interrupted_evaluation_ends_with_the_same_files(run, tmp_path, capsys, fail_at):
    run("whole")
    assert re.search(r"evaluating:  22%.* 4/18 \[", capsys.readouterr().err)
    with pytest.raises(Interrupt):
        run("resumed", engine=Engine(fail_at, Interrupt()))
    assert not (tmp_path / "resumed" / "metrics.json").exists()
    with pytest.raises(InputError, match="not finished"):
        load_evaluation(tmp_path / "resumed")
    engine = run("resumed")
    assert len(engine.requests) == PROBLEMS * 3 * 2 - fail_at
    assert content(tmp_path / "resumed") == content(tmp_path / "whole")


def test_a_finished_evaluation_needs_no_engine_and_keeps_its_files(run, tmp_path):
    run("out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    known = json.loads(before["settings.json"])
    (tmp_path / "out" / "settings.json").write_text(json.dumps({**known, "date": "1999"}))
    assert run("out").requests == []
    assert json.loads((tmp_path / "out" / "settings.json").read_text()) == {**known, "date": "1999"}
    del before["settings.json"]
    assert {name: (tmp_path / "out" / name).read_bytes() for name in before} == before


def test_an_interrupted_retry_leaves_no_finished_folder_and_the_next_run_puts_it_right(run, tmp_path):
    run("out", "--chunk", "1")
    before = content(tmp_path / "out")
    with pytest.raises(Interrupt):
        run("out", "--chunk", "1", "--retry_failed", engine=Engine(1, Interrupt()))
    # The first one that failed is there twice.
    assert content(tmp_path / "out")["responses.jsonl"].startswith(before["responses.jsonl"] + b"{")
    with pytest.raises(InputError, match="not finished"):
        load_evaluation(tmp_path / "out")
    assert run("out", "--chunk", "1").requests == []
    assert content(tmp_path / "out") == before  # the same requests fail again


def test_more_samples_leave_the_others_as_they_were(run, tmp_path):
    run("few")
    run("many", "--samples", "3", "--runs", "4")
    few = {record.key: record for record in load_evaluation(tmp_path / "few").responses}
    many = {record.key: record for record in load_evaluation(tmp_path / "many").responses}
    assert len(many) == PROBLEMS * 3 * 4
    assert {key: many[key] for key in few} == few


@pytest.mark.parametrize(
    "option", [("--temperature", "1.0"), ("--seed", "1"), ("--samples", "3"), ("--thinking", "on")]
)
def test_other_settings_need_another_folder(run, tmp_path, option):
    run("out")
    before = content(tmp_path / "out")
    with pytest.raises(InputError, match="was made with"):
        run("out", *option)
    assert content(tmp_path / "out") == before


def test_a_full_disk_gets_one_line_and_keeps_what_was_computed(run, tmp_path, monkeypatch):
    run("whole")
    calls, fsync = [], os.fsync

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"out: No space left on device; results so far are kept"):
        run("out")
    monkeypatch.setattr(os, "fsync", fsync)
    # Of the third chunk everything was written but the confirmation.
    assert len(run("out").requests) <= PROBLEMS * 3 * 2 - 8
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@pytest.mark.parametrize(
    ("thinking", "template", "kwargs"),
    [
        ("off", "{% if enable_thinking %}", {"enable_thinking": False}),
        ("on", "{% if enable_thinking %}", {"enable_thinking": True}),
        ("off", "plain", {}),
        ("template", "{% if enable_thinking %}", {}),
    ],
)
def test_thinking_is_set_where_the_template_knows_it(monkeypatch, thinking, template, kwargs):
    monkeypatch.setattr(provenance, "_chat_template", lambda model: template)
    arguments = ["--model", "m", "--benchmark", "b", "--output", "o", "--thinking", thinking]

    def asked_for(options):
        args = tapo.parse(["evaluate", *options])
        return provenance.template_kwargs(args.model, args.base_url, args.thinking, args.chat_template_kwargs)

    assert asked_for(arguments) == kwargs
    own = [*arguments, "--chat_template_kwargs", '{"enable_thinking": true, "x": 1}']
    assert asked_for(own) == {"enable_thinking": True, "x": 1}


# --- a server ---------------------------------------------------------------------------------------------------------


def serve(data: Path, output: Path, url: str, *options: str) -> list[str]:
    arguments = ["--model", "m", "--benchmark", "tiny", "--data_dir", data, "--output", output, "--base_url", url]
    arguments += ["--samples", "2", "--runs", "3", "--concurrency", "2", "--retries", "0", *options]
    return list(map(str, arguments))


def test_a_server_that_goes_down_costs_no_answer_it_gave(data, tmp_path, capsys, monkeypatch):
    answered = 0

    def answer(body, times):
        nonlocal answered
        if answered == 7:
            return None
        answered += 1
        return completion(f"\\boxed{{{body['messages'][-1]['content'].split()[-1]}}}")

    with Server(answer) as server:
        url = f"http://127.0.0.1:{server.http.server_port}/v1"
        # Down, not only breaking this one request: the list of models is not to be had either.
        monkeypatch.setattr(ChatClient, "_is_up", lambda client: False)
        error = error_of("evaluate", *serve(data, tmp_path / "out", url), capsys=capsys)
        assert "is the server running?" in error
        assert not (tmp_path / "out" / "metrics.json").exists()
        answered, before = 100, len(server.bodies)
        tapo.run(["evaluate", *serve(data, tmp_path / "out", url)])
        assert len(server.bodies) - before == PROBLEMS * 3 * 2 - 7
        assert server.bodies[-1]["chat_template_kwargs"] == {"enable_thinking": False}
    evaluation = load_evaluation(tmp_path / "out")
    assert evaluation.metrics["tiny/pass@1"] == 1.0
    assert {record.tokens for record in evaluation.responses} == {3}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("metrics.json", "problems.jsonl", "responses.jsonl", "responses.jsonl.settings.json", "settings.json")
    ]


def test_no_server_at_all(data, tmp_path, capsys):
    arguments = serve(data, tmp_path / "out", "http://127.0.0.1:9/v1")
    error = error_of("evaluate", *arguments, capsys=capsys)
    assert "http://127.0.0.1:9/v1: no server answers" in error


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://localhost:80a/v1", "localhost:9/v1", "http://a b/v1", "x"])
def test_a_mistyped_address(data, tmp_path, capsys, url):
    error = error_of("evaluate", *serve(data, tmp_path / "out", url), capsys=capsys)
    assert f"{url}: no server answers" in error and "http://localhost:8000/v1" in error


# --- answers from elsewhere -------------------------------------------------------------------------------------------


def test_answers_from_elsewhere_are_scored(data, tmp_path, capsys):
    answers = grid_of_answers()  # the right answers are 10, 11, 12
    answers[1, 0, 1] = "so \\boxed{11.0}"
    answers[2, 1, 0] = "no idea"
    path = write_answers(tmp_path / "answers.jsonl", answers)
    tapo.run(["evaluate", "--responses", str(path), "--data_dir", str(data), "--output", str(tmp_path / "out")])
    evaluation = load_evaluation(tmp_path / "out")
    metrics = evaluation.metrics
    # Problem 0 is always right, problem 1 once in four, at the second sample of run 0.
    assert metrics["tiny/pass@1"] == pytest.approx(2 / 6)
    assert metrics["tiny/pass@2"] == pytest.approx(3 / 6)
    assert metrics["tiny/mean@4"] == pytest.approx(5 / 12)
    assert metrics["tiny/pass@2_unbiased"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert metrics["tiny/unparsed_share"] == pytest.approx(1 / 12)
    assert metrics["tiny/truncated_share"] is None
    assert evaluation.settings["responses"] == str(path)
    out = capsys.readouterr().out
    assert "33.33" in out and "temperature not known" in out
    # Scoring its own output gives the same again.
    before = content(tmp_path / "out")
    again = ["--responses", str(tmp_path / "out" / "responses.jsonl"), "--data_dir", str(data)]
    tapo.run(["evaluate", *again, "--output", str(tmp_path / "again")])
    for name in ("metrics.json", "responses.jsonl", "problems.jsonl"):
        assert content(tmp_path / "again")[name] == before[name]


def test_verdicts_of_others_are_not_believed(data, tmp_path):
    path = write_answers(tmp_path / "answers.jsonl", grid_of_answers("\\boxed{0}"), right=True, pred="10", tokens=5)
    tapo.run(["evaluate", "--responses", str(path), "--data_dir", str(data), "--output", str(tmp_path / "out")])
    metrics = load_evaluation(tmp_path / "out").metrics
    assert (metrics["tiny/pass@2"], metrics["tiny/response_length/mean"]) == (0.0, 5.0)


def test_scoring_does_not_overwrite_what_was_sampled(run, data, tmp_path, capsys):
    run("out")
    before = content(tmp_path / "out")
    path = write_answers(tmp_path / "answers.jsonl", grid_of_answers())
    arguments = ["--responses", path, "--data_dir", data, "--output", tmp_path / "out"]
    capsys.readouterr()
    assert "choose another --output" in error_of("evaluate", *arguments, capsys=capsys)
    assert content(tmp_path / "out") == before


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (None, "no such file"),
        ("", "the file is empty"),
        ('{"benchmark": "tiny", "problem_idx": 0, "run": 0, "sample": 0}', "line 1: 'response' is missing"),
        ("{", "line 1: broken json"),
        ('{"benchmark": "x", "problem_idx": 0, "run": 0, "sample": 0, "response": ""}', "benchmark x:"),
        ('{"benchmark": "tiny", "problem_idx": 3, "run": 0, "sample": 0, "response": ""}', "tiny has no problem 3"),
        (
            '{"benchmark": "tiny", "problem_idx": 1, "run": 0, "sample": 0, "response": ""}',
            "problem 0, run 0, sample 0",
        ),
    ],
)
def test_bad_answers_get_one_line(data, tmp_path, capsys, lines, message):
    path = tmp_path / "answers.jsonl"
    if lines is not None:
        path.write_text(lines and lines + "\n")
    arguments = ["--responses", path, "--data_dir", data, "--output", tmp_path / "out"]
    assert message in error_of("evaluate", *arguments, capsys=capsys)
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_bad_names_and_paths_get_one_line(data, model, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    good = {"--model": model, "--benchmark": "tiny", "--data_dir": data, "--output": tmp_path / "out"}
    for change, message in (
        ({"--benchmark": "aime_2042"}, "benchmark aime_2042"),
        ({"--model": tmp_path / "none"}, "none: no such folder"),
        ({"--model": tmp_path / "empty"}, "neither a Hugging Face model (config.json) nor a checkpoint of verl's"),
        ({"--output": tmp_path / "file"}, "file: is not a folder"),
    ):
        arguments = [part for pair in {**good, **change}.items() for part in pair]
        assert message in error_of("evaluate", *arguments, capsys=capsys)
    assert not (tmp_path / "out").exists()


# --- comparing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_models(data, tmp_path):
    """Evaluations ``first`` (problem 0 right) and ``second`` (problem 0 right, problem 1 right in run 0)."""
    answers = grid_of_answers()
    for name in ("first", "second"):
        path = write_answers(tmp_path / f"{name}.jsonl", answers)
        tapo.run(["evaluate", "--responses", str(path), "--data_dir", str(data), "--output", str(tmp_path / name)])
        answers |= {(1, 0, 0): "\\boxed{11}", (1, 0, 1): "\\boxed{11}"}
    return tmp_path / "first", tmp_path / "second"


def test_models_are_compared_problem_by_problem(two_models, capsys):
    capsys.readouterr()
    tapo.run(["compare", *map(str, two_models)])
    out = capsys.readouterr().out
    # Pass@1 is 1/3 and 1/2. Differences per problem 0, 1/2, 0: mean 1/6, s^2 = (1/36 + 4/36 + 1/36)/2 = 1/12,
    # standard error sqrt(1/12/3) = 1/6.
    assert "33.33 ± 33.33" in out and "50.00 ± 28.87" in out
    # Unbiased over the four responses, k=2: problem 1 has c=2, so 1 - C(2,2)/C(4,2) = 5/6; 5/18 ± 5/18.
    paper, unbiased = [line for line in out.splitlines() if "paper" in line or "unbiased" in line][-2:]
    assert re.findall(r"[+-]?\d+\.\d+", paper) == ["+16.67", "16.67", "+16.67", "16.67"]
    assert re.findall(r"[+-]?\d+\.\d+", unbiased) == ["+16.67", "16.67", "+27.78", "27.78"]


def test_other_prompts_are_said(two_models, capsys):
    first, second = two_models
    capsys.readouterr()
    tapo.run(["compare", str(first), str(second)])
    assert "different prompts" not in capsys.readouterr().out
    text = (second / "problems.jsonl").read_text()
    for messages, said in (([{"role": "user", "content": "Box it."}], True), ([], False)):  # none: they are not known
        problems = [{**json.loads(line), "messages": messages} for line in text.splitlines()]
        (second / "problems.jsonl").write_text("\n".join(map(json.dumps, problems)))
        tapo.run(["compare", str(first), str(second)])
        assert ("different prompts: tiny;" in capsys.readouterr().out) == said


def test_metrics_that_lack_a_number_get_one_line(two_models, capsys):
    first, second = two_models
    (second / "metrics.json").write_text("{}")
    for folders in ([first, second], [second]):
        assert "metrics.json: tiny/samples is missing; evaluate again" in error_of("compare", *folders, capsys=capsys)


def test_one_folder_has_its_tables_printed_again(two_models, capsys):
    capsys.readouterr()
    tapo.run(["compare", str(two_models[0])])
    assert "mean@n" in capsys.readouterr().out


def test_what_cannot_be_compared_gets_one_line(two_models, data, tmp_path, capsys):
    first, second = two_models
    capsys.readouterr()
    problems = [json.loads(line) for line in (second / "problems.jsonl").read_text().splitlines()]
    for folders, message in (
        ([first, tmp_path / "none"], "no such folder"),
        ([first, data], "holds no evaluation"),
        ([first, first], "given 2 times"),
        (["--report", first, second], "first: is a folder; name a file, or give --report as the last flag"),
        ([first, second, "--constructions", data], "add --report"),
    ):
        assert message in error_of("compare", *folders, capsys=capsys)
    problems[1]["gold"] = "99"
    (second / "problems.jsonl").write_text("\n".join(map(json.dumps, problems)))
    error = error_of("compare", first, second, capsys=capsys)
    assert "were asked different problems" in error


# --- verl's checkpoints -----------------------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A folder ``global_step_3`` as verl leaves it, and a merger that copies the first shard."""
    actor = tmp_path / "global_step_3" / "actor"
    (actor / "huggingface").mkdir(parents=True)
    (actor / "fsdp_config.json").write_text('{"world_size": 1}')
    (actor / "model_world_size_1_rank_0.pt").write_text("old")
    merges = []

    def merge(source, target):
        merges.append(target)
        target.mkdir()
        (target / "config.json").write_text((source / "model_world_size_1_rank_0.pt").read_text())

    monkeypatch.setattr("recipe_tapo.evaluation.checkpoint._run_merger", merge)
    return actor, merges


def test_a_checkpoint_is_merged_once_and_anew_when_it_changes(checkpoint, tmp_path):
    actor, merges = checkpoint
    merged = {resolve_model(str(path)) for path in (actor.parent, actor, actor.parent)}
    assert (merged, len(merges)) == ({str(actor / "merged")}, 1)
    assert sorted(path.name for path in actor.iterdir()) == [
        *("fsdp_config.json", "huggingface", "merged", "model_world_size_1_rank_0.pt")
    ]
    (actor / "model_world_size_1_rank_0.pt").write_text("newer")
    assert resolve_model(str(actor)) == str(actor / "merged")
    assert (actor / "merged" / "config.json").read_text() == "newer"
    elsewhere = resolve_model(str(actor), tmp_path / "cache")
    assert Path(elsewhere).parent == tmp_path / "cache" and "_global_step_3_actor_" in elsewhere
    assert len(merges) == 3


def test_merged_weights_of_two_checkpoints_have_two_names():
    assert _cache_name(Path("/x/a_b/c")) != _cache_name(Path("/x/a/b_c"))


def test_of_a_folder_of_checkpoints_the_last_is_taken(checkpoint, tmp_path):
    actor, _ = checkpoint
    (tmp_path / "global_step_4" / "actor").mkdir(parents=True)  # cut short: verl has not named it yet
    with pytest.raises(InputError, match="or the run's folder of checkpoints"):
        resolve_model(str(tmp_path))
    tracker = tmp_path / "latest_checkpointed_iteration.txt"
    tracker.write_text("3")
    assert resolve_model(str(tmp_path)) == str(actor / "merged")
    tracker.write_text("5")
    with pytest.raises(InputError, match="names global_step_5, which is not there"):
        resolve_model(str(tmp_path))


def test_a_merge_that_is_interrupted_leaves_nothing_behind(checkpoint, monkeypatch):
    actor, _ = checkpoint

    def interrupted(source, target):
        target.mkdir()
        (target / "config.json").write_text("half")
        raise Interrupt

    monkeypatch.setattr("recipe_tapo.evaluation.checkpoint._run_merger", interrupted)
    with pytest.raises(Interrupt):
        resolve_model(str(actor))
    assert not list(actor.glob("*merged*"))


@pytest.mark.parametrize(
    ("code", "files", "message"),
    [
        (1, ["config.json"], r"verl cannot merge it: c \| d \| KeyError: 'x'$"),
        (0, ["config.json", "lora_adapter/adapter_model.safetensors"], "is a LoRA checkpoint"),
    ],
)
def test_what_verl_cannot_merge_is_refused(checkpoint, monkeypatch, code, files, message):
    actor, _ = checkpoint
    monkeypatch.undo()

    def merger(command, **options):
        for name in files:
            path = Path(command[-1]) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
        return subprocess.CompletedProcess(command, code, "", "a\nb\nc\n\nd\nKeyError: 'x'\n")

    monkeypatch.setattr(subprocess, "run", merger)
    with pytest.raises(InputError, match=message):
        resolve_model(str(actor))
    assert not list(actor.glob("*merged*"))


def test_a_folder_in_which_verls_merger_left_an_adapter_is_refused(tmp_path):
    (tmp_path / "lora_adapter").mkdir()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"verl's merger left the adapter in .*/lora_adapter, and the base model"):
        resolve_model(str(tmp_path))


def test_a_merged_folder_of_someone_else_is_not_touched(checkpoint):
    actor, merges = checkpoint
    (actor / "merged").mkdir()
    with pytest.raises(InputError, match="was not made by this command"):
        resolve_model(str(actor))
    assert merges == []


def test_other_checkpoints(checkpoint):
    actor, merges = checkpoint
    (actor / "model_world_size_1_rank_0.pt").unlink()
    with pytest.raises(InputError, match="saved without the model"):
        resolve_model(str(actor))
    # Saved with hf_model: there is nothing to merge.
    (actor / "huggingface" / "model.safetensors").write_text("")
    assert resolve_model(str(actor.parent)) == str(actor / "huggingface")
    assert merges == []


def test_names_of_the_hub_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve_model("Qwen/Qwen3-8B") == "Qwen/Qwen3-8B"
    (tmp_path / "outputs").mkdir()
    for path in ("outputs/model", "./model", "/no/such/model", "~/no/such/model", "none"):
        with pytest.raises(InputError, match="no such folder"):
            resolve_model(path)
