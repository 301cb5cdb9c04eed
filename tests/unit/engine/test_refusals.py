"""What verl accepts and TAPO cannot train with ends the run, in one line with the key, the value and the remedy."""

import pytest
import torch
from doc_pages import DOCS, rows
from hydra import compose, initialize_config_module

from recipe_tapo.config import TapoConfigError
from recipe_tapo.engine.refusals import REFUSALS
from recipe_tapo.engine.verl_config import check_config

LOSS_MODE = "actor_rollout_ref.actor.policy_loss.loss_mode"
ROLLOUT = "actor_rollout_ref.rollout"
TOOLS = f"{ROLLOUT}.multi_turn"

# For each row of the table, in its order: a command line that it refuses, and the message's beginning.
CASES = [
    (
        ["+async_training.staleness_threshold=0.1"],
        "async_training.staleness_threshold=0.1: fully_async_main has a trainer of its own",
    ),
    (["+rollout.nnodes=1"], "rollout.nnodes=1: one_step_off_policy has a trainer of its own"),
    (["trainer.v1.trainer_mode=colocate_async"], "trainer.v1.trainer_mode=colocate_async: that trainer knows"),
    (
        ["+recipe=cpu", "trainer.v1.trainer_mode=tapo_separate_async"],
        "trainer.v1.trainer_mode=tapo_separate_async: verl asks for a checkpoint engine other than naive",
    ),
    (["trainer.use_v1=false"], "trainer.use_v1=False: TAPO's trainers stand on verl's v1 trainers; leave it at True"),
    (["algorithm.adv_estimator=grpo"], "algorithm.adv_estimator=grpo: both groups of a question"),
    ([f"{ROLLOUT}.agent.agent_loop_manager_class=null"], f"{ROLLOUT}.agent.agent_loop_manager_class=None"),
    (["actor_rollout_ref.hybrid_engine=false"], "actor_rollout_ref.hybrid_engine=False: TAPO's training worker"),
    (
        ["ray_kwargs.ray_init.runtime_env.env_vars.RECIPE_TAPO='0'"],
        "ray_kwargs.ray_init.runtime_env.env_vars.RECIPE_TAPO=0: the run's processes find TAPO's trainer by it; leave",
    ),
    (
        ["data.train_batch_size=32", "actor_rollout_ref.actor.ppo_mini_batch_size=33"],
        "actor_rollout_ref.actor.ppo_mini_batch_size=33: verl would fill up every batch",
    ),
    (["tapo.opsd.enable=true", "tapo.enable=false"], "tapo.opsd.enable=True: tapo.enable=false is plain GRPO"),
    (
        ["tapo.opsd.enable=true", "trainer.v1.trainer_mode=tapo_colocate_async"],
        "tapo.opsd.enable=True: the teacher's scores would be of older weights",
    ),
    ([f"{ROLLOUT}.n=5"], f"{ROLLOUT}.n=5: no group of so few rollouts can be eligible; set it to tapo.selection.n_pos"),
    (
        ["data.max_response_length=30"],
        "tapo.synthesis.min_new_tokens=40: no row has room for so many new tokens; lower it, or raise",
    ),
    (["tapo.opsd.enable=true", f"{ROLLOUT}.temperature=0.7"], f"{ROLLOUT}.temperature=0.7: OPSD's teacher is scored"),
    ([f"{ROLLOUT}.name=trtllm"], f"{ROLLOUT}.name=trtllm: verl's TensorRT-LLM server overrides"),
    (["tapo.opsd.enable=true", f"{ROLLOUT}.name=sglang"], f"{ROLLOUT}.name=sglang: OPSD asks for"),
    (["tapo.synthesis.mode=continuation", f"{ROLLOUT}.name=sglang"], f"{ROLLOUT}.name=sglang: locating the first"),
    (
        ["tapo.synthesis.mode=continuation", "tapo.synthesis.locate=answer", f"{ROLLOUT}.logprobs_mode=raw_logprobs"],
        f"{ROLLOUT}.logprobs_mode=raw_logprobs: the odds of two answers are read from",
    ),
    (
        ["tapo.synthesis.mode=continuation", f"+{ROLLOUT}.engine_kwargs.vllm.logprobs_mode=raw_logprobs"],
        f"{ROLLOUT}.engine_kwargs.vllm.logprobs_mode=raw_logprobs: the odds of two answers are read from",
    ),
    (
        ["tapo.opsd.enable=true", f"{ROLLOUT}.logprobs_mode=raw_logits"],
        f"{ROLLOUT}.logprobs_mode=raw_logits: the self-teacher's log-probabilities would be logits",
    ),
    (
        ["+arm=opsd", f"+{ROLLOUT}.engine_kwargs.vllm.logprobs_mode=processed_logits"],
        f"{ROLLOUT}.engine_kwargs.vllm.logprobs_mode=processed_logits: the self-teacher's log-probabilities",
    ),
    (["tapo.opsd.enable=true", f"{TOOLS}.tool_config_path=t.yaml"], f"{TOOLS}.tool_config_path=t.yaml: a rollout's"),
    (
        ["tapo.synthesis.mode=continuation", "tapo.synthesis.locate=teacher", f"{TOOLS}.function_tool_path=t.py"],
        f"{TOOLS}.function_tool_path=t.py: a rollout's prompt shows these tools, and the self-teacher's would not",
    ),
    ([f"{LOSS_MODE}=geo_mean"], f"{LOSS_MODE}=geo_mean: this loss has no term for each token"),
    ([f"{LOSS_MODE}=sapo"], f"{LOSS_MODE}=sapo: verl's sapo divides by seq-mean-token-mean"),
    (["actor_rollout_ref.actor.clip_ratio_c=1.0"], "actor_rollout_ref.actor.clip_ratio_c=1.0: tokens with a negative"),
    (
        ["actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum-norm"],
        "actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum-norm: verl then divides by a micro-batch's longest",
    ),
    (
        ["tapo.opsd.enable=true", "algorithm.use_kl_in_reward=true"],
        "algorithm.use_kl_in_reward=True: OPSD puts the teacher's advantages in place of rewards",
    ),
    (["distillation.enabled=true"], "distillation.enabled=True: verl then trains with its distillation loss"),
    (["algorithm.rollout_correction.bypass_mode=true"], "algorithm.rollout_correction.bypass_mode=True: it takes the"),
    (
        ["algorithm.rollout_correction.rollout_is=token", f"{ROLLOUT}.calculate_log_probs=false"],
        "algorithm.rollout_correction.rollout_is=token: there are no sampler log-probs",
    ),
    (["algorithm.rollout_correction.rollout_rs=seq_mean_k1"], "algorithm.rollout_correction.rollout_rs=seq_mean_k1"),
    (
        ["+recipe=cpu", "++algorithm.filter_groups.enable=true"],
        "algorithm.filter_groups.enable=True: verl gives no custom sampler its group filtering",
    ),
    ([f"{ROLLOUT}.enable_rollout_routing_replay=true"], f"{ROLLOUT}.enable_rollout_routing_replay=True: constructed"),
    (["critic.enable=true"], "critic.enable=True: TAPO has no critic"),
    (
        ["custom_reward_function.path=my.py"],
        "custom_reward_function.path=my.py: verl's main_ppo does not read this key",
    ),
    (["reward_model.reward_manager=dapo"], "reward_model.reward_manager=dapo: verl's main_ppo does not read"),
    (["+reward_model.reward_kwargs={a: 1}"], "reward_model.reward_kwargs={'a': 1}: verl's main_ppo does not read"),
    (["reward_model.enable=true"], "reward_model.enable=True: verl's main_ppo does not read"),
    (["sandbox_fusion.url=http://x"], "sandbox_fusion.url=http://x: verl's main_ppo does not read"),
    (["reward.sandbox_fusion.url=http://x"], "reward.sandbox_fusion.url=http://x: the recipe's grader compares"),
    (["reward.reward_model.enable=true"], "reward.reward_model.enable=True: a colocated reward model"),
    (
        ["reward.reward_model.enable=true", "reward.reward_model.enable_resource_pool=true"],
        "reward.reward_model.enable=True: verl asks the function and never the model; set reward.custom",
    ),
]


def composed(*overrides):
    recipe = "+recipe=[tapo,cpu]" if "+recipe=cpu" in overrides else "+recipe=tapo"
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("ppo_trainer", overrides=[recipe, *(o for o in overrides if o != "+recipe=cpu")])


def refusal_of(config):
    with pytest.raises(TapoConfigError) as error:
        check_config(config)
    return str(error.value)


@pytest.mark.parametrize(
    ("refusal", "case"), list(zip(REFUSALS, CASES, strict=True)), ids=[r.setting for r in REFUSALS]
)
def test_a_setting_of_the_table_is_refused_in_one_line_with_key_value_and_remedy(refusal, case):
    overrides, message = case
    found = refusal_of(composed(*overrides))
    assert found.startswith(message)
    assert found.endswith(f": {refusal.problem}; {refusal.remedy}")
    assert "\n" not in found


def test_keys_of_earlier_versions_may_say_what_the_new_ones_say():
    check_config(composed("reward_model.enable=false", "reward_model.reward_manager=naive"))


def test_the_documentation_has_the_table():
    assert rows(DOCS / "compatibility.md", "Setting") == [[r.setting, r.problem, r.remedy] for r in REFUSALS]


@pytest.mark.parametrize(
    "overrides",
    [
        [f"{ROLLOUT}.name=trtllm"],
        ["distillation.enabled=true"],
        ["algorithm.rollout_correction.rollout_rs=seq_mean_k1"],
        [f"{LOSS_MODE}=geo_mean"],
        [f"{ROLLOUT}.n=2"],
    ],
)
def test_plain_grpo_may_have_what_only_constructions_cannot(overrides):
    assert not check_config(composed(*overrides, "tapo.enable=false")).enable


@pytest.mark.parametrize(
    "overrides",
    [
        [f"{ROLLOUT}.name=sglang"],
        [f"{LOSS_MODE}=sapo", "actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-mean"],
        ["algorithm.rollout_correction.rollout_is=token"],
        ["++algorithm.filter_groups.enable=true"],
        ["+recipe=cpu", "++algorithm.filter_groups.enable=true", "trainer.v1.sampler.custom_sampler.path=null"],
        ["tapo.opsd.enable=true", f"{ROLLOUT}.n=2"],
        ["tapo.synthesis.mode=continuation", f"{TOOLS}.tool_config_path=t.yaml"],  # located without the self-teacher
        ["trainer.v1.trainer_mode=tapo_separate_async"],
        ["+recipe=cpu", "trainer.v1.trainer_mode=tapo_colocate_async"],
    ],
)
def test_what_works_is_not_refused(overrides):
    assert check_config(composed(*overrides)).enable


# Losses of verl, by what they do with one factor per token.


def losses_of(mode, factors_BT, loss_agg_mode):
    """The loss of a fixed batch of two rows, five and three tokens long."""
    from verl.trainer.ppo.core_algos import get_policy_loss_fn
    from verl.utils.config import omega_conf_to_dataclass

    config = composed(
        "actor_rollout_ref.actor.use_dynamic_bsz=true", "actor_rollout_ref.actor.policy_loss.dro_beta=0.1"
    )
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    actor.global_batch_info.update(dp_size=1, batch_num_tokens=8, global_batch_size=2)
    generator = torch.Generator().manual_seed(0)
    old, new = (-torch.rand(2, 5, generator=generator) for _ in range(2))
    torch.manual_seed(0)  # clip_cov draws at random
    loss, _ = get_policy_loss_fn(mode)(
        old_log_prob=old,
        log_prob=new,
        advantages=torch.tensor([[1.0], [-0.5]]).expand(2, 5).contiguous(),
        response_mask=torch.tensor([[1.0] * 5, [1.0] * 3 + [0.0] * 2]),
        loss_agg_mode=loss_agg_mode,
        config=actor,
        rollout_is_weights=factors_BT,
    )
    return float(loss)


def keeps_token_factors(mode, loss_agg_mode):
    """Whether the loss is a sum over tokens, each with its factor, divided as ``loss_agg_mode`` says.

    Then it is linear in the factors, and a token-mean over 8 tokens becomes the sequence mean over 2 rows of 5 and 3
    tokens when the first row's factors are multiplied by 8 / (2 · 5) and the second's by 8 / (2 · 3).
    """
    first = torch.linspace(0.5, 2.0, 10).reshape(2, 5)
    second = torch.linspace(3.0, 0.1, 10).reshape(2, 5)
    try:
        together = losses_of(mode, first + second, loss_agg_mode)
    except ValueError:  # bypass_mode wants a configuration of its own
        return False
    linear = together == pytest.approx(losses_of(mode, first, loss_agg_mode) + losses_of(mode, second, loss_agg_mode))
    to_other = torch.tensor([[8 / 10], [8 / 6]])
    other = losses_of(mode, first * to_other if loss_agg_mode == "token-mean" else first / to_other, loss_agg_mode)
    other_mode = "seq-mean-token-mean" if loss_agg_mode == "token-mean" else "token-mean"
    divides = other == pytest.approx(losses_of(mode, first, other_mode))
    return linear and divides


def verls_losses():
    from verl.trainer.ppo.core_algos import POLICY_LOSS_REGISTRY

    import recipe_tapo.engine.registry  # noqa: F401

    return sorted(POLICY_LOSS_REGISTRY)


@pytest.mark.parametrize("mode", verls_losses())
def test_every_loss_of_verl_that_loses_token_factors_is_refused_and_no_other(mode):
    config = composed(f"{LOSS_MODE}={mode}")
    if keeps_token_factors(mode, config.actor_rollout_ref.actor.loss_agg_mode):
        check_config(config)
    else:
        assert refusal_of(config).startswith(f"{LOSS_MODE}={mode}: ")
