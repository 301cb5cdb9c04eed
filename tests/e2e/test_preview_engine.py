"""``tapo preview`` on vLLM with the demo's model: in the process, and on a running server."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from examples.cpu_demo import questions as demo_questions
from recipe_tapo.cpu import environment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "examples" / "cpu_demo" / "checkpoint"
VARIANTS = ("micro_reflective", "continuation:judge:none", "continuation:teacher:fixed", "continuation:answer:none")


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    demo_questions.main(["--output_dir", str(folder), "--train_size", "6", "--val_size", "4"])
    return folder / "train.parquet"


def preview(questions, output, *where):
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "recipe_tapo", "preview", "--input", str(questions), "--output",
         str(output), "--max_tokens", "200", "--max_model_len", "2000", "--variants", *VARIANTS, "--set",
         "synthesis.min_new_tokens=5", "selection.n_pos=1", "selection.n_neg=1", "selection.m_max=2", *where],
        capture_output=True, text=True, timeout=600, cwd=ROOT,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    assert (output / "preview.html").is_file()
    return {summary["name"]: summary for summary in json.loads((output / "preview.json").read_text())}


def check(summaries):
    rewriting, judged, taught, answered = (summaries[name.replace(":", "_")] for name in VARIANTS)
    assert rewriting["attempts"] > 0
    assert {summary["attempts"] for summary in (judged, taught, answered)} == {rewriting["attempts"]}
    assert rewriting["usable"] > 0.5  # what the model was cold-started for
    assert 0 < rewriting["nll"] < 2 and rewriting["turn_nll"] > 0 and 0 <= rewriting["at_w_min"] < 1
    for summary in (judged, taught, answered):
        # The model never saw these prompts; that requests fail or locating does would be an error of ours.
        assert not {"request_failed", "timed_out", "internal_error", "does_not_fit"} & set(summary["rejected"])
    assert not any("locate_failed" in summary["rejected"] for summary in (judged, answered))


def test_in_the_process(questions, tmp_path):
    check(preview(questions, tmp_path / "out", "--model", str(CHECKPOINT)))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(CHECKPOINT)]
    command += ["--served-model-name", "demo", "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    command += [
        "--enforce-eager",
        "--max-model-len",
        "2000",
        "--no-enable-chunked-prefill",
        "--max-num-batched-tokens",
        "4096",
    ]
    with open(log, "w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**environment.VLLM, **os.environ})
    try:
        for _ in range(400):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except OSError:
                assert process.poll() is None, log.read_text()[-3000:]
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


def test_on_a_running_server(questions, tmp_path, server):
    where = ("--base_url", server, "--model", "demo", "--tokenizer", str(CHECKPOINT))
    check(preview(questions, tmp_path / "out", *where))
