"""The wheel: complete, usable from any directory, and no stray top-level names."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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
    config = compose("ppo_trainer", overrides=["+recipe=[tapo,cpu]"])
print(recipe_tapo.__file__, config_source(), config.tapo.lambda_ref, config.trainer.device)
"""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split()[-4:] == [f"{site}/recipe_tapo/__init__.py", "pkg://recipe_tapo.configs", "1.0", "cpu"]


@pytest.mark.parametrize("name", ["configs", "data_prep", "examples"])
def test_nothing_of_the_checkout_becomes_a_top_level_name(name, tmp_path):
    result = subprocess.run([sys.executable, "-c", f"import {name}"], cwd=tmp_path, capture_output=True, text=True)
    assert "ModuleNotFoundError" in result.stderr
