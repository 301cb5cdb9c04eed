"""Settings that verl accepts and TAPO cannot train with: which, when, why, and what to do instead.

The documentation's page on compatibility shows this table; a test compares the two.
"""

from omegaconf import DictConfig

from recipe_tapo.algorithm.prompts import CONTINUATION
from recipe_tapo.config import TapoConfig
from recipe_tapo.engine.names import (
    COLOCATE_ASYNC,
    ESTIMATOR,
    LOSS_MODE,
    LOSSES_OF_VERL,
    MANAGER,
    RUN_VARIABLE,
    SEPARATE_ASYNC,
    TRAINER_MODE,
    TRAINER_MODES,
)
from recipe_tapo.engine.refusal import Refusal, all_of, constructs, enabled, is_not_value, is_set, is_value, not_so
from recipe_tapo.engine.reward_refusals import REWARD_REFUSALS

_ACTOR = "actor_rollout_ref.actor"
_ROLLOUT = "actor_rollout_ref.rollout"
_LOSS_MODE = f"{_ACTOR}.policy_loss.loss_mode"
_MODE = "trainer.v1.trainer_mode"
_CORRECTION = "algorithm.rollout_correction"
_CPU_SAMPLER = "pkg://recipe_tapo.cpu.replay_buffer"

# Unlike LOSSES_OF_VERL.
_LOSSES_WITHOUT_TOKENS = ("geo_mean", "bypass_mode")

_TOOLS = (f"{_ROLLOUT}.multi_turn.tool_config_path", f"{_ROLLOUT}.multi_turn.function_tool_path")

# verl's own key, and the one by which vLLM is given another; unset, the latter changes nothing.
_LOGPROBS_MODES = {
    f"{_ROLLOUT}.logprobs_mode": ("processed_logprobs",),
    f"{_ROLLOUT}.engine_kwargs.vllm.logprobs_mode": ("processed_logprobs", None),
}

# Entry points of verl's that take the same recipes, each with a key that only its configuration has.
_OTHER_ENTRY_POINTS = {
    "fully_async_main": "async_training.staleness_threshold",
    "one_step_off_policy": "rollout.nnodes",
}

# What the recipe sets and must stay, and why.
OF_THE_RECIPE = {
    "trainer.use_v1": (True, "TAPO's trainers stand on verl's v1 trainers"),
    "algorithm.adv_estimator": (ESTIMATOR, "both groups of a question have their advantages from TAPO's estimator"),
    f"{_ROLLOUT}.agent.agent_loop_manager_class": (MANAGER, "TAPO's agent-loop workers construct the trajectories"),
    "actor_rollout_ref.hybrid_engine": (True, "TAPO's training worker stands on verl's hybrid one"),
    f"ray_kwargs.ray_init.runtime_env.env_vars.{RUN_VARIABLE}": ("1", "the run's processes find TAPO's trainer by it"),
}


def _teaches(tapo: TapoConfig, _: DictConfig) -> bool:
    return tapo.opsd.enable


def _continues(tapo: TapoConfig, config: DictConfig) -> bool:
    return constructs(tapo, config) and tapo.synthesis.mode == CONTINUATION


def _asks_the_teacher(tapo: TapoConfig, config: DictConfig) -> bool:
    return tapo.enable and (tapo.opsd.enable or (_continues(tapo, config) and tapo.synthesis.locate == "teacher"))


def _weighs_answers(tapo: TapoConfig, _: DictConfig) -> bool:
    return tapo.synthesis.locate == "answer"


def _mini_batch_exceeds_batch(_: TapoConfig, config: DictConfig) -> bool:
    return config.actor_rollout_ref.actor.ppo_mini_batch_size > config.data.train_batch_size


def _group_too_small(tapo: TapoConfig, config: DictConfig) -> bool:
    return tapo.selection.n_pos + tapo.selection.n_neg > config.actor_rollout_ref.rollout.n


def _rows_too_short(tapo: TapoConfig, config: DictConfig) -> bool:
    return tapo.synthesis.min_new_tokens > config.actor_rollout_ref.rollout.response_length


def _clips_everything(_: TapoConfig, config: DictConfig) -> bool:
    return (config.actor_rollout_ref.actor.clip_ratio_c or 0) <= 1


REFUSALS = (
    *(
        Refusal(
            key=key,
            setting=f"verl's entry point `{entry_point}`",
            applies=is_not_value(key, None),
            problem=f"{entry_point} has a trainer of its own, which knows nothing of TAPO",
            remedy=f"start python -m verl.trainer.main_ppo, with {_MODE}={SEPARATE_ASYNC} to train while generating",
        )
        for entry_point, key in _OTHER_ENTRY_POINTS.items()
    ),
    Refusal(
        key=_MODE,
        setting=f"`{_MODE}` = `sync`, `colocate_async`, `separate_async` or any other that is not TAPO's",
        applies=not_so(is_value(_MODE, *TRAINER_MODES)),
        problem="that trainer knows nothing of constructed rows",
        remedy=f"add the recipe tapo, which sets {TRAINER_MODE}, or use {COLOCATE_ASYNC} or {SEPARATE_ASYNC} with it",
    ),
    Refusal(
        key=_MODE,
        setting=f"`{_MODE}` = `{SEPARATE_ASYNC}` with the recipe `cpu`",
        applies=all_of(is_value(_MODE, SEPARATE_ASYNC), is_value("trainer.device", "cpu")),
        problem="verl asks for a checkpoint engine other than naive there, and each of those needs an accelerator",
        remedy=f"use {COLOCATE_ASYNC}",
    ),
    *(
        Refusal(
            key=key,
            setting=f"`{key}` other than the recipe's",
            applies=is_not_value(key, expected),
            problem=problem,
            remedy=f"leave it at {expected}",
        )
        for key, (expected, problem) in OF_THE_RECIPE.items()
    ),
    Refusal(
        key=f"{_ACTOR}.ppo_mini_batch_size",
        setting=f"`{_ACTOR}.ppo_mini_batch_size` above `data.train_batch_size`",
        applies=_mini_batch_exceeds_batch,
        problem="verl would fill up every batch with padding rows to that size",
        remedy="set it to data.train_batch_size (one optimizer step per batch) or less",
    ),
    Refusal(
        key="tapo.opsd.enable",
        setting="`tapo.opsd.enable` with `tapo.enable=false`",
        applies=all_of(_teaches, not_so(enabled)),
        problem="tapo.enable=false is plain GRPO",
        remedy="set tapo.enable=true",
    ),
    Refusal(
        key="tapo.opsd.enable",
        setting=f"`tapo.opsd.enable` with `{_MODE}` = `{COLOCATE_ASYNC}` or `{SEPARATE_ASYNC}`",
        applies=all_of(enabled, _teaches, is_value(_MODE, COLOCATE_ASYNC, SEPARATE_ASYNC)),
        problem="the teacher's scores would be of older weights than the student's, and each step empties their store",
        remedy=f"set {_MODE}=tapo",
    ),
    Refusal(
        key=f"{_ROLLOUT}.n",
        setting=f"`{_ROLLOUT}.n` below n_pos + n_neg",
        applies=all_of(constructs, _group_too_small),
        problem="no group of so few rollouts can be eligible",
        remedy="set it to tapo.selection.n_pos + tapo.selection.n_neg or more, or lower these thresholds",
    ),
    Refusal(
        key="tapo.synthesis.min_new_tokens",
        setting=f"`tapo.synthesis.min_new_tokens` above `{_ROLLOUT}.response_length`",
        applies=all_of(constructs, _rows_too_short),
        problem="no row has room for so many new tokens",
        remedy="lower it, or raise data.max_response_length",
    ),
    Refusal(
        key=f"{_ROLLOUT}.temperature",
        setting=f"`{_ROLLOUT}.temperature` other than 1, with `tapo.opsd.enable`",
        applies=all_of(enabled, _teaches, is_not_value(f"{_ROLLOUT}.temperature", 1.0)),
        problem="OPSD's teacher is scored at temperature 1",
        remedy="set it to 1.0",
    ),
    Refusal(
        key=f"{_ROLLOUT}.name",
        setting=f"`{_ROLLOUT}.name` = `trtllm`",
        applies=all_of(enabled, is_value(f"{_ROLLOUT}.name", "trtllm")),
        problem="verl's TensorRT-LLM server overrides a request's token budget, so that a synthesis has no room",
        remedy="use vllm or sglang",
    ),
    Refusal(
        key=f"{_ROLLOUT}.name",
        setting=f"`{_ROLLOUT}.name` other than `vllm`, with `tapo.opsd.enable`",
        applies=all_of(enabled, _teaches, is_not_value(f"{_ROLLOUT}.name", "vllm")),
        problem="OPSD asks for the log-probabilities of prompts in vLLM's terms, which no other engine understands",
        remedy="use vllm",
    ),
    Refusal(
        key=f"{_ROLLOUT}.name",
        setting=f"`{_ROLLOUT}.name` other than `vllm`, with `tapo.synthesis.mode=continuation`",
        applies=all_of(_continues, is_not_value(f"{_ROLLOUT}.name", "vllm")),
        problem="locating the first wrong step asks in vLLM's terms, which no other engine understands",
        remedy="use vllm or tapo.synthesis.mode=micro_reflective",
    ),
    *(
        Refusal(
            key=key,
            setting=f"`{key}` other than `processed_logprobs`,"
            " with `tapo.synthesis.mode=continuation` and `locate=answer`",
            applies=all_of(_continues, _weighs_answers, is_not_value(key, *values)),
            problem="the odds of two answers are read from log-probabilities among the tokens that were allowed",
            remedy="leave it at processed_logprobs, or let a judge locate (tapo.synthesis.locate=judge)",
        )
        for key, values in _LOGPROBS_MODES.items()
    ),
    *(
        Refusal(
            key=key,
            setting=f"`{key}` = `raw_logits` or `processed_logits`, with `tapo.opsd.enable`, or with"
            " `tapo.synthesis.mode=continuation` and `locate=teacher`",
            applies=all_of(_asks_the_teacher, is_value(key, "raw_logits", "processed_logits")),
            problem="the self-teacher's log-probabilities would be logits",
            remedy="leave it at processed_logprobs",
        )
        for key in _LOGPROBS_MODES
    ),
    *(
        Refusal(
            key=key,
            setting=f"`{key}` with `tapo.opsd.enable`, or with `tapo.synthesis.mode=continuation` and `locate=teacher`",
            applies=all_of(_asks_the_teacher, is_set(key)),
            problem="a rollout's prompt shows these tools, and the self-teacher's would not",
            remedy="set it to null; where the self-teacher only locates, tapo.synthesis.locate=answer does without it",
        )
        for key in _TOOLS
    ),
    Refusal(
        key=_LOSS_MODE,
        setting=f"`{_LOSS_MODE}` = `geo_mean` or `bypass_mode`",
        applies=all_of(enabled, is_value(_LOSS_MODE, *_LOSSES_WITHOUT_TOKENS)),
        problem="this loss has no term for each token, so that TAPO's token weights, λ and denominators are lost",
        remedy=f"use {LOSS_MODE}, or one of {', '.join(LOSSES_OF_VERL)}",
    ),
    Refusal(
        key=_LOSS_MODE,
        setting=f"`{_LOSS_MODE}` = `sapo` with another `{_ACTOR}.loss_agg_mode` than `seq-mean-token-mean`",
        applies=all_of(
            enabled, is_value(_LOSS_MODE, "sapo"), is_not_value(f"{_ACTOR}.loss_agg_mode", "seq-mean-token-mean")
        ),
        problem="verl's sapo divides by seq-mean-token-mean, whatever loss_agg_mode says",
        remedy=f"set {_ACTOR}.loss_agg_mode=seq-mean-token-mean",
    ),
    Refusal(
        key=f"{_ACTOR}.clip_ratio_c",
        setting=f"`{_ACTOR}.clip_ratio_c` of 1 or less, with `{_LOSS_MODE}` = `{LOSS_MODE}`",
        applies=all_of(is_value(_LOSS_MODE, LOSS_MODE), _clips_everything),
        problem="tokens with a negative advantage would have no gradient",
        remedy="use a value above 1, such as 3.0",
    ),
    Refusal(
        key=f"{_ACTOR}.loss_agg_mode",
        setting=f"`{_ACTOR}.loss_agg_mode` = `seq-mean-token-sum-norm` without `{_ACTOR}.loss_scale_factor`",
        applies=all_of(
            constructs,
            is_value(f"{_ACTOR}.loss_agg_mode", "seq-mean-token-sum-norm"),
            not_so(is_set(f"{_ACTOR}.loss_scale_factor")),
        ),
        problem="verl then divides by a micro-batch's longest row, so that a long constructed row weakens rollouts",
        remedy=f"set {_ACTOR}.loss_scale_factor='${{data.max_response_length}}', as Dr. GRPO means it",
    ),
    Refusal(
        key="algorithm.use_kl_in_reward",
        setting="`algorithm.use_kl_in_reward` with `tapo.opsd.enable`",
        applies=all_of(enabled, _teaches, is_set("algorithm.use_kl_in_reward")),
        problem="OPSD puts the teacher's advantages in place of rewards, and the penalty with them",
        remedy=f"set it to false; {_ACTOR}.use_kl_loss=true penalises in the loss",
    ),
    Refusal(
        key="distillation.enabled",
        setting="`distillation.enabled`",
        applies=all_of(enabled, is_set("distillation.enabled")),
        problem="verl then trains with its distillation loss, in which TAPO has no part",
        remedy="set it to false; a model that is its own teacher is tapo.opsd.enable=true",
    ),
    Refusal(
        key=f"{_CORRECTION}.bypass_mode",
        setting=f"`{_CORRECTION}.bypass_mode`",
        applies=all_of(enabled, is_set(f"{_CORRECTION}.bypass_mode")),
        problem="it takes the sampler's log-probs, which for constructed rows belong to the synthesis prompt",
        remedy="set it to false",
    ),
    Refusal(
        key=f"{_CORRECTION}.rollout_is",
        setting=f"`{_CORRECTION}.rollout_is` with `{_ROLLOUT}.calculate_log_probs=false`",
        applies=all_of(enabled, is_set(f"{_CORRECTION}.rollout_is"), not_so(is_set(f"{_ROLLOUT}.calculate_log_probs"))),
        problem="there are no sampler log-probs to correct by",
        remedy=f"set {_ROLLOUT}.calculate_log_probs=true",
    ),
    Refusal(
        key=f"{_CORRECTION}.rollout_rs",
        setting=f"`{_CORRECTION}.rollout_rs`",
        applies=all_of(enabled, is_set(f"{_CORRECTION}.rollout_rs")),
        problem="a rejected rollout would still count in its group's mean and be a source of constructions",
        remedy=f"set it to null; {_CORRECTION}.rollout_is corrects without rejecting",
    ),
    Refusal(
        key="algorithm.filter_groups.enable",
        setting="`algorithm.filter_groups.enable` with the recipe `cpu`",
        applies=all_of(
            is_set("algorithm.filter_groups.enable"), is_value("trainer.v1.sampler.custom_sampler.path", _CPU_SAMPLER)
        ),
        problem="verl gives no custom sampler its group filtering, and the recipe cpu has one",
        remedy="set it to false, or trainer.v1.sampler.custom_sampler.path=null (a step then takes seconds longer)",
    ),
    Refusal(
        key=f"{_ROLLOUT}.enable_rollout_routing_replay",
        setting=f"`{_ROLLOUT}.enable_rollout_routing_replay`",
        applies=all_of(enabled, is_set(f"{_ROLLOUT}.enable_rollout_routing_replay")),
        problem="constructed rows have no recorded expert routing",
        remedy="set it to false",
    ),
    Refusal(
        key="critic.enable",
        setting="`critic.enable`",
        applies=all_of(enabled, is_set("critic.enable")),
        problem="TAPO has no critic",
        remedy="leave it unset",
    ),
    *REWARD_REFUSALS,
)
