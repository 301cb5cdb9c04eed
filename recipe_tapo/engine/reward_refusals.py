"""The part of the refusals that is about rewards: keys that nobody reads, and graders that nobody asks."""

from omegaconf import OmegaConf

from recipe_tapo.engine.refusal import Condition, Refusal, all_of, enabled, is_set, is_value, not_so

_FUNCTION = "reward.custom_reward_function.path"
_MODEL = "reward.reward_model.enable"
_POOL = "reward.reward_model.enable_resource_pool"
_GRADER = "pkg://recipe_tapo.reward"

# verl 0.9.1 composes these keys of earlier versions, and main_ppo reads none of them.
_LEGACY = {
    "custom_reward_function.path": _FUNCTION,
    "reward_model.reward_manager": "reward.reward_manager.name",
    "reward_model.reward_kwargs": "reward.reward_kwargs",
    "reward_model.enable": _MODEL,
    "sandbox_fusion.url": "reward.sandbox_fusion.url",
}


def _otherwise(old: str, new: str) -> Condition:
    """The old key says something that the new one does not."""
    return lambda _, config: OmegaConf.select(config, old) not in (None, OmegaConf.select(config, new))


REWARD_REFUSALS = (
    *(
        Refusal(
            key=old,
            setting=f"`{old}` other than `{new}`",
            applies=_otherwise(old, new),
            problem="verl's main_ppo does not read this key of earlier versions, so that another reward would train",
            remedy=f"use {new}",
        )
        for old, new in _LEGACY.items()
    ),
    Refusal(
        key="reward.sandbox_fusion.url",
        setting=f"`reward.sandbox_fusion.url` with the recipe's `{_FUNCTION}`",
        applies=all_of(is_set("reward.sandbox_fusion.url"), is_value(_FUNCTION, _GRADER)),
        problem="the recipe's grader compares answers and runs no code",
        remedy=f"set {_FUNCTION}=null for verl's own scorers, or name a function of yours",
    ),
    Refusal(
        key=_MODEL,
        setting=f"`{_MODEL}` without `{_POOL}`",
        applies=all_of(enabled, is_set(_MODEL), not_so(is_set(_POOL))),
        problem="a colocated reward model grades after generation, too late to tell right from wrong",
        remedy=f"set {_POOL}=true or use a rule-based reward",
    ),
    Refusal(
        key=_MODEL,
        setting=f"`{_MODEL}` with the recipe's `{_FUNCTION}`",
        applies=all_of(is_set(_MODEL), is_value(_FUNCTION, _GRADER)),
        problem="verl asks the function and never the model",
        remedy=f"set {_FUNCTION}=null, at which verl asks the model, or name a function of yours that asks it",
    ),
)
