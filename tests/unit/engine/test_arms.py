"""Every arm in ``configs/arm`` composes, passes both validations and differs from TAPO by what it says."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from hydra_runs import start
from omegaconf import OmegaConf
from recorded_scripts import recorded_arguments

from recipe_tapo.config import TapoConfigError
from recipe_tapo.engine.arms import check_arm_order

ROOT = Path(__file__).resolve().parents[3]
ARMS = sorted(path.stem for path in (ROOT / "configs" / "arm").glob("*.yaml"))

NO_OTS = {"ots.enable": False}
NO_NEGATIVES = {"keep_negatives": False}
ANCHORED = {"advantage.mode": "anchored"}
MASKED = {"mask": "prefix"}
DIFFERENCES = {
    "grpo": {"enable": False},
    "tapo": {},
    "opsd": {"opsd.enable": True},
    "wo_ots": NO_OTS,
    "wo_negatives": NO_NEGATIVES,
    "wo_ots_negatives": NO_OTS | NO_NEGATIVES,
    "wo_dae_ots_negatives": NO_OTS | NO_NEGATIVES | {"advantage.mode": "joint", "loss_normalization": "joint"},
    "full_reconstruction": {"synthesis.mode": "full_reconstruction"},
    "thresholds_2_2_2": {"selection.n_neg": 2, "selection.m_max": 2},
    "thresholds_2_2_4": {"selection.n_neg": 2},
    "thresholds_1_5_3": {"selection.n_pos": 1, "selection.n_neg": 5, "selection.m_max": 3},
    "anchored": ANCHORED,
    "masked_prefix": MASKED,
    "anchored_masked_prefix": ANCHORED | MASKED,
    "joint_normalization": {"loss_normalization": "joint"},
    "continuation": {"synthesis.mode": "continuation"},
    "continuation_mask_mistake": {"synthesis.mode": "continuation", "mask": "mistake"},
    "turning": ANCHORED
    | MASKED
    | {"synthesis.mode": "continuation", "synthesis.locate": "judge", "synthesis.transition": "own"}
    | {"synthesis.temperature": "${actor_rollout_ref.rollout.temperature}", "synthesis.tries": 1}
    | {"loss_normalization": "joint", "ots.spare_turn": 1},
}


def composed(*overrides):
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("ppo_trainer", overrides=list(overrides))


def validate(config, enabled):
    from verl.utils.config import validate_config

    from recipe_tapo.engine.verl_config import check_config

    validate_config(config=config, use_reference_policy=False, use_critic=False)
    assert check_config(config).enable == enabled


@pytest.fixture(scope="module")
def plain():
    return flat(OmegaConf.to_container(composed("+recipe=tapo"), resolve=False))


def flat(node, prefix=""):
    items = {}
    for key, value in node.items():
        items |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return items


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_composes_and_passes_both_validations(arm):
    validate(composed("+recipe=[tapo,cpu,cpu_demo]", f"+arm={arm}"), enabled=arm != "grpo")


def test_an_arm_is_appended_to_a_real_models_command(tmp_path):
    script = ROOT / "examples" / "run_qwen3_8b_vllm.sh"
    overrides = recorded_arguments(script, tmp_path, "verl.trainer.main_ppo", "+arm=thresholds_1_5_3")
    config = composed(*overrides)
    validate(config, enabled=True)
    assert (config.tapo.selection.n_pos, config.actor_rollout_ref.model.path) == (1, "Qwen/Qwen3-8B")


@pytest.mark.parametrize("arm", DIFFERENCES)
def test_an_arm_changes_what_it_says_and_nothing_else(arm, plain):
    changed = flat(OmegaConf.to_container(composed("+recipe=tapo", f"+arm={arm}"), resolve=False))
    assert plain.keys() == changed.keys()
    assert {key: value for key, value in changed.items() if plain[key] != value} == {
        f"tapo.{key}": value for key, value in DIFFERENCES[arm].items()
    }


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_alone_is_refused(arm, monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="knows nothing of constructed rows; add the recipe tapo"):
        start(monkeypatch, tmp_path, f"+arm={arm}")


def test_an_unknown_arm_is_refused():
    from hydra.errors import MissingConfigException

    with pytest.raises(MissingConfigException, match="arm/wo_otts"):
        composed("+recipe=tapo", "+arm=wo_otts")


def test_an_arm_that_the_recipe_would_undo_ends_the_run(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match=r"put \+arm=wo_ots after \+recipe=tapo"):
        start(monkeypatch, tmp_path, "+arm=wo_ots", "+recipe=tapo")


@pytest.mark.parametrize("recipe", ["+recipe=tapo", "+recipe=[tapo,cpu]", "+recipe=[cpu,tapo]"])
def test_an_arm_before_the_recipe_is_refused(recipe):
    check_arm_order([recipe, "+arm=wo_ots", "trainer.n_gpus_per_node=1"])
    with pytest.raises(TapoConfigError) as error:
        check_arm_order(["+arm=wo_ots", "a=b", recipe])
    assert str(error.value) == f"+arm=wo_ots: {recipe} after it would undo it; put +arm=wo_ots after {recipe}"


def test_recipes_that_leave_tapo_alone_may_follow_an_arm():
    check_arm_order(["+recipe=tapo", "+arm=wo_ots"])
    check_arm_order(["+arm=wo_ots", "+recipe=cpu"])
    with pytest.raises(TapoConfigError, match="would undo it"):
        check_arm_order(["+arm@_global_=wo_ots", "+recipe@_global_=tapo"])
    check_arm_order(["+recipe=tapo"])
    check_arm_order([])
