"""Data end to end on the CPU: vLLM and the demo model, runs killed half-way, verl's loaders and its SFT trainer."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from engine import CHECKPOINT, ROOT
from omegaconf import OmegaConf

from examples.cpu_demo import questions as demo_questions

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SHARED = ROOT.parent / "shared" / "data"
QUESTIONS, N, CHUNK = 32, 4, 16
SAMPLING = ("--model", str(CHECKPOINT), "--n", str(N), "--max_tokens", "64", "--max_model_len", "256")
ENVIRONMENT = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}


def command(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"data_prep.{module}", *map(str, arguments)]


def run(module: str, *arguments: object) -> str:
    """Runs a command to its end; returns what it printed."""
    result = subprocess.run(
        command(module, *arguments), cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=400
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


def kill_half_way(journal: Path, module: str, *arguments: object) -> int:
    """Starts a command and ends it by SIGKILL once its journal has results; returns how many are there."""
    process = subprocess.Popen(
        command(module, *arguments),
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while not (journal.exists() and journal.stat().st_size):
        assert process.poll() is None and time.monotonic() < deadline, "ended before its first results"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return len(journal.read_text().splitlines())


def files(folder: Path, prefix: str = "") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob(f"{prefix}*") if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    demo_questions.main(["--output_dir", str(folder), "--train_size", str(QUESTIONS), "--val_size", "8"])
    return folder


@pytest.fixture(scope="module")
def filtered(folder) -> Path:
    """The folder of a ZPD filter that was killed half-way and started again."""
    target = folder / "filtered"
    arguments = ("--input", folder / "train.parquet", "--output", target / "zpd.parquet", "--chunk", CHUNK, *SAMPLING)
    done = kill_half_way(target / "zpd.responses.jsonl", "zpd_filter", *arguments)
    assert 0 < done < QUESTIONS * N
    assert not (target / "zpd.parquet").exists()
    printed = run("zpd_filter", *arguments)
    assert re.search(rf"queries read\D+{QUESTIONS}\b", printed)
    return target


def test_the_filter_killed_half_way_ends_like_one_that_was_not(filtered, built):
    # The builder, which nothing interrupted, sampled the same questions with the same seed and settings.
    assert (filtered / "zpd.responses.jsonl").read_bytes() == (built / "responses.jsonl").read_bytes()
    assert sorted(files(filtered)) == [
        *("zpd.accuracy.png", "zpd.parquet", "zpd.responses.jsonl", "zpd.responses.jsonl.settings.json")
    ]


def test_the_filter_keeps_what_its_responses_say(folder, filtered):
    responses = [json.loads(line) for line in (filtered / "zpd.responses.jsonl").read_text().splitlines()]
    assert len(responses) == QUESTIONS * N
    assert {response["failure"] for response in responses} == {None}
    shares = [sum(r["right"] for r in responses[start : start + N]) / N for start in range(0, QUESTIONS * N, N)]
    rows = pq.read_table(filtered / "zpd.parquet").to_pylist()
    assert [row["extra_info"]["accuracy"] for row in rows] == [share for share in shares if 0.125 <= share <= 0.875]
    questions = pq.read_table(folder / "train.parquet")["prompt"].to_pylist()
    kept = [question for question, share in zip(questions, shares, strict=True) if 0.125 <= share <= 0.875]
    assert [row["prompt"] for row in rows] == kept
    # Responses to one question differ: each has a seed of its own.
    texts = [response["text"] for response in responses]
    assert any(len(set(texts[start : start + N])) > 1 for start in range(0, QUESTIONS * N, N))


@pytest.fixture(scope="module")
def built(folder) -> Path:
    """The folder of a cold-start set that nothing interrupted, and that sampled its own responses."""
    run("cold_start", *cold_start_arguments(folder, folder / "set"))
    return folder / "set"


def cold_start_arguments(folder: Path, output: Path) -> tuple[object, ...]:
    sizes = ("--sft_size", 8, "--ift_size", 4, "--fill_up", "--max_row_tokens", 256, "--chunk", CHUNK)
    files = ("--input", folder / "train.parquet", "--output_dir", output, "--synthesis_max_tokens", 96)
    files = (*files, "--min_new_tokens", 5)  # as the demo's recipe
    return (*files, *sizes, *SAMPLING)


def test_the_builder_killed_half_way_ends_like_one_that_was_not(folder, filtered, built):
    responses = filtered / "zpd.responses.jsonl"  # the same as those that the builder sampled itself
    cut = folder / "cut_set"
    arguments = (*cold_start_arguments(folder, cut), "--responses", responses)
    done = kill_half_way(cut / "constructions.jsonl", "cold_start", *arguments)
    assert 0 < done < QUESTIONS
    assert not (cut / "cold_start.parquet").exists()
    run("cold_start", *arguments)
    expected = files(built)
    for name in ("responses.jsonl", "responses.jsonl.settings.json"):
        del expected[name]
    assert files(cut) == expected


def test_the_builders_rows_are_what_its_report_says(built):
    report = json.loads((built / "report.json").read_text())
    rows = pq.read_table(built / "cold_start.parquet").to_pylist()
    constructions = report["constructions"]
    assert report["queries"] == QUESTIONS == constructions["attempted"] + sum(report["ineligible"].values())
    assert constructions["attempted"] == constructions["verified_right"] + sum(constructions["rejected"].values())
    assert constructions["verified_right"] > 0
    assert len(rows) == report["rows"]["total"]
    assert sum(row["format"] == "ift" for row in rows) == report["rows"]["ift"]["trajectories"] > 0
    trajectories = [row for row in rows if row["format"] == "sft" and not row["fill_up"]]
    assert len(trajectories) == report["rows"]["sft"]["trajectories"] > 0
    examples = (built / "examples.md").read_text()
    assert examples.count("## Wrong response") == min(10, len(trajectories))


def test_verls_own_datasets_load_every_file(folder, filtered, built, tmp_path, monkeypatch):
    import datasets
    from transformers import AutoTokenizer
    from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset
    from verl.utils.dataset.rl_dataset import RLHFDataset

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    rl_config = OmegaConf.create({"max_prompt_length": 64, "filter_overlong_prompts_workers": 1})
    for path in (folder / "train.parquet", filtered / "zpd.parquet"):
        dataset = RLHFDataset(str(path), tokenizer, rl_config)
        assert len(dataset) == pq.read_metadata(path).num_rows
        assert isinstance(dataset[0]["reward_model"]["ground_truth"], str)
    sft_config = OmegaConf.create({"pad_mode": "no_padding", "max_length": 256, "truncation": "error"})
    rows = pq.read_table(built / "cold_start.parquet").to_pylist()
    dataset = MultiTurnSFTDataset(str(built / "cold_start.parquet"), tokenizer, sft_config)
    assert len(dataset) == len(rows)
    for row, item in zip(rows, (dataset[number] for number in range(len(rows))), strict=True):
        trained = tokenizer.decode(item["input_ids"][item["loss_mask"].bool()])
        assert trained == f"{row['messages'][-1]['content']}{tokenizer.eos_token}\n"


SCRIPT = ROOT / "examples" / "run_cold_start_sft.sh"


def cold_start(built: Path, output: Path, *overrides: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the script on the rows that were built, at a rate at which so small a model learns something from so few."""
    environment = {
        **ENVIRONMENT,
        **{"PYTHON": sys.executable, "MODEL": str(CHECKPOINT), "TRAIN_FILE": str(built / "cold_start.parquet")},
        **{"OUT": str(output), "N_GPUS": "1", "BATCH": "4", "MAX_LENGTH": "256", "CHAT_TEMPLATE_KWARGS": "{}"},
        **variables,
    }
    rates = ["optim.lr=1e-3", "optim.lr_warmup_steps=1", "optim.weight_decay=0"]
    command = ["bash", str(SCRIPT), *rates, *overrides]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)


@pytest.fixture(scope="module")
def started(built, tmp_path_factory) -> Path:
    """The folder of a cold start that nothing interrupted."""
    folder = tmp_path_factory.mktemp("started")
    result = cold_start(built, folder)
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    return folder


def logged_losses(folder: Path, start: int) -> dict[int, float]:
    """The losses by step that a start from a step logged."""
    lines = (folder / f"metrics-from-step-{start}.jsonl").read_text().splitlines()
    return {entry["step"]: entry["data"]["train/loss"] for entry in map(json.loads, lines)}


def test_a_run_script_killed_at_and_between_epoch_ends_trains_every_step_once(built, started, tmp_path):
    expected = logged_losses(started, 0)
    per_epoch = len(expected) // 3
    assert per_epoch >= 3  # so that the second epoch has a step left

    def killed_in_step(step: int, first: int, *overrides: str) -> None:
        dataset = [f"data.custom_cls.path={ROOT / 'tests' / 'support' / 'killed_dataset.py'}"]
        dataset += ["data.custom_cls.name=KilledAtRow"]
        # Its rows are loaded when the step before it has ended and its checkpoint, if any, is written.
        variables = {"KILLED_AT_ROW": str(4 * (step - first))}
        result = cold_start(built, tmp_path, *dataset, *overrides, **variables)
        assert result.returncode != 0 and "SIGKILL" in result.stderr, (result.stdout + result.stderr)[-4000:]

    second = per_epoch + 1  # the first step of the second epoch
    latest = tmp_path / "checkpoints" / "latest_checkpointed_iteration.txt"
    killed_in_step(second + 1, 1)  # goes on from the first epoch's end
    assert latest.read_text() == str(per_epoch)
    killed_in_step(second + 2, second, "trainer.save_freq=1")  # goes on from between two epochs' ends
    assert latest.read_text() == str(second + 1)

    result = cold_start(built, tmp_path)
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    trained = {}
    for start in (0, per_epoch, second + 1):
        trained.update(logged_losses(tmp_path, start))
    assert trained == expected  # rows, weights and learning rates of every step are those of the whole run


def test_the_run_script_ends_in_a_model_that_rl_can_start_from(built, started):
    entries = [json.loads(line) for line in (started / "metrics-from-step-0.jsonl").read_text().splitlines()]
    per_epoch = pq.read_metadata(built / "cold_start.parquet").num_rows // 4
    assert [entry["step"] for entry in entries] == list(range(1, 3 * per_epoch + 1))
    losses = [entry["data"]["train/loss"] for entry in entries]
    assert sum(losses[-per_epoch:]) < sum(losses[:per_epoch])

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    merged = AutoModelForCausalLM.from_pretrained(started / "hf")
    start = AutoModelForCausalLM.from_pretrained(CHECKPOINT).state_dict()
    for name, weight in merged.state_dict().items():
        moved = (weight.float() - start[name]).abs()
        assert moved.max() > 0, name
        # Adam moves a weight by at most about the learning rate a step; the merger rounds to bfloat16.
        assert (moved <= 1e-3 * len(entries) * 1.5 + start[name].abs() / 256).all(), name
    tokenizer = AutoTokenizer.from_pretrained(started / "hf")
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(CHECKPOINT).chat_template
    assert torch.isfinite(merged(torch.tensor([tokenizer.encode("Compute 1+1")])).logits).all()


def test_forty_thousand_rows_are_quick_and_small(tmp_path):
    sources = [SHARED / "deepscaler_math.json", SHARED / "deepscaler_aime.json"]
    if not SHARED.is_dir():
        sources = [ROOT / "tests" / "data" / "sample_deepscaler.json"]
    rows = [row for path in sources for row in json.loads(path.read_text())]
    many = [
        {**rows[n % len(rows)], "problem": f"Variant {n // len(rows)}: {rows[n % len(rows)]['problem']}"}
        for n in range(40_000)
    ]
    (tmp_path / "in.json").write_text(json.dumps(many))
    code = "import resource, sys; from data_prep.deepscaler import main; main(); "
    code += "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    arguments = ["--local_dataset_path", tmp_path / "in.json", "--local_save_dir", tmp_path / "out", "--no-check_gold"]
    if SHARED.is_dir():
        arguments += ["--benchmarks", SHARED]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0, result.stderr
    assert pq.read_metadata(tmp_path / "out" / "train.parquet").num_rows > 20_000
    assert after.ru_utime - before.ru_utime < 20  # seconds of the CPU
    assert int(result.stderr.split("peak")[-1]) * 1024 < 2 * 2**30
