"""What TAPO reads from verl's configuration and what it derives there."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from recipe_tapo.config import TapoConfig, refuse
from recipe_tapo.engine.refusals import REFUSALS


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
    for refusal in REFUSALS:
        if refusal.applies(tapo, config):
            raise refuse(refusal.key, OmegaConf.select(config, refusal.key), refusal.problem, refusal.remedy)
    return tapo


def synthesis_budget(tapo: TapoConfig, config: DictConfig) -> int:
    """Most tokens one synthesis may generate; by default as many as a rollout (ours)."""
    return tapo.synthesis.max_tokens or config.actor_rollout_ref.rollout.response_length


def records_own_log_probs(rollout: DictConfig) -> bool:
    """Whether the log-probabilities recorded at sampling are the policy's own, as scores of given tokens are.

    verl has vLLM record them after temperature, top-p and top-k (``logprobs_mode=processed_logprobs``).
    """
    return rollout.temperature == 1 and rollout.top_p == 1 and rollout.top_k == -1


def request_priority(config: DictConfig) -> int:
    """vLLM's priority of constructions: -1, served before waiting rollouts (0 or more), or 0 without that scheduler."""
    return -1 if config.actor_rollout_ref.rollout.scheduling_policy == "priority" else 0
