"""The block a run prints at its start, so that nobody trains something else in silence."""

from omegaconf import DictConfig

import recipe_tapo
from recipe_tapo.algorithm.prompts import CONTINUATION, CONTINUATION_OWN
from recipe_tapo.config import TapoConfig
from recipe_tapo.engine.names import LOSS_MODE, LOSSES_OF_VERL

# By the kind of prompt that an attempt shows; see ``SynthesisConfig.prompt_kind``.
_WHEN = {
    CONTINUATION: "for a model without the paper's cold start; with one use tapo.synthesis.mode=micro_reflective",
    CONTINUATION_OWN: "for a model with a cold start of --ift_mode continuation; without one use transition=begun",
}
_WHEN_REWRITING = "for a model with the paper's cold start; without one use tapo.synthesis.mode=continuation"


# The other losses of verl's are refused, and sapo where it divides otherwise.
_KNOWN_LOSSES = (LOSS_MODE, *LOSSES_OF_VERL, "sapo")


def banner(tapo: TapoConfig, config: DictConfig) -> str:
    """A few lines: active or not, the settings, where constructed trajectories go."""
    if not tapo.enable:
        lines = ["TAPO is OFF (tapo.enable=false): this run is plain GRPO"]
    elif tapo.opsd.enable:
        lines = [
            "TAPO's baseline OPSD is ACTIVE (tapo.opsd.enable=true): no constructions, no rewards in the loss",
            f"teacher     the policy itself, shown a right sibling; prompt {tapo.opsd.prompt_path or 'built in'}",
        ]
    else:
        selection, synthesis = tapo.selection, tapo.synthesis
        mode = synthesis.mode
        if mode == CONTINUATION:
            mode += f" (locate {synthesis.locate}, transition {synthesis.transition})"
        shown = (
            f"prompt {synthesis.prompt_path or 'built in'}" if synthesis.sibling == "prompt" else "sibling as a turn"
        )
        sampled = " ".join(f"{name}={value:g}" for name, value in synthesis.sampling.items()) or "as the rollouts"
        ots = f"w in [{tapo.ots.w_min:g}, {tapo.ots.w_max:g}]" if tapo.ots.enable else "off"
        if tapo.ots.spare_turn:
            ots += f" (at least 1 in the first {tapo.ots.spare_turn} tokens of a turn)"
        lines = [
            f"TAPO {recipe_tapo.__version__} is ACTIVE (arXiv 2606.18844)",
            f"selection   n_pos={selection.n_pos} n_neg={selection.n_neg} m_max={selection.m_max}"
            f" of rollout.n={config.actor_rollout_ref.rollout.n}, seed {tapo.seed}",
            f"synthesis   {mode}, {shown},"
            f" prefix {synthesis.prefix_check}, negatives {'kept' if tapo.keep_negatives else 'dropped'}",
            f"sampling    {sampled}, {'one try' if synthesis.tries == 1 else f'up to {synthesis.tries} tries'}",
            f"when        {_WHEN.get(synthesis.prompt_kind, _WHEN_REWRITING)}",
            f"guards      leaks {synthesis.leak_check}, template echo {'reject' if synthesis.echo_check else 'off'},"
            f" answer check {'reject' if synthesis.answer_check else 'off'},"
            f" at least {synthesis.min_new_tokens} new tokens",
            f"advantage   {tapo.advantage.mode}",
            f"loss        lambda_ref={tapo.lambda_ref:g}, {tapo.loss_normalization} denominators, OTS {ots},"
            f" masked: {tapo.mask}",
            *_unknown_loss(config),
            f"dump        {tapo.dump_dir or 'none (set tapo.dump_dir to keep constructed trajectories)'}",
        ]
    lines.append(f"reward      {_reward(config)}")
    width = max(map(len, lines)) + 4
    return "\n".join(["", "=" * width, *(f"  {line}" for line in lines), "=" * width])


def _unknown_loss(config: DictConfig) -> list[str]:
    loss = config.actor_rollout_ref.actor.policy_loss.loss_mode
    if loss in _KNOWN_LOSSES:
        return []
    return [f"            {loss} must multiply rollout_is_weights into each token's term: OTS, lambda and denominators"]


def _reward(config: DictConfig) -> str:
    function = config.reward.custom_reward_function
    if function.path is None:
        return "verl's own scorers, by data_source"
    return f"{function.name} of {function.path}"
