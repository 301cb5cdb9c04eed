import math

import pytest
import torch

from recipe_tapo.algorithm.token_weights import ots_weights, spare_turns


def test_a_token_of_typical_probability_weighs_one():
    # Uniform over k: log p = -ln k, H = ln k, so w = exp(0) = 1 whatever k.
    for k in (2, 10, 50_000):
        w = ots_weights(torch.tensor([-math.log(k)]), torch.tensor([math.log(k)]))
        torch.testing.assert_close(w, torch.ones(1))


def test_the_papers_equation_and_clamps():
    # exp(-1.0 + 0.4) = exp(-0.6) = 0.548812; exp(-9 + 1) = 0.000335 -> 0.01; exp(-0.1 + 3) = 18.17 -> 10
    w = ots_weights(torch.tensor([-1.0, -9.0, -0.1]), torch.tensor([0.4, 1.0, 3.0]))
    torch.testing.assert_close(w, torch.tensor([0.548812, 0.01, 10.0]))


def test_weights_carry_no_gradient():
    log_probs = torch.tensor([-1.0], requires_grad=True)
    assert not ots_weights(log_probs, log_probs * 2).requires_grad


@pytest.mark.parametrize(("log_prob", "expected"), [(-math.inf, 0.01), (math.nan, 0.01), (100.0, 10.0), (1e4, 10.0)])
def test_extremes_stay_within_the_clamps(log_prob, expected):
    assert ots_weights(torch.tensor([log_prob]), torch.zeros(1)).item() == pytest.approx(expected)


def test_on_policy_tokens_weigh_at_least_one_on_average():
    # E[exp(log p + H)] = e^H sum p^2 >= 1, by Jensen; equality for a uniform distribution.
    probabilities = torch.tensor([0.7, 0.2, 0.1])
    entropy = -(probabilities * probabilities.log()).sum()
    w = ots_weights(probabilities.log(), entropy.expand(3))
    assert (probabilities * w).sum() >= 1


def test_a_turns_first_tokens_weigh_at_least_one():
    # Rows of 4, 3 and 2 tokens that preserve 1, 2 and 1; two tokens of each turn are spared, one where the row ends.
    weights = torch.tensor([0.5, 0.01, 0.2, 0.3, 3.0, 0.4, 0.01, 0.1, 2.0])
    spared = spare_turns(weights, torch.tensor([1, 6, 8]), torch.tensor([4, 7, 9]), tokens=2)
    torch.testing.assert_close(spared, torch.tensor([0.5, 1.0, 1.0, 0.3, 3.0, 0.4, 1.0, 0.1, 2.0]))
    assert weights[1].item() == pytest.approx(0.01)  # the argument stays as it was
    torch.testing.assert_close(spare_turns(weights, torch.tensor([1, 6]), torch.tensor([4, 7]), tokens=0), weights)
    everything = spare_turns(weights, torch.tensor([1]), torch.tensor([9]), tokens=10**12)
    assert (everything[1:] >= 1).all()
    nothing = torch.zeros(0, dtype=torch.long)
    torch.testing.assert_close(spare_turns(weights, nothing, nothing, tokens=2), weights)
