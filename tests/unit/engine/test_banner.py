"""What a run says of itself at its start."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from recipe_tapo.config import TapoConfig
from recipe_tapo.engine.banner import banner

ROOT = Path(__file__).parents[3]
CONFIG = OmegaConf.create(
    {
        "actor_rollout_ref": {"rollout": {"n": 8}, "actor": {"policy_loss": {"loss_mode": "tapo"}}},
        "reward": {"custom_reward_function": {"path": "pkg://recipe_tapo.reward", "name": "compute_score"}},
    }
)


@pytest.mark.parametrize(
    ("mode", "model", "other"),
    [("micro_reflective", "with", "continuation"), ("continuation", "without", "micro_reflective")],
)
def test_it_says_which_model_the_mode_is_for_and_which_mode_the_others_take(mode, model, other):
    (line,) = [
        line
        for line in banner(TapoConfig.from_mapping({"synthesis": {"mode": mode}}), CONFIG).splitlines()
        if line.startswith("  when ")
    ]
    assert f"for a model {model} the paper's cold start" in line
    assert f"use tapo.synthesis.mode={other}" in line


def test_a_policy_that_is_to_doubt_in_its_own_words_needs_a_cold_start_that_teaches_it():
    tapo = TapoConfig.from_mapping({"synthesis": {"mode": "continuation", "transition": "own"}})
    assert "for a model with a cold start of --ift_mode continuation" in banner(tapo, CONFIG)


def test_it_says_how_a_synthesis_is_sampled():
    def line(**synthesis):
        lines = banner(TapoConfig.from_mapping({"synthesis": synthesis}), CONFIG).splitlines()
        return next(line for line in lines if line.startswith("  sampling")).split(maxsplit=1)[1]

    assert line() == "as the rollouts, one try"
    assert line(mode="continuation", top_p=0.9) == "temperature=0.7 top_p=0.9, up to 3 tries"


def test_it_says_what_is_spared_by_ots():
    assert "at least 1 in the first 8 tokens of a turn" in banner(
        TapoConfig.from_mapping({"ots": {"spare_turn": 8}}), CONFIG
    )


def test_it_names_the_reward_function_and_a_loss_that_it_does_not_know():
    config = OmegaConf.merge(CONFIG, {"actor_rollout_ref": {"actor": {"policy_loss": {"loss_mode": "mine"}}}})
    config.reward.custom_reward_function.path = None
    printed = banner(TapoConfig(), config)
    assert "reward      verl's own scorers, by data_source" in printed
    assert "mine must multiply rollout_is_weights into each token's term" in printed
    assert "must multiply" not in banner(TapoConfig(), CONFIG)
    assert "compute_score of pkg://recipe_tapo.reward" in banner(TapoConfig(enable=False), CONFIG)


def test_what_constructs_nothing_gives_no_advice():
    assert "cold start" not in banner(TapoConfig(enable=False), CONFIG)


def test_the_documentation_shows_what_a_run_prints():
    recipe = OmegaConf.load(ROOT / "configs" / "recipe" / "tapo.yaml").tapo
    recipe.dump_dir = "outputs/qwen3-8b-tapo/constructions"
    printed = banner(TapoConfig.from_mapping(OmegaConf.to_container(recipe, resolve=True)), CONFIG).strip("\n")
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert f"```text\n{printed}\n```" in page
