"""What TAPO reads from verl's configuration, what it derives there and what it refuses."""

import logging
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from recipe_tapo.algorithm.prompts import SELF_TEACHER, fill_template, load_template, synthesis_prompt
from recipe_tapo.config import TapoConfig, TapoConfigError, refuse

logger = logging.getLogger(__name__)

TRAINER_MODE = "tapo"
ESTIMATOR = "tapo"
LOSS_MODE = "tapo"
RUN_VARIABLE = "RECIPE_TAPO"  # tells a process that it belongs to a TAPO run; see recipe_tapo.plugin
MANAGER = "recipe_tapo.engine.agent_loop.TapoAgentLoopManager"


def tapo_config(config: DictConfig) -> TapoConfig:
    """The validated ``tapo:`` node of a whole verl configuration. Raises TapoConfigError."""
    node: Any = config.get("tapo")
    return TapoConfig.from_mapping(OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node)


def check_config(config: DictConfig) -> TapoConfig:
    """Checks the ``tapo:`` node and everything in verl's configuration it depends on.

    Raises:
        TapoConfigError: One line with the key, its value and the remedy.
    """
    tapo = tapo_config(config)
    mode = config.trainer.v1.trainer_mode
    if mode in ("colocate_async", "separate_async"):
        raise refuse(
            "trainer.v1.trainer_mode",
            mode,
            "TAPO does not run in verl's asynchronous modes yet",
            f"leave it at {TRAINER_MODE} (synchronous)",
        )
    for key, expected in {
        "trainer.use_v1": True,
        "trainer.v1.trainer_mode": TRAINER_MODE,
        "algorithm.adv_estimator": ESTIMATOR,
        "actor_rollout_ref.rollout.agent.agent_loop_manager_class": MANAGER,
        "actor_rollout_ref.hybrid_engine": True,
        f"ray_kwargs.ray_init.runtime_env.env_vars.{RUN_VARIABLE}": "1",
    }.items():
        value = OmegaConf.select(config, key)
        if value != expected:
            raise refuse(key, value, "the tapo recipe needs its own", f"leave it at {expected}")
    mini_batch, batch = config.actor_rollout_ref.actor.ppo_mini_batch_size, config.data.train_batch_size
    if mini_batch > batch:
        raise refuse(
            "actor_rollout_ref.actor.ppo_mini_batch_size",
            mini_batch,
            f"verl would fill up every batch of data.train_batch_size={batch} with padding rows to that size",
            f"set it to {batch} (one optimizer step per batch) or less",
        )
    if tapo.enable:
        _check_enabled(tapo, config)
    elif tapo.opsd.enable:
        raise refuse("tapo.opsd.enable", True, "tapo.enable=false is plain GRPO", "set tapo.enable=true")
    return tapo


def _check_enabled(tapo: TapoConfig, config: DictConfig) -> None:
    rollout = config.actor_rollout_ref.rollout
    needed = tapo.selection.n_pos + tapo.selection.n_neg
    if tapo.opsd.enable:
        if rollout.temperature != 1.0:
            raise refuse(
                "actor_rollout_ref.rollout.temperature",
                rollout.temperature,
                "OPSD's teacher is scored at temperature 1",
                "set it to 1.0",
            )
    elif needed > rollout.n:
        raise refuse(
            "tapo.selection.n_pos + n_neg",
            needed,
            f"no group of rollout.n={rollout.n} can be eligible",
            f"set actor_rollout_ref.rollout.n to {needed} or more, or lower the thresholds",
        )
    for key, problem, remedy in (
        (
            "algorithm.rollout_correction.bypass_mode",
            "it takes the sampler's log-probs, which for constructed rows belong to the synthesis prompt",
            "set it to false",
        ),
        (
            "actor_rollout_ref.rollout.enable_rollout_routing_replay",
            "constructed rows have no recorded expert routing",
            "set it to false",
        ),
        ("critic.enable", "TAPO has no critic", "leave it unset"),
    ):
        if OmegaConf.select(config, key):
            raise refuse(key, True, problem, remedy)
    reward_model = config.reward.reward_model
    if reward_model.enable and not reward_model.enable_resource_pool:
        raise refuse(
            "reward.reward_model.enable",
            True,
            "a colocated reward model grades after generation, too late to tell right from wrong",
            "set reward.reward_model.enable_resource_pool=true or use a rule-based reward",
        )


def synthesis_budget(tapo: TapoConfig, config: DictConfig) -> int:
    """Most tokens one synthesis may generate; by default as many as a rollout (ours)."""
    return tapo.synthesis.max_tokens or config.actor_rollout_ref.rollout.response_length


def synthesis_sampling_params(tapo: TapoConfig, rollout_params: dict[str, Any], max_tokens: int) -> dict[str, Any]:
    """The rollout's sampling parameters with TAPO's overrides and token budget."""
    overrides = {name: getattr(tapo.synthesis, name) for name in ("temperature", "top_p", "top_k")}
    return {
        **rollout_params,
        **{name: value for name, value in overrides.items() if value is not None},
        "logprobs": False,
        "max_tokens": max_tokens,
    }


def request_priority(config: DictConfig) -> int:
    """vLLM's priority of constructions: -1, served before waiting rollouts (0 or more), or 0 without that scheduler."""
    return -1 if config.actor_rollout_ref.rollout.scheduling_policy == "priority" else 0


def stop_token_ids(tokenizer: Any, model_config: Any) -> set[int]:
    """Ids that end a rollout: the tokenizer's EOS and those of the model's generation config."""
    ids = getattr(getattr(model_config, "generation_config", None), "eos_token_id", None)
    ids = ids if isinstance(ids, list | tuple) else [ids]
    return {id_ for id_ in (*ids, tokenizer.eos_token_id) if id_ is not None}


def _synthesis_template(tapo: TapoConfig) -> str:
    synthesis = tapo.synthesis
    return load_template(synthesis.prompt_path, synthesis_prompt(synthesis.mode, synthesis.transition))


def set_max_model_len(tapo: TapoConfig, config: DictConfig, tokenizer: Any, model_max_length: int | None) -> None:
    """Derives ``rollout.max_model_len`` where unset, so that the longest request fits; checks it where set.

    The longest one holds the template, the question, two full rollouts and, for a synthesis, its output. The
    model's own limit caps the derived value: what then does not fit is skipped and counted.

    Raises:
        TapoConfigError: The value set leaves no room for any request.
    """
    rollout = config.actor_rollout_ref.rollout
    if tapo.opsd.enable:
        what, template, budget = "teacher's view", load_template(tapo.opsd.prompt_path, SELF_TEACHER), 1
    else:
        what, template = "synthesis", _synthesis_template(tapo)
        budget = synthesis_budget(tapo, config)
    empty = fill_template(template, question="", error_rollout="", correct_rollout="")
    overhead = len(tokenizer.encode(empty, add_special_tokens=False))
    longest = overhead + rollout.prompt_length + 2 * rollout.response_length + budget
    if rollout.max_model_len is None:
        length = max(longest, rollout.prompt_length + rollout.response_length)
        if model_max_length and length > model_max_length:
            logger.warning(
                "TAPO: the longest %s needs %d tokens of context, the model has %d; what does not fit is skipped and "
                "counted as does_not_fit",
                what,
                longest,
                model_max_length,
            )
            length = max(model_max_length, rollout.prompt_length + rollout.response_length)
        with open_dict(config):
            rollout.max_model_len = length
    elif rollout.max_model_len <= overhead + budget:
        raise refuse(
            "actor_rollout_ref.rollout.max_model_len",
            rollout.max_model_len,
            f"no {what} can fit: its template takes {overhead} tokens and its output {budget}",
            f"raise it (the longest {what} needs {longest}), lower tapo.synthesis.max_tokens or leave it unset",
        )
    elif rollout.max_model_len < longest:
        logger.warning(
            "TAPO: actor_rollout_ref.rollout.max_model_len=%d is below %d, what the longest %s needs; what does not "
            "fit is skipped and counted as does_not_fit",
            rollout.max_model_len,
            longest,
            what,
        )


__all__ = [
    "ESTIMATOR",
    "LOSS_MODE",
    "MANAGER",
    "RUN_VARIABLE",
    "TRAINER_MODE",
    "TapoConfigError",
    "check_config",
    "request_priority",
    "set_max_model_len",
    "stop_token_ids",
    "synthesis_budget",
    "synthesis_sampling_params",
    "tapo_config",
]
