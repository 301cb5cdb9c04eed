"""The tables of the documentation say what code and configuration files say."""

import ast
import configparser
import json
import re

import pytest
import tomllib
import yaml
from doc_pages import DOCS, ROOT, codes, expanded, rows

from examples.study.arms import ARMS
from recipe_tapo.config import TapoConfig
from recipe_tapo.reasons import RejectReason

PACKAGE = ROOT / "recipe_tapo"


def flat(node, prefix=""):
    """Keys with dots, and their values."""
    items = {}
    for key, value in node.items():
        items |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return items


def recipe():
    return yaml.safe_load((ROOT / "configs" / "recipe" / "tapo.yaml").read_text())


def test_configuration_has_every_key_with_its_default():
    table = {
        codes(key)[0]: yaml.safe_load(codes(default)[0]) for key, default, *_ in rows(DOCS / "configuration.md", "Key")
    }
    assert table == flat(recipe()["tapo"])
    assert TapoConfig.from_mapping(recipe()["tapo"]) == TapoConfig()


def test_configuration_says_whose_every_default_is():
    for key, _, origin, meaning in rows(DOCS / "configuration.md", "Key"):
        assert origin in ("paper", "ours"), key
        assert meaning.endswith("."), key


def test_configuration_has_what_the_recipe_sets_in_verl():
    settings = {key: value for key, value in flat(recipe()).items() if not key.startswith("tapo.")}
    table = {codes(key)[0]: value for key, value, _ in rows(DOCS / "configuration.md", "Key of verl")}
    documented = set()
    for pattern, value in table.items():
        keys = [key for key in settings if re.fullmatch(re.escape(pattern).replace(r"\*", r"\w+"), key)]
        assert keys, f"{pattern}: not in the recipe"
        documented.update(keys)
        if len(keys) == 1 and codes(value):
            assert yaml.safe_load(codes(value)[0]) == settings[keys[0]], pattern
    assert documented == set(settings)


def test_the_ten_keys_of_the_readme():
    table = {codes(key)[0]: yaml.safe_load(codes(default)[0]) for key, default, _ in rows(ROOT / "README.md", "key")}
    assert len(table) == 10
    assert table.items() <= flat(recipe()["tapo"]).items()


def test_arms_are_the_files_and_set_what_they_set():
    table = {codes(arm)[0]: codes(sets) for arm, _, sets in rows(DOCS / "arms.md", "Arm")}
    files = {
        path.stem: flat(yaml.safe_load(path.read_text())["tapo"]) for path in (ROOT / "configs/arm").glob("*.yaml")
    }
    assert {
        arm: {k: yaml.safe_load(v) for k, v in (s.split("=") for s in sets)} for arm, sets in table.items()
    } == files


def names_in_code():
    """Names of metrics as the code spells them, with ``*`` where it fills something in."""
    found = set()
    for path in (PACKAGE / "engine").glob("*.py"):
        tree = ast.parse(path.read_text())
        formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
        parts = {id(part) for node in formatted for part in node.values}
        for node in formatted:
            found.add("".join(part.value if isinstance(part, ast.Constant) else "*" for part in node.values))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
                found.add(node.value)
    return {name for name in found if re.fullmatch(r"tapo(/[\w*]+)+", name)}


def test_metrics_are_those_of_the_code():
    table = rows(DOCS / "metrics.md", "Metric")
    names = (codes(metric)[0].replace("<reason>", "*").replace("<how>", "*") for metric, _ in table)
    documented = {name for pattern in names for name in expanded(pattern)}
    spread = {f"{name}/{end}" for name in names_in_code() for end in ("mean", "min", "max")}
    known = names_in_code()
    assert documented <= known | spread, "documented, but not in the code"
    assert known <= documented | {name.rsplit("/", 1)[0] for name in documented}, "in the code, but not documented"


def test_every_reason_is_explained():
    table = [codes(reason)[0] for reason, _ in rows(DOCS / "metrics.md", "Reason")]
    assert sorted(table) == sorted(reason.value for reason in RejectReason)


def test_the_numbers_of_the_readme_are_the_studys():
    number = re.compile(r"\d+\.\d ± \d+\.\d|[+−]\d+\.\d \[[+−]\d+\.\d, [+−]\d+\.\d\]|–")
    study = {}
    for arm, _, *cells in rows(ROOT / "examples" / "study" / "results" / "table.md", "arm")[:24]:
        study[arm] = [cell.replace("-", "−") for cell in cells[:4]]
    table = rows(ROOT / "README.md", "arm")
    assert len(table) == 4
    for arm, *cells in table:
        assert all(number.fullmatch(cell) for cell in cells)
        assert cells == study[arm], arm


def test_the_differences_of_misses_never_are_the_studys():
    results = ROOT / "examples" / "study" / "results" / "misses_never"
    ours = "ours: continuation, anchored, masked prefix, one denominator, "
    names = {"TAPO": "TAPO", "turning without OTS": f"{ours}w/o OTS", "turning": f"{ours}OTS spares the turn"}
    records = map(json.loads, (results / "results.jsonl").read_text().splitlines())
    runs = sum(ARMS[record["arm"]].title in ("GRPO", *names.values()) for record in records)  # without the ablations
    measured = {}
    for arm, _, *cells in rows(results / "table.md", "arm"):  # held-out accuracy, then at equal tokens
        measured.setdefault(arm, []).extend(cell.replace("-", "−") for cell in cells if "[" in cell)
    shown = rows(DOCS / "study.md", f"`misses_never`, {runs} of 60 runs")
    assert len(shown) == len(names)
    for name, sampled, greedy, pass_at_8, equal_tokens in shown:
        found = [cell.strip("*") for cell in (greedy, sampled, pass_at_8, equal_tokens)]
        known = measured[names[name]]
        assert found == [*known[:3], known[4]], name  # the fourth is that of the tokens themselves
    readme = (ROOT / "README.md").read_text()
    said = r"(\d+\.\d) points above GRPO in the mean of samples \(95 % interval (\d+\.\d) to (\d+\.\d)"
    interval = re.search(said, readme)
    assert interval is not None and f"{runs} of 60 planned runs" in readme
    assert measured[names["turning"]][1] == "+{} [+{}, +{}]".format(*interval.groups())


def test_versions_are_those_of_setup_cfg():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    required = [line for line in setup["options"]["install_requires"].splitlines() if line]
    for what, versions in rows(DOCS / "compatibility.md", ""):
        for specifier in codes(versions)[:1] if what in ("verl", "TransferQueue", "Hydra") else []:
            name = {"Hydra": "hydra-core"}.get(what, what)
            assert name + specifier in required, what
    assert f"`{setup['options']['python_requires']}`" == "`>=3.10`"


def test_the_tree_is_the_one_on_disk():
    table = [codes(folder)[0] for folder, _ in rows(DOCS / "architecture.md", "Folder")]
    assert all((ROOT / folder).is_dir() for folder in table)
    packages = {f"recipe_tapo/{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}
    assert packages <= set(table)


def test_the_layers_are_those_of_the_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["name"] == "Imports run one way")
    table = [codes(layer) for layer, _ in rows(DOCS / "architecture.md", "Layer")]
    assert table == [layer.split(" | ") for layer in layers]


FOLDERS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


@pytest.mark.parametrize("name", sorted(FOLDERS - {"cli", "config"}))
def test_each_folder_has_an_api_page(name):
    """But for what users meet as commands and as configuration, which have pages of their own."""
    assert f"::: recipe_tapo.{name}\n" in (DOCS / "api" / f"{name}.md").read_text()


def test_hooks_are_those_of_the_code():
    from recipe_tapo.engine.hooks import HOOKS

    items = []
    for hook in HOOKS:
        code = ", ".join(f"`{path}`" for path in hook.code.split(", "))
        lines = [f"- **`{hook.symbol.path}`**, in {code}: {hook.what}."]
        lines += [f"    - *Process:* {hook.process}.", f"    - *Why:* {hook.why}."]
        lines += [f"    - *Waits for:* {hook.waits_for}."] if hook.waits_for else []
        items.append("\n".join(lines))
    page = (DOCS / "architecture.md").read_text()
    section = page[page.index("## The hooks") :]
    assert section[section.index("- **") :].strip() == "\n\n".join(items)
