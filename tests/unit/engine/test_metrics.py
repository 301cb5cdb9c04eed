from collections import Counter

import numpy as np
import pytest
import torch

from recipe_tapo.construction.group import Rollout, RolloutGroup
from recipe_tapo.construction.reports import GroupReport
from recipe_tapo.engine.metrics import (
    distribution_metrics,
    masked_mean,
    reflection_metrics,
    rollout_metrics,
    timing_metrics,
    weight_metrics,
    yield_metrics,
)
from recipe_tapo.reasons import RejectReason
from recipe_tapo.records.attempts import AttemptDump, AttemptRecord, read_dump


def report(**kwargs):
    return GroupReport(**{"rollout_end": 10.0, "construction_end": 10.0, **kwargs})


def test_yields_add_up_over_groups_and_every_reason_is_there():
    first = report(eligible=True, attempts=4, parsed=3, right=2, prefix_lengths=[5, 0, 10], new_tokens=[4, 4, 7])
    first.prefix_fractions = [0.5, 0.0, 1.0]
    first.reject(RejectReason.TRUNCATED)
    first.retried.update(["truncated", "leak"])
    metrics = yield_metrics([first, report(retried=Counter({"leak": 2}))])
    assert (metrics["tapo/retries"], metrics["tapo/retried/truncated"], metrics["tapo/retried/leak"]) == (4, 1, 3)
    assert metrics["tapo/groups"] == 2
    assert metrics["tapo/eligible_groups"] == 1
    assert metrics["tapo/eligible_fraction"] == 0.5
    assert metrics["tapo/parsed_fraction"] == 0.75
    assert metrics["tapo/right_fraction"] == pytest.approx(2 / 3)
    assert metrics["tapo/rejected/truncated"] == 1
    assert metrics["tapo/rejected/timed_out"] == 0
    assert metrics["tapo/prefix_length/mean"] == 5
    assert metrics["tapo/prefix_fraction/zero"] == pytest.approx(1 / 3)


def test_without_groups_or_attempts_there_are_counts_but_no_shares():
    assert yield_metrics([])["tapo/attempts"] == 0
    assert "tapo/parsed_fraction" not in yield_metrics([report()])
    assert timing_metrics([]) == {}


def test_hidden_time_is_what_passes_before_the_last_rollout_of_the_batch_ends():
    # Generation ends at 12. Group 1 constructs 10-13: 2 of 3 s hidden. Group 2 constructs 12-14: nothing hidden.
    reports = [
        report(attempts=1, rollout_end=10.0, construction_end=13.0),
        report(attempts=1, rollout_end=12.0, construction_end=14.0),
        report(rollout_end=11.0, construction_end=11.0),
    ]
    metrics = timing_metrics(reports)
    assert metrics["tapo/construction_s"] == pytest.approx(5.0)
    assert metrics["tapo/construction_hidden_fraction"] == pytest.approx(2 / 5)
    assert metrics["tapo/construction_exposed_s"] == pytest.approx(2.0)


def test_what_is_constructed_while_the_trainer_still_trains_is_hidden_too():
    # As above, but the trainer begins to wait at 13.5: 3 of 3 s and 1.5 of 2 s are hidden, 0.5 s is waited for.
    reports = [
        report(attempts=1, rollout_end=10.0, construction_end=13.0),
        report(attempts=1, rollout_end=12.0, construction_end=14.0),
    ]
    metrics = timing_metrics(reports, waited_from=13.5)
    assert metrics["tapo/construction_hidden_fraction"] == pytest.approx(4.5 / 5)
    assert metrics["tapo/construction_exposed_s"] == pytest.approx(0.5)
    # A batch that was ready before is not waited for at all.
    assert timing_metrics(reports, waited_from=20.0)["tapo/construction_exposed_s"] == 0


def test_weights_report_their_spread_and_how_many_are_clamped():
    metrics = weight_metrics(torch.tensor([0.01, 1.0, 1.0, 10.0]), 0.01, 10.0)
    assert metrics["tapo/ots_weight/mean"] == pytest.approx(12.01 / 4)
    assert (metrics["tapo/ots_weight/at_lower_bound"], metrics["tapo/ots_weight/at_upper_bound"]) == (0.25, 0.25)
    assert weight_metrics(torch.zeros(0), 0.01, 10.0) == {}


def test_a_reflection_group_without_advantage_is_counted():
    advantages = torch.tensor([[0.5, 0.5], [-0.5, 0.0], [0.0, 0.0], [0.0, 0.0]])
    mask = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 1]])
    uids = np.array(["a_reflected", "a_reflected", "b_reflected", "b_reflected"])
    metrics = reflection_metrics(advantages, mask, uids, torch.tensor([2, 1, 2, 2]))
    assert metrics["tapo/zero_advantage_groups_fraction"] == 0.5
    assert metrics["tapo/extra_tokens"] == 7
    assert metrics["tapo/response_length/mean"] == 1.75


def test_a_rollout_group_without_variance_is_counted_whatever_its_reward():
    # Groups a (all right), b (all wrong), c (mixed), d (a score that is neither): three of four have one reward.
    rewards = torch.tensor([1.0, 0.0, 1.0, 0.1, 1.0, 0.0, 0.0, 0.1])
    uids = ["a", "b", "c", "d", "a", "b", "c", "d"]
    assert rollout_metrics(rewards, uids) == {"tapo/zero_variance_rollout_groups_fraction": 0.75}
    assert rollout_metrics(torch.zeros(0), []) == {}


def test_entropy_and_nll_are_means_over_trained_tokens():
    mask = torch.tensor([[1, 1], [1, 0]])
    entropy, log_probs = torch.tensor([[1.0, 2.0], [3.0, 99.0]]), torch.tensor([[-1.0, -1.0], [-4.0, -99.0]])
    assert distribution_metrics(mask, entropy, log_probs) == {"tapo/entropy": 2.0, "tapo/nll": 2.0}
    assert distribution_metrics(mask, entropy, log_probs, log_probs + 5)["tapo/kl_to_reference"] == 3.0


def test_a_mean_over_nothing_is_nan():
    assert np.isnan(masked_mean(torch.ones(2), torch.zeros(2)))


def test_a_report_survives_its_journey_as_a_tag():
    original = report(attempts=2, prefix_lengths=[3])
    original.reject(RejectReason.MISSING_TAG)
    assert GroupReport.from_plain(original.to_plain()) == original


def test_only_the_last_session_to_end_triggers_and_order_does_not_depend_on_arrival():
    group = RolloutGroup("u", "q", 1, size=3)
    group.rollouts = [Rollout(2, [], True), Rollout(0, [], False)]
    assert [group.end_session() for _ in range(3)] == [False, False, True]
    assert [rollout.session_id for rollout in group.ordered()] == [0, 2]


def test_a_dump_reads_back_and_passes_over_a_line_cut_short(tmp_path):
    dump = AttemptDump(tmp_path)
    for step in (10, 2):
        dump.write(AttemptRecord(step, "u", "q 🤔", "wrong\n\ud800", "right"))
    (tmp_path / "3-dead.jsonl").write_text('{"step": 3, "uid"')
    records = list(read_dump(tmp_path))
    assert [record["step"] for record in records] == [2, 10]
    assert records[0]["error_rollout"] == "wrong\n\ud800"
