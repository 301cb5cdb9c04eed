import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_tapo.algorithm.advantages import group_advantages, token_advantages
from recipe_tapo.engine.rows import split_uids

close = torch.testing.assert_close


def advantages(rewards, uids, **kwargs):
    return group_advantages(torch.tensor(rewards), *split_uids(np.array(uids, dtype=object)), **kwargs)


def test_the_two_groups_of_a_query_are_normalised_apart():
    # G_orig = [1, 0, 0, 0]: mean 1/4, squared deviations 9/16 + 3/16 = 3/4, sample variance 1/4, std 1/2
    #   -> 0.75 / 0.5 = 1.5 and -0.25 / 0.5 = -0.5
    # G_ref = [1, 1, 0]: mean 2/3, squared deviations 1/9 + 1/9 + 4/9 = 2/3, variance 1/3, std 0.577350
    #   -> (1/3) / 0.577350 = 0.577350 and (-2/3) / 0.577350 = -1.154701
    uids = ["a", "a_reflected", "a", "a_reflected", "a", "a", "a_reflected"]
    result = advantages([1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0], uids)
    expected = torch.tensor([1.5, 0.577350, -0.5, 0.577350, -0.5, -0.5, -1.154701])
    close(result, expected, atol=1e-5, rtol=1e-5)


def test_a_joint_group_is_contaminated_by_the_constructions():
    # [1, 0, 0 | 1, 1]: mean 3/5; squared deviations 3 * 0.16 + 2 * 0.36 = 1.2, variance 0.3, std 0.547723
    uids = ["a", "a", "a", "a_reflected", "a_reflected"]
    result = advantages([1.0, 0.0, 0.0, 1.0, 1.0], uids, mode="joint")
    close(result, torch.tensor([0.730297, -1.095445, -1.095445, 0.730297, 0.730297]), atol=1e-5, rtol=1e-5)


def test_anchored_measures_constructions_by_the_original_group_and_leaves_that_alone():
    # G_orig = [1, 0, 0, 0]: mean 0.25, std 0.5. All constructions right: (1 - 0.25) / 0.5 = 1.5 instead of 0.
    uids = ["a"] * 4 + ["a_reflected"] * 2
    rewards = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    result = advantages(rewards, uids, mode="anchored")
    close(result, torch.tensor([1.5, -0.5, -0.5, -0.5, 1.5, 1.5]), atol=1e-5, rtol=1e-5)
    close(result[:4], advantages(rewards, uids)[:4])


def test_anchored_without_an_original_group_is_decoupled():
    rewards, uids = [1.0, 0.0, 0.0], ["a_reflected"] * 3
    close(advantages(rewards, uids, mode="anchored"), advantages(rewards, uids))


@pytest.mark.parametrize("reward", [0.0, 1.0, -1.0, 0.3])
def test_a_group_of_one_keeps_its_reward(reward):
    close(advantages([reward], ["a"]), torch.tensor([reward]))
    close(advantages([reward], ["a"], norm_by_std=False), torch.tensor([reward]))


@pytest.mark.parametrize("mode", ["decoupled", "joint", "anchored"])
def test_a_group_without_variance_has_no_advantage(mode):
    # 0.1 has no exact mean in float32: without the guard rounding is blown up by 1 / epsilon.
    assert advantages([0.1] * 7, ["a"] * 7, mode=mode).tolist() == [0.0] * 7


def test_without_division_by_std_only_the_mean_is_taken_off():
    close(advantages([1.0, 0.0, 0.0, 0.0], ["a"] * 4, norm_by_std=False), torch.tensor([0.75, -0.25, -0.25, -0.25]))


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="decoupled, joint or anchored"):
        advantages([1.0], ["a"], mode="mixed")


def test_every_token_has_its_rows_advantage_in_the_memory_of_one():
    rewards_BT = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    # [1, 0]: mean 0.5, sample std sqrt(0.5) = 0.707107 -> +-0.707107
    advantages_BT = token_advantages(rewards_BT, np.array(["a", "a"]))
    close(advantages_BT, torch.tensor([[0.707106] * 3, [-0.707106] * 3]), atol=1e-5, rtol=1e-5)
    assert advantages_BT.stride() == (1, 0)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0.0, 1.0, 0.5, -1.0])), min_size=1, max_size=40),
    st.booleans(),
)
def test_originals_get_what_verls_grpo_gives_them(rows, norm_by_std):
    from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

    uids = np.array([uid for uid, _ in rows], dtype=object)
    rewards_BT = torch.zeros(len(rows), 3)
    rewards_BT[:, -1] = torch.tensor([reward for _, reward in rows])
    mask_BT = torch.ones(len(rows), 3)
    verls, _ = compute_grpo_outcome_advantage(rewards_BT, mask_BT, uids, norm_adv_by_std_in_grpo=norm_by_std)
    close(token_advantages(rewards_BT, uids, norm_by_std=norm_by_std), verls, atol=1e-5, rtol=1e-5)
