"""Evaluation end to end: vLLM on the CPU with the demo's model, killed half-way, on verl's checkpoints too."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from examples.cpu_demo import questions as demo_questions
from recipe_tapo.evaluation.folder import load_evaluation

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "examples" / "cpu_demo" / "checkpoint"
PROBLEMS, RUNS, SAMPLES, CHUNK = 8, 2, 3, 8
RESPONSES = PROBLEMS * RUNS * SAMPLES


def command(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", "recipe_tapo", name, *map(str, arguments)]


def evaluation(data: Path, model: Path, output: Path, *options: object) -> list[str]:
    sizes = ("--runs", RUNS, "--samples", SAMPLES, "--chunk", CHUNK, "--max_tokens", 64, "--max_model_len", 128)
    where = ("--model", model, "--benchmark", f"arithmetic={data}/val.parquet", "--output", output)
    return command("evaluate", *where, *sizes, *options)


def run(arguments: list[str]) -> str:
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def content(folder: Path) -> dict[str, bytes | dict]:
    """All files; the settings without their date."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    files["settings.json"] = {**json.loads(files["settings.json"]), "date": None}
    return files


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    demo_questions.main(["--output_dir", str(folder), "--train_size", "4", "--val_size", str(PROBLEMS)])
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data) -> Path:
    """An evaluation without interruption."""
    folder = tmp_path_factory.mktemp("evaluations") / "whole"
    out = run(evaluation(data, CHECKPOINT, folder))
    assert f"{SAMPLES} samples × {RUNS} runs" in out and "vLLM" in out
    return folder


def test_the_demo_model_is_evaluated(whole):
    evaluated = load_evaluation(whole)
    metrics = evaluated.metrics
    assert len({record.key for record in evaluated.responses}) == len(evaluated.responses) == RESPONSES
    assert all(record.failure is None and 0 < record.tokens <= 64 for record in evaluated.responses)
    # The demo's model was made to be right now and then.
    right = sum(record.right for record in evaluated.responses)
    assert 0 < right < RESPONSES
    assert metrics[f"arithmetic/mean@{RUNS * SAMPLES}"] == pytest.approx(right / RESPONSES)
    passes = [metrics[f"arithmetic/pass@{k}"] for k in range(1, SAMPLES + 1)]
    assert passes == sorted(passes)
    assert all(value * PROBLEMS * RUNS == pytest.approx(round(value * PROBLEMS * RUNS)) for value in passes)
    # Samples of one problem differ: every response has a seed of its own.
    assert len({record.response for record in evaluated.responses}) > PROBLEMS


def test_killed_half_way_it_ends_with_the_same_files(whole, data, tmp_path):
    folder = tmp_path / "killed"
    journal = folder / "responses.jsonl"
    with subprocess.Popen(evaluation(data, CHECKPOINT, folder), stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (journal.exists() and journal.stat().st_size):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert 0 < journal.read_bytes().count(b"\n") < RESPONSES
    run(evaluation(data, CHECKPOINT, folder))
    assert content(folder) == content(whole)


def test_a_checkpoint_of_verl_is_merged_and_evaluated_by_two_replicas(whole, data, tmp_path):
    actor = tmp_path / "global_step_2" / "actor"
    (actor / "huggingface").mkdir(parents=True)
    for path in CHECKPOINT.iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, actor / "huggingface")
    (actor / "fsdp_config.json").write_text('{"FSDP_version": 2, "world_size": 1}')
    weights = load_file(CHECKPOINT / "model.safetensors")
    # The embedding is the output layer too, and the engine's state has both.
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    torch.save(weights, actor / "model_world_size_1_rank_0.pt")

    folder = tmp_path / "trained"
    run(evaluation(data, actor.parent, folder, "--data_parallel_size", 2, "--chunk", RESPONSES))
    merged = load_file(actor / "merged" / "model.safetensors")
    for name, tensor in merged.items():
        torch.testing.assert_close(tensor, weights[name].bfloat16())
    one, two = load_evaluation(whole), load_evaluation(folder)
    assert (two.settings["model"], two.settings["loaded_from"]) == (str(actor.parent), str(actor / "merged"))
    assert [record.key for record in two.responses] == [record.key for record in one.responses]
    assert all(record.failure is None for record in two.responses)
    # Seeds are the same; the merger's rounding to bfloat16 costs a token here and there.
    assert sum(record in one.responses for record in two.responses) > RESPONSES / 2
    out = run(command("compare", whole, folder))
    assert out.count("± ") > 2 * SAMPLES and "trained" in out


def test_what_is_no_model_gets_one_line(data, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    arguments = evaluation(data, tmp_path / "model", tmp_path / "out")
    result = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: no usable tokenizer with a chat template")
    assert "Traceback" not in result.stderr
