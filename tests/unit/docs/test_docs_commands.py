"""Every command that README, CONTRIBUTING and docs show is a file of ``docs/commands`` which is run here.

Each file is run by bash with programs that only note their arguments, which the real parsers then read. Files whose
commands are quick are also run in earnest. One whose commands need a GPU or a network says so in its first line.
"""

import argparse
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pandas
import pytest
from doc_pages import COMMANDS, DOCS, PAGES, ROOT, blocks, codes, expanded, rows

SHOWING = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
SHELL = {"bash", "sh", "shell", "console", "zsh"}
NEEDS = re.compile(r"# Needs a (GPU|network|GPU and a network)( \([\w ]+\))?\.")
# The demo's task: question, answer, solution.
PROBLEMS = (
    ("Compute 1+2*3+4 mod 13", "0", "1+2=3\n3*3=9\n9+4=0"),
    ("Compute 2*5+1 mod 13", "11", "2*5=10\n10+1=11"),
)
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
EXTRAS = SETUP["options.extras_require"]
RECORDED = ("python", "tapo", "make", "pip", "vllm", "mv")


def text_of(name):
    return (DOCS / "commands" / f"{name}.sh").read_text(encoding="utf-8")


def shown(path):
    """The shell blocks of a page."""
    return [block.text for block in blocks(path.read_text(encoding="utf-8")) if block.language in SHELL]


@pytest.mark.parametrize("page", SHOWING, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_repeats_the_files(page):
    """Word for word, so that a page can be read where nothing fills it in."""
    known = {path.read_text(encoding="utf-8") for path in COMMANDS}
    texts = shown(page)
    assert texts or page in PAGES
    for text in texts:
        assert text in known, f"{page.name} shows what no file of docs/commands holds:\n{text}"


def test_every_file_is_shown():
    texts = {text for page in SHOWING for text in shown(page)}
    assert [path.name for path in COMMANDS if path.read_text(encoding="utf-8") not in texts] == []


@pytest.fixture
def sandbox(tmp_path):
    """A folder like a checkout, with a PATH of its own."""
    for name in ("examples", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(folder, name, text):
    path = folder / "bin" / name
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)


def run(folder, name):
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHON", "OUT", "MODEL")}
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", str(DOCS / "commands" / f"{name}.sh")],
        cwd=folder,
        env={**environment, "PATH": path, "HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def recorded(folder, name):
    """The commands of a file, as lists of words, those of the scripts it calls among them."""
    record = folder / "record"
    for each in RECORDED:
        program(folder, each, f'printf "%s\\0" {each} "$@" >> {record}; printf "\\x1e" >> {record}')
    trained = folder / "outputs" / "cold-start" / "checkpoints"  # what the recorded training does not write
    trained.mkdir(parents=True)
    (trained / "latest_checkpointed_iteration.txt").write_text("527")
    result = run(folder, name)
    assert result.returncode == 0, result.stderr
    return [call.split("\0")[:-1] for call in record.read_text().split("\x1e") if call]


class _Parsed(Exception):
    """The command line is right; what would come next is not done here."""


def check_module(module, arguments, monkeypatch):
    """Has a module's own parser read the arguments."""
    if module in ("torch.distributed.run", "verl.model_merger"):
        return  # test_shell_scripts composes what examples/run_cold_start_sft.sh gives them
    if module == "verl.trainer.main_ppo":
        check_training(arguments)
        return
    if module == "pytest":
        assert all((ROOT / argument).exists() for argument in arguments)
        return
    check_program(import_module(entry(module)).main, module, arguments, monkeypatch)


def entry(module):
    return f"{module}.__main__" if (ROOT / module.replace(".", "/")).is_dir() else module


def check_program(main, name, arguments, monkeypatch):
    original = argparse.ArgumentParser.parse_args

    def parse(parser, args=None, namespace=None):
        original(parser, args, namespace)
        raise _Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    with pytest.raises(_Parsed):
        main()


def check_training(overrides):
    import verl  # noqa: F401  loads the plug-in
    from hydra import compose, initialize_config_module
    from verl.utils.config import validate_config

    from recipe_tapo.engine.verl_config import check_config

    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("ppo_trainer", overrides=overrides)
    validate_config(config=config, use_reference_policy=False, use_critic=False)
    check_config(config)


def check(words, monkeypatch):
    """Fails if a command would not get past its parser."""
    name, *arguments = words
    if name == "tapo":
        from recipe_tapo.cli.main import parse

        parse(arguments)
    elif name == "python" and arguments[0] == "-m":
        check_module(arguments[1], arguments[2:], monkeypatch)
    elif name == "python":
        script = Path(arguments[0])
        module = ".".join(script.with_suffix("").parts[-1:])
        monkeypatch.syspath_prepend(ROOT / script.parent)
        check_program(import_module(module).main, arguments[0], arguments[1:], monkeypatch)
    elif name == "make":
        result = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    elif name == "pip":
        assert arguments[0] == "install"
        if "-e" in arguments:
            extras = re.fullmatch(r"\.(?:\[([\w,]+)\])?", arguments[-1])[1]
            assert set((extras or "gpu").split(",")) <= set(EXTRAS)
    else:
        assert name in ("vllm", "mv"), words


@pytest.mark.parametrize("name", [path.stem for path in COMMANDS])
def test_the_commands_of_a_file_are_ones_that_their_programs_understand(name, sandbox, monkeypatch):
    commands = recorded(sandbox, name)
    assert commands
    for words in commands:
        with monkeypatch.context() as patch:
            check(words, patch)


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_what_needs_a_gpu_or_a_network_says_so(path):
    text = path.read_text(encoding="utf-8")
    first = text.splitlines()[0]
    needs = NEEDS.fullmatch(first)
    assert needs or not first.startswith("# Needs"), f"{path.name}: {first}"
    gpu = re.search(r"run_qwen3|run_cold_start|tests/gpu|vllm serve|\+recipe=tapo |zpd_filter|checkpoints/global", text)
    hub = re.search(r"pip install|Qwen/|judge_url|data_prep\.benchmarks(?! --local)", text)
    if gpu and "base_url" not in text:
        assert needs and "GPU" in needs[1]
    if hub:
        assert needs, f"{path.name} asks a hub or a server and does not say so"


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with everything that the commands read which are run in earnest."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "bin").mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    shutil.copy(ROOT / "Makefile", folder)
    program(folder, "python", f'exec {sys.executable} -W ignore "$@"')
    program(folder, "tapo", f'exec {sys.executable} -W ignore -m recipe_tapo "$@"')

    for number, name in enumerate(("aime_2024", "aime_2025", "hmmt_feb_2025")):
        sums = [{"problem": f"What is {number} + {n}?", "answer": str(number + n)} for n in range(30)]
        write_lines(folder / "downloads" / "benchmarks" / f"{name}.jsonl", sums)
    shutil.copy(ROOT / "tests" / "data" / "sample_deepscaler.json", folder / "downloads" / "deepscaler.json")

    write_benchmark(folder / "val.parquet")
    write_lines(folder / "answers.jsonl", answers(right=2))
    for model, right in (("grpo", 1), ("tapo", 2)):
        write_lines(folder / f"{model}.jsonl", answers(right))
        arguments = ["--responses", f"{model}.jsonl", "--benchmark", "arithmetic=val.parquet"]
        command = [sys.executable, "-m", "recipe_tapo", "evaluate", *arguments, "--output", f"evaluations/{model}"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        metrics = {"tapo/ots_weight/mean": 1.0, "actor/grad_norm": 0.2}
        write_lines(folder / "outputs" / model / "metrics.jsonl", [{"step": n, "data": metrics} for n in (1, 2)])
    write_lines(folder / "responses.jsonl", [{"response": r"so \boxed{4}", "ground_truth": "4"}])
    question, _, solution = PROBLEMS[0]
    attempt = {"step": 1, "uid": "a", "question": question, "error_rollout": solution, "correct_rollout": solution}
    attempt |= {"raw_output": solution, "reconstruction": solution, "prefix_text": "", "prefix_length": 0}
    attempt |= {"prefix_fraction": 0.0, "reward": 1.0, "right": True, "key": "a_8_0"}
    write_lines(folder / "outputs" / "tapo" / "constructions" / "1-x.jsonl", [attempt])
    return folder


def write_benchmark(path):
    rows = [
        {
            "data_source": "tapo/arithmetic",
            "prompt": [{"role": "user", "content": question}],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": gold},
            "extra_info": {"split": "test", "index": number, "question": question},
        }
        for number, (question, gold, _) in enumerate(PROBLEMS)
    ]
    pandas.DataFrame(rows).to_parquet(path)


def answers(right):
    """Three responses to each question, the first ``right`` of them with the right answer."""
    for number, (_, gold, solution) in enumerate(PROBLEMS):
        for sample in range(3):
            wrong = str(int(gold) + 1)
            text = f"{solution}\nFinal Answer: \\boxed{{{gold if sample < right else wrong}}}"
            yield {"benchmark": "arithmetic", "problem_idx": number, "run": 0, "sample": sample, "response": text}


WRITES = {
    "compare": ["comparison.html"],
    "data_local": [
        "data/aime_2024.parquet",
        "data/aime_2025.parquet",
        "data/hmmt_feb_2025.parquet",
        "data/train.parquet",
    ],
    "evaluate_responses": ["evaluations/elsewhere/metrics.json"],
    "grade": ["graded.jsonl"],
    "make_help": [],
    "plot": ["figure.png", "figure.svg"],
    "reflect_function": ["reflection/reflection.json"],
    "report": ["report.html"],
}


@pytest.mark.parametrize("name", WRITES)
def test_quick_commands_do_what_they_say(name, workplace):
    result = run(workplace, name)
    assert result.returncode == 0, result.stderr
    for path in WRITES[name]:
        assert (workplace / path).stat().st_size > 0


def test_the_keys_of_metrics_json_are_the_documented_ones(workplace):
    known = json.loads((workplace / "evaluations" / "tapo" / "metrics.json").read_text())
    documented = [code for _, keys, _ in rows(DOCS / "evaluation.md", "Measure") for code in codes(keys)]
    assert len(documented) > 12
    # 2 problems, 1 run of 3 samples.
    for old, new in (("@k", "@1"), ("@n", "@3"), ("@<samples>", "@3"), ("@<n>", "@3"), ("…", "pass@1")):
        documented = [key.replace(old, new) for key in documented]
    assert {f"arithmetic/{name}" for key in documented for name in expanded(key)} <= set(known)
