"""Each row of docs/compatibility.yaml is held to what it says, and the page shows the rows."""

import ast

import pytest
import yaml
from doc_pages import DOCS, ROOT, rows
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from recipe_tapo.config import TapoConfigError
from recipe_tapo.engine.verl_config import check_config

ROWS = yaml.safe_load((DOCS / "compatibility.yaml").read_text(encoding="utf-8"))
STATES = ("tested", "gpu", "composes", "refused")
HARNESS = ROOT / "tests" / "e2e" / "engine.py"
DYNAMIC = "actor_rollout_ref.actor.use_dynamic_bsz=true"


def of_state(*states):
    chosen = [row for row in ROWS if row["state"] in states]
    return pytest.mark.parametrize("row", chosen, ids=[row["setting"] for row in chosen])


def composed(*overrides):
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("ppo_trainer", overrides=list(overrides))


def shown(row):
    """A row of the page: the setting, its state with where to see it, the overrides."""
    where = {"tested": row.get("test", "").split("::")[-1], "gpu": row.get("section", "")}.get(row["state"], "")
    state = {"gpu": "tested on a GPU", "tested": "tested end to end on the CPU"}.get(row["state"], row["state"])
    links = {"tested": f": `{where}`", "gpu": f": [{where}](#{where.lower().replace(' ', '-')})"}
    overrides = ", ".join(f"`{override}`" for override in row["overrides"])
    return [row["setting"], state + links.get(row["state"], ""), overrides]


def test_the_page_shows_the_rows():
    assert rows(DOCS / "compatibility.md", "Setting of verl") == [shown(row) for row in ROWS]


def test_rows_are_of_a_known_state_and_each_setting_has_one():
    assert {row["state"] for row in ROWS} <= set(STATES)
    assert len({row["setting"] for row in ROWS}) == len(ROWS)


@of_state("tested", "gpu", "composes")
def test_it_composes_and_passes_both_checks(row):
    from verl.trainer.ppo.utils import need_reference_policy
    from verl.utils.config import validate_config

    dynamic = [] if any("use_dynamic_bsz" in override for override in row["overrides"]) else [DYNAMIC]
    config = composed("+recipe=tapo", *dynamic, *row["overrides"])
    validate_config(config=config, use_reference_policy=need_reference_policy(config), use_critic=False)
    check_config(config)


@of_state("refused")
def test_it_is_refused(row):
    with pytest.raises(TapoConfigError):
        check_config(composed("+recipe=tapo", *row["overrides"]))


@of_state("tested")
def test_the_test_exists_and_uses_the_overrides(row):
    """They stand in the test or in the harness that starts its runs, or the CPU recipe of its runs has them."""
    file, _, name = row["test"].partition("::")
    source = (ROOT / file).read_text(encoding="utf-8")
    (function,) = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name)
    segment = ast.get_source_segment(source, function) + HARNESS.read_text(encoding="utf-8")
    default = composed("+recipe=[tapo,cpu]")
    for override in row["overrides"]:
        key, _, value = override.partition("=")
        stated = f'"{override}"' in segment
        assert stated or str(OmegaConf.select(default, key)) == value, override
        assert stated or f'"{key}=' not in segment, f"{override}: the test sets another"


@of_state("gpu")
def test_the_section_of_the_page_exists(row):
    assert f"### {row['section']}\n" in (DOCS / "compatibility.md").read_text(encoding="utf-8")
