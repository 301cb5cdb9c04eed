"""Every override of TAPO's trainer, in verl's own step on a queue in memory."""

from types import SimpleNamespace

import numpy as np
import pytest
import ray
import torch
from small_tokenizer import TOKENIZER
from trainer_step import SMALL, Step, close, composed, is_rollout, of_rollouts, same, two_questions
from verl.trainer.ppo import core_algos
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.workers.engine_workers import ActorRolloutRefWorker

from recipe_tapo.engine import rows
from recipe_tapo.engine.train_worker import TapoActorRolloutRefWorker
from recipe_tapo.engine.trainer import TapoTrainer
from recipe_tapo.engine.update_plan import PLAN_KEY, UpdatePlan
from recipe_tapo.engine.verl_config import check_config

# __init__, _init_tokenizer, _init_resource_pool_mgr


def test_the_trainer_is_verls_own_with_grpos_estimator(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(PPOTrainerSync, "__init__", lambda self, config: seen.append(config))
    trainer = TapoTrainer(composed(*SMALL))
    (config,) = seen
    # verl's classes know these two names, not ours.
    assert (config.trainer.v1.trainer_mode, config.algorithm.adv_estimator) == ("sync", "grpo")
    assert config.algorithm.adv_estimator == core_algos.AdvantageEstimator.GRPO
    assert trainer.tapo.enable and "is ACTIVE" in capsys.readouterr().out


@pytest.mark.parametrize("enable", [True, False])
def test_the_context_is_derived_once_the_tokenizer_is_there_and_only_for_constructions(monkeypatch, enable):
    trainer = object.__new__(TapoTrainer)
    trainer.config = composed(*SMALL, "data.max_prompt_length=10", "data.max_response_length=20")
    trainer.tapo = check_config(composed(*SMALL, f"tapo.enable={enable}"))

    def init_tokenizer(self):
        self.tokenizer = TOKENIZER

    monkeypatch.setattr(PPOTrainerSync, "_init_tokenizer", init_tokenizer)
    monkeypatch.setattr(
        "recipe_tapo.engine.trainer.omega_conf_to_dataclass",
        lambda _: SimpleNamespace(hf_config=SimpleNamespace(max_position_embeddings=100_000)),
    )
    trainer._init_tokenizer()
    length = trainer.config.actor_rollout_ref.rollout.max_model_len
    # Question, two rollouts and an output take 10 + 3 · 20 = 70 tokens; the template comes on top.
    assert (length > 70) if enable else (length is None)


def test_workers_of_verls_hybrid_class_become_tapos_and_others_stay(monkeypatch):
    class Other:
        pass

    def init(self):
        self.role_worker_mapping = {"actor": ray.remote(ActorRolloutRefWorker), "other": ray.remote(Other)}

    monkeypatch.setattr(PPOTrainerSync, "_init_resource_pool_mgr", init)
    trainer = object.__new__(TapoTrainer)
    trainer._init_resource_pool_mgr()
    classes = {
        role: worker.__ray_metadata__.modified_class.__ray_actor_class__
        for role, worker in trainer.role_worker_mapping.items()
    }
    assert classes == {"actor": TapoActorRolloutRefWorker, "other": Other}


# _balance_batch


def test_a_batch_is_padded_to_the_plans_rows_and_dealt(monkeypatch):
    step = Step(monkeypatch, two_questions(), "actor_rollout_ref.actor.ppo_mini_batch_size=1", ranks=2)
    batch = step.trainer._balance_batch(step.queue.batch(), metrics=step.metrics)
    # 11 rows on two ranks with two steps: one row of padding.
    assert len(batch) == 12
    assert len(rows.padding_keys(batch)) == 1 and len(rows.reflected_keys(batch)) == 3
    for rank in (batch.keys[:6], batch.keys[6:]):
        constructed = [sum(key in rows.reflected_keys(batch) for key in part) for part in (rank[:3], rank[3:])]
        assert abs(constructed[0] - constructed[1]) <= 1
    # The next step's padding is verl's again.
    assert "_get_required_batch_multiple" not in vars(step.trainer)


def test_a_batch_without_constructions_is_balanced_by_verl_alone(monkeypatch):
    ours = Step(monkeypatch, two_questions(constructed=False), ranks=2)
    batch = ours.trainer._balance_batch(ours.queue.batch(), metrics={})
    verls = PPOTrainerSync._balance_batch(ours.trainer, ours.queue.batch(), metrics={})
    assert batch.keys == verls.keys and len(batch) == 8


# _compute_old_log_prob, _compute_advantage, _update_actor, _compute_metrics


@pytest.mark.parametrize("steps", [1, 2])
def test_rollouts_are_graded_measured_and_logged_as_if_nothing_had_been_constructed(monkeypatch, steps):
    """All of the step's overrides at once: G_ref and padding change none of verl's numbers."""
    overrides = (
        f"actor_rollout_ref.actor.ppo_mini_batch_size={2 // steps}",
        *("actor_rollout_ref.actor.use_kl_loss=true", "actor_rollout_ref.rollout.calculate_log_probs=true"),
    )
    plain = Step(monkeypatch, two_questions(constructed=False), *overrides, ranks=2).run()
    tapo = Step(monkeypatch, two_questions(), *overrides, ranks=2).run()
    assert len(rows.padding_keys(tapo.batch)) == 1
    same(of_rollouts(tapo.column(rows.ADVANTAGES)), plain.column(rows.ADVANTAGES), atol=1e-5, rtol=1e-5)
    verls = {name for name in plain.metrics if not name.startswith(("tapo/", "global_seqlen", "perf/", "timing"))}
    assert {"actor/entropy", "critic/score/mean", "response_length/mean", "training/rollout_probs_diff_max"} <= verls
    for name in verls:
        assert tapo.metrics[name] == pytest.approx(plain.metrics[name], rel=1e-5, abs=1e-5), name
    # G_ref = [1, 0, 1]: mean 2/3, sample std sqrt(1/3): (1/3) / 0.57735 = 0.57735 and -1.154701.
    advantages = tapo.column(rows.ADVANTAGES)
    for key, expected in {"a_4_0": 0.57735, "a_5_0": -1.154701, "a_6_0": 0.57735}.items():
        close(advantages[key], torch.full_like(advantages[key], expected), atol=1e-4, rtol=1e-4)
    assert tapo.metrics["tapo/rows"] == 3 and plain.metrics["tapo/rows"] == 0
    assert tapo.metrics["tapo/eligible_groups"] == plain.metrics["tapo/eligible_groups"] == 1
    # low_var_kl of a reference that is 0.25 below everywhere: exp(-0.25) - 1 + 0.25.
    assert tapo.metrics["tapo/kl_to_reference"] == pytest.approx(np.exp(-0.25) - 0.75, abs=1e-6)


def test_the_update_carries_a_plan_only_where_something_was_constructed(monkeypatch):
    two_steps = "actor_rollout_ref.actor.ppo_mini_batch_size=1"
    step = Step(monkeypatch, two_questions(), two_steps, "tapo.lambda_ref=0.5").run()
    (batch,) = step.trainer.actor_rollout_wg.trained
    plan = UpdatePlan.from_plain(batch.extra_info[PLAN_KEY])
    # Rollouts of a: 3 + 5 + 2 + 4 tokens, of b: 4 + 1 + 3 + 2; constructed: 6 - 2 + 4 + 3.
    assert (plan.rows, plan.num_mini_batch, plan.lambda_ref) == (12, 2, 0.5)
    assert plan.normalization == "per_group"
    sizes = plan.sizes
    assert (sizes.original_tokens, sizes.reflection_tokens) == (24, 11)
    assert (sizes.original_sequences, sizes.reflection_sequences) == (8, 3)
    plain = Step(monkeypatch, two_questions(constructed=False), two_steps).run()
    (batch,) = plain.trainer.actor_rollout_wg.trained
    assert PLAN_KEY not in batch.extra_info


def test_the_plan_has_the_denominators_that_are_configured(monkeypatch):
    step = Step(monkeypatch, two_questions(), "tapo.loss_normalization=joint").run()
    (batch,) = step.trainer.actor_rollout_wg.trained
    assert UpdatePlan.from_plain(batch.extra_info[PLAN_KEY]).normalization == "joint"


@pytest.mark.parametrize("by_std", [True, False])
@pytest.mark.parametrize("mode", ["decoupled", "joint", "anchored"])
def test_advantages_are_of_the_mode_that_is_configured(monkeypatch, mode, by_std):
    overrides = (f"tapo.advantage.mode={mode}", f"algorithm.norm_adv_by_std_in_grpo={by_std}")
    step = Step(monkeypatch, two_questions(), *overrides).run()
    advantages = step.column(rows.ADVANTAGES)
    rewards = {key: float(step.queue.rows[key][rows.SCORES].sum()) for key in advantages}
    for question in "ab":
        originals = [key for key in rewards if key.startswith(f"{question}_") and is_rollout(key)]
        constructed = [key for key in rewards if key.startswith(f"{question}_") and not is_rollout(key)]
        # Which rows' mean and deviation each row is measured by.
        together = originals + constructed
        references = {
            "decoupled": (originals, constructed),
            "joint": (together, together),
            "anchored": (originals, originals),
        }[mode]
        for keys, reference in zip((originals, constructed), references, strict=True):
            values = np.array([rewards[key] for key in reference])
            for key in keys:
                deviation = values.std(ddof=1) + 1e-6 if by_std else 1.0
                expected = (rewards[key] - values.mean()) / deviation
                close(advantages[key], torch.full_like(advantages[key], expected), atol=1e-4, rtol=1e-4)
    assert sum(map(is_rollout, rewards)) == 8 and len(rewards) >= 11


def test_an_update_of_a_batch_that_was_not_padded_is_refused(monkeypatch):
    step = Step(monkeypatch, two_questions(), "actor_rollout_ref.actor.ppo_mini_batch_size=1")
    with pytest.raises(ValueError, match="11 rows are no 2 mini-batches"):
        step.trainer._update_actor(step.queue.batch(), {})


def test_token_factors_are_eq_7s_weights_of_constructions_and_1_elsewhere(monkeypatch):
    step = Step(monkeypatch, two_questions(), "actor_rollout_ref.actor.ppo_mini_batch_size=1").run()
    factors = step.column(rows.TOKEN_FACTOR)
    assert len(factors) == 12  # padding too: verl fetches the field of every row
    turns = []
    for key, factor in factors.items():
        row = step.queue.rows[key]
        expected = torch.ones(len(row[rows.RESPONSES]))
        if key in rows.reflected_keys(step.batch):
            expected = (row[rows.OLD_LOG_PROBS] + row[rows.ENTROPY]).exp().clamp(0.01, 10)
            turns.append(expected[2].item())
        close(factor, expected)
    assert step.metrics["tapo/ots_weight/turn"] == pytest.approx(np.mean(turns))
    off = Step(monkeypatch, two_questions(), "tapo.ots.enable=false").run().column(rows.TOKEN_FACTOR)
    assert len(off) >= 11 and all(bool((factor == 1).all()) for factor in off.values())
    narrow = Step(monkeypatch, two_questions(), "tapo.ots.w_min=0.9", "tapo.ots.w_max=1.1").run()
    reflected = rows.reflected_keys(narrow.batch)
    weights = torch.cat([narrow.column(rows.TOKEN_FACTOR)[key] for key in reflected])
    assert len(reflected) == 3 and (weights.min().item(), weights.max().item()) == pytest.approx((0.9, 1.1))


def test_a_turn_is_spared_by_ots_where_a_prefix_is_preserved(monkeypatch):
    def factors(*overrides):
        queue = two_questions()
        queue.tags["a_6_0"][rows.PREFIX_LENGTH_TAG] = 0
        step = Step(monkeypatch, queue, *overrides).run()
        return {key: step.column(rows.TOKEN_FACTOR)[key] for key in rows.reflected_keys(step.batch)}

    plain, spared = factors(), factors("tapo.ots.spare_turn=1")
    for key, weights in plain.items():
        expected = weights.clone()
        if key != "a_6_0":
            expected[2] = max(1.0, expected[2])
        close(spared[key], expected)
    assert any(weights[2] < 1 for key, weights in plain.items() if key != "a_6_0")


@pytest.mark.parametrize("shuffle", [True, False])
def test_two_steps_on_a_batch_add_up_to_eq_6(monkeypatch, shuffle):
    """From the trainer's deal to verl's mini-batches: Σ L_s = Σ L_GRPO,s + 2 λ L_ref(the whole batch)."""
    overrides = (
        *("actor_rollout_ref.actor.ppo_mini_batch_size=1", f"actor_rollout_ref.actor.shuffle={shuffle}"),
        *("tapo.lambda_ref=0.5", "tapo.ots.enable=false"),
    )
    step = Step(monkeypatch, two_questions(), *overrides).run()
    mini_batches = step.loss_weights(monkeypatch)
    assert len(mini_batches) == 2
    for weights in mini_batches:
        # 12 rows: 8 rollouts, 3 constructed, 1 of padding.
        constructed = [key for key in weights if key in rows.reflected_keys(step.batch)]
        assert len(weights) == 6 and len(of_rollouts(weights)) in (4, 5) and len(constructed) in (1, 2)
        tokens = sum(len(weight) for weight in of_rollouts(weights).values())
        for key, weight in weights.items():
            mask = step.queue.rows[key][rows.LOSS_MASK]
            # Half of the batch's 11 constructed tokens; the mini-batch's own tokens of rollouts.
            expected = 0.5 / (11 / 2) if key in constructed else 1 / tokens
            close(weight, mask * expected)


# Sessions of several outputs


def several_outputs(constructed):
    """Question c: session 0 ends in a right output after a wrong one; session 1 has three outputs, stored backwards."""
    queue = two_questions(constructed)
    queue.add("c_0_0", 3, 0.0)
    queue.add("c_0_1", 2, 1.0)
    for output in (2, 1, 0):
        queue.add(f"c_1_{output}", 2 + output, 1.0 if output == 1 else 0.0)
    queue.add("c_2_0", 3, 1.0)
    queue.add("c_3_0", 4, 0.0)
    return queue


def test_the_last_output_stands_for_its_session_by_hand(monkeypatch):
    step = Step(monkeypatch, several_outputs(constructed=True), ranks=2).run()
    advantages = {key: float(value[0]) for key, value in step.column(rows.ADVANTAGES).items()}
    # Sessions end with 1, 0, 1, 0: mean 1/2, sample std sqrt(4 · 1/4 / 3) = 0.57735: ±0.866025.
    for session, sign in enumerate((1, -1, 1, -1)):
        for key in (key for key in advantages if key.startswith(f"c_{session}_")):
            assert advantages[key] == pytest.approx(sign * 0.866025, abs=1e-4), key


@pytest.mark.parametrize("enable", [True, False])
def test_sessions_of_several_outputs_are_those_of_verls_grpo(monkeypatch, enable):
    def verls_grpo(queue):
        step = Step(monkeypatch, queue, "tapo.enable=false")
        batch = PPOTrainerSync._compute_old_log_prob(step.trainer, queue.batch(), {})
        PPOTrainerSync._compute_advantage(step.trainer, batch, {})
        return step.column(rows.ADVANTAGES)

    expected = verls_grpo(several_outputs(constructed=False))
    step = Step(monkeypatch, several_outputs(constructed=enable), f"tapo.enable={enable}")
    batch = step.trainer._compute_old_log_prob(step.queue.batch(), {})
    step.trainer._compute_advantage(batch, {})
    ours = {key: step.column(rows.ADVANTAGES)[key] for key in expected}
    masks = step.column(rows.RESPONSE_MASK)
    same({key: value * masks[key] for key, value in ours.items()}, expected, atol=1e-5, rtol=1e-5)


def test_a_session_whose_last_output_is_masked_out_trains_on_nothing_as_in_verl(monkeypatch):
    results = []
    for constructed in (True, False):
        queue = several_outputs(constructed)
        queue.rows["c_0_1"][rows.RESPONSE_MASK].zero_()
        step = Step(monkeypatch, queue)
        batch = step.trainer._compute_old_log_prob(queue.batch(), {})
        step.trainer._compute_advantage(batch, {})
        results.append(step.column(rows.ADVANTAGES)["c_0_0"])
    assert [advantages.tolist() for advantages in results] == [[0.0] * 3] * 2


# KL in the reward


def test_adaptive_kl_in_the_reward_adapts_once_and_on_rollouts_alone(monkeypatch):
    overrides = (
        *("algorithm.use_kl_in_reward=true", "algorithm.kl_ctrl.type=adaptive", "algorithm.kl_ctrl.kl_coef=0.1"),
        *("algorithm.kl_ctrl.target_kl=0.2", "algorithm.kl_ctrl.horizon=100", "algorithm.kl_penalty=kl"),
        "actor_rollout_ref.actor.ppo_mini_batch_size=1",
    )
    steps = {}
    for constructed in (True, False):
        step = steps[constructed] = Step(monkeypatch, two_questions(constructed), *overrides)
        updates = []
        update = step.trainer.kl_ctrl_in_reward.update

        def counted(update=update, updates=updates, **arguments):
            updates.append(arguments)
            update(**arguments)

        step.trainer.kl_ctrl_in_reward.update = counted
        step.run()
        # The reference is 0.25 below the policy on every token of the 8 rollouts: 0.25 / 0.2 - 1 is clipped to 0.2.
        assert updates == [{"current_kl": pytest.approx(0.25), "n_steps": 8}]
        assert step.trainer.kl_ctrl_in_reward.value == pytest.approx(0.1 * (1 + 0.2 * 8 / 100))
    # Every row has r - β KL, of which β is that of before the update.
    rewards = steps[True].column(rows.REWARDS)
    same(of_rollouts(rewards), steps[False].column(rows.REWARDS))
    close(rewards["a_4_0"], torch.tensor([0, 0, -0.025, -0.025, -0.025, 1 - 0.025]))
    (padding,) = (key for key in rewards if key.startswith("pad"))
    assert rewards[padding].tolist() == [0.0]


# Rollout correction


CORRECTION = (
    *("actor_rollout_ref.rollout.calculate_log_probs=true", "algorithm.rollout_correction.rollout_is=token"),
    "algorithm.rollout_correction.rollout_is_threshold=5.0",
)


@pytest.mark.parametrize("mode", ["token-mean", "seq-mean-token-mean", "seq-mean-token-sum"])
@pytest.mark.parametrize("overrides", [(), CORRECTION, ("tapo.ots.enable=false",)], ids=str)
def test_an_original_rows_term_is_the_same_with_and_without_constructions(monkeypatch, mode, overrides):
    def queue(constructed):
        queue = two_questions(constructed)
        queue.rows["b_0_0"]["rollout_log_probs"] += 0.7  # the sampler disagrees
        return queue

    overrides = (*overrides, f"actor_rollout_ref.actor.loss_agg_mode={mode}")
    (plain,) = Step(monkeypatch, queue(constructed=False), *overrides).run().loss_weights(monkeypatch)
    (tapo,) = Step(monkeypatch, queue(constructed=True), *overrides).run().loss_weights(monkeypatch)
    same(of_rollouts(tapo), plain, atol=1e-6, rtol=1e-5)
    assert set(tapo) - set(plain) == {"a_4_0", "a_5_0", "a_6_0"}
    if CORRECTION[0] in overrides:
        # exp(-0.1): the sampler is 0.1 below the policy, so that a token's weight is exp(0.1); b_0_0's exp(-0.6).
        ratio = plain["b_0_0"][0] / plain["a_0_0"][0]
        assert mode != "token-mean" or ratio == pytest.approx(np.exp(-0.7), rel=1e-4)
