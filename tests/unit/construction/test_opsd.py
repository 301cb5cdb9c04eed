"""OPSD, the paper's self-distillation baseline: siblings, the teacher's requests, per-token advantages."""

import asyncio
import math
import random
from types import SimpleNamespace

import pytest
import torch
from small_tokenizer import TOKENIZER, encode
from tensordict import TensorDict

from recipe_tapo.algorithm.opsd import choose_siblings, distillation_advantages
from recipe_tapo.config import TapoConfig, TapoConfigError
from recipe_tapo.construction.group import Rollout, RolloutGroup
from recipe_tapo.construction.policy import Policy
from recipe_tapo.construction.reports import TeacherReport
from recipe_tapo.construction.self_teacher import SelfTeacher
from recipe_tapo.engine import opsd_rows
from recipe_tapo.engine import rows as verl_rows
from recipe_tapo.reasons import RejectReason

QUESTION = "2x=8?"
RIGHT, WRONG = "x = 4", "x = 3"


def test_every_rollout_sees_another_right_one_and_none_where_there_is_no_other():
    siblings = choose_siblings([True, False, True, False], random.Random(0))
    assert siblings[0] == 2 and siblings[2] == 0  # never itself
    assert set(siblings) <= {0, 2}
    assert choose_siblings([True, False], random.Random(0)) == [None, 0]
    assert choose_siblings([False, False], random.Random(0)) == [None, None]
    assert choose_siblings([], random.Random(0)) == []


def test_siblings_are_drawn_uniformly():
    rng = random.Random(1)
    drawn = [choose_siblings([False, True, True, True], rng)[0] for _ in range(3000)]
    for sibling in (1, 2, 3):
        assert drawn.count(sibling) / 3000 == pytest.approx(1 / 3, abs=0.03)


def test_the_advantage_is_the_negative_kl_estimate_of_each_token():
    # p_T = 0.8 and 0.1 where p_θ = 0.4 and 0.2: log 2 and -log 2; the third token is masked.
    teacher = torch.tensor([0.8, 0.1, 0.5]).log()
    student = torch.tensor([0.4, 0.2, 0.5]).log().requires_grad_()
    advantages = distillation_advantages(teacher, student, torch.tensor([1, 1, 0]))
    torch.testing.assert_close(advantages, torch.tensor([math.log(2), -math.log(2), 0.0]))
    assert not advantages.requires_grad


def make_group(rights):
    group = RolloutGroup("q", QUESTION, 1, size=len(rights))
    for number, right in enumerate(rights):
        ids = [*encode(RIGHT if right else WRONG), TOKENIZER.eos_token_id]
        group.rollouts.append(Rollout(number, ids, right))
    return group


def run_teacher(monkeypatch, group, score_tokens, max_model_len=1000, **tapo):
    """Scores a group; returns the report and the log-probs by session."""
    group = group if isinstance(group, RolloutGroup) else make_group(group)
    monkeypatch.setattr(
        TOKENIZER, "apply_chat_template", lambda messages, **_: messages[0]["content"] + "\n", raising=False
    )
    policy = Policy(TOKENIZER, max_model_len, max_response_length=64, stop_ids=frozenset({TOKENIZER.eos_token_id}))
    teacher = SelfTeacher(TapoConfig.from_mapping(tapo), policy)
    scored, report = asyncio.run(teacher.score(group, SimpleNamespace(score_tokens=score_tokens)))
    return report, {rollout.session_id: log_probs for rollout, log_probs in scored}


async def positions(ids):
    return [float(i) for i in range(len(ids))]


def test_each_rollout_is_scored_behind_the_question_and_a_right_sibling(monkeypatch):
    seen = []

    async def score_tokens(ids):
        seen.append(TOKENIZER.decode(ids, skip_special_tokens=True))
        return await positions(ids)

    report, stored = run_teacher(monkeypatch, [True, False, True], score_tokens)
    assert (report.rollouts, report.scored, dict(report.rejected)) == (3, 3, {})
    assert sorted(stored) == [0, 1, 2]
    for text, response in zip(seen, (RIGHT, WRONG, RIGHT), strict=True):
        assert text.startswith(QUESTION) and RIGHT in text.removesuffix(response)
        assert text.endswith("\n" + response)
    # The log-probs kept are those of the response's tokens, EOS included: the last ones of the request.
    length = len(encode(WRONG)) + 1
    assert len(stored[1]) == length
    assert stored[1] == [stored[1][0] + i for i in range(length)]


def test_a_single_right_rollout_has_no_teacher_of_its_own(monkeypatch):
    report, stored = run_teacher(monkeypatch, [True, False], positions)
    assert (report.rollouts, report.scored, sorted(stored)) == (1, 1, [1])


def test_failures_cost_their_own_rollout_only_and_are_counted(monkeypatch):
    calls = []

    async def score_tokens(ids):
        calls.append(ids)
        if len(calls) == 1:
            raise RuntimeError("server down")
        if len(calls) == 2:
            await asyncio.sleep(60)
        return await positions(ids)

    report, stored = run_teacher(monkeypatch, [True, True, False], score_tokens, synthesis={"timeout_s": 0.05})
    assert report.scored == len(stored) == 1
    assert report.rejected == {"request_failed": 1, "timed_out": 1}

    report, stored = run_teacher(monkeypatch, [True, False], positions, max_model_len=10)
    assert (report.scored, stored, report.rejected) == (0, {}, {"does_not_fit": 1})


def test_a_mistake_of_ours_costs_its_own_rollout_too_and_shows_as_a_failed_step(monkeypatch):
    async def wrong(ids):
        return None  # nothing to take the last ones of

    report, stored = run_teacher(monkeypatch, [True, True, False], wrong)
    assert (report.rollouts, report.scored, stored, report.rejected) == (3, 0, {}, {"internal_error": 3})


def test_a_rollout_without_tokens_gets_no_log_probs(monkeypatch):
    group = make_group([True, False])
    group.rollouts[1] = Rollout(1, [], False)
    _, stored = run_teacher(monkeypatch, group, positions)
    assert stored == {1: []}


def test_groups_that_cannot_be_scored_are_counted(monkeypatch):
    several_turns = make_group([True, False, False])
    several_turns.unfit = RejectReason.NOT_SINGLE_TURN
    report, stored = run_teacher(monkeypatch, several_turns, positions)
    assert (report.rollouts, stored, report.rejected) == (2, {}, {"not_single_turn": 2})

    no_text = make_group([True, False])
    no_text.rollouts[0] = Rollout(0, None, True)
    report, stored = run_teacher(monkeypatch, no_text, positions)
    assert (report.scored, stored, report.rejected) == (0, {}, {"internal_error": 1})


class Queue:
    """TransferQueue's calls by partition and key, as ``opsd_rows`` makes them."""

    def __init__(self):
        self.fields, self.tags = {}, {}

    async def async_kv_batch_put(self, keys, partition_id, fields, tags):
        self.kv_batch_put(keys, partition_id, fields)
        for key, tag in zip(keys, tags, strict=True):
            self.tags.setdefault(partition_id, {})[key] = tag

    async def async_kv_put(self, key, partition_id, tag):
        self.tags.setdefault(partition_id, {})[key] = tag

    def kv_batch_put(self, keys, partition_id, fields):
        for number, key in enumerate(keys):
            row = self.fields.setdefault((partition_id, key), {})
            row.update({name: value.unbind()[number] for name, value in fields.items()})

    def kv_batch_get(self, keys, partition_id, select_fields):
        columns = {
            name: torch.nested.as_nested_tensor(
                [self.fields[partition_id, key][name] for key in keys], layout=torch.jagged
            )
            for name in select_fields
        }
        return TensorDict(columns, batch_size=[len(keys)])

    def kv_list(self, partition_id):
        return {partition_id: self.tags[partition_id]} if self.tags.get(partition_id) else {}

    def kv_clear(self, keys, partition_id):
        for key in keys:
            self.tags[partition_id].pop(key)


def test_scored_rows_get_their_advantages_and_all_others_none(monkeypatch):
    queue = Queue()
    for module in (opsd_rows, verl_rows):
        monkeypatch.setattr(module, "tq", queue)
    rows = {"q_0_0": ([-1.0, -2.0], [1, 1]), "q_1_0": ([-1.0], [1]), "pad": ([0.0], [0])}
    for key, (log_probs, mask) in rows.items():
        queue.fields["train", key] = {"old_log_probs": torch.tensor(log_probs), "response_mask": torch.tensor(mask)}
    asyncio.run(opsd_rows.put_teacher_log_probs("q", 0, [-0.5, -4.0]))
    asyncio.run(opsd_rows.put_report("q", TeacherReport(rollouts=2, scored=1)))

    metrics = opsd_rows.put_distillation_advantages(SimpleNamespace(keys=list(rows), partition_id="train"))
    advantages = {key: queue.fields["train", key]["advantages"].tolist() for key in rows}
    assert advantages == {"q_0_0": [0.5, -2.0], "q_1_0": [0.0], "pad": [0.0]}
    assert metrics == {"tapo/opsd/kl": 0.75}  # mean of -0.5 and 2

    assert opsd_rows.take_report_metrics() == {"tapo/opsd/rollouts": 2, "tapo/opsd/scored": 1}
    assert not queue.tags["tapo_opsd"]
    # The next step finds nothing left over.
    assert opsd_rows.take_report_metrics() == {"tapo/opsd/rollouts": 0, "tapo/opsd/scored": 0}
    opsd_rows.put_distillation_advantages(SimpleNamespace(keys=["q_0_0"], partition_id="train"))
    assert queue.fields["train", "q_0_0"]["advantages"].tolist() == [0.0, 0.0]


def test_reports_survive_the_way_as_a_tag():
    report = TeacherReport(rollouts=3, scored=1)
    report.rejected["timed_out"] += 2
    assert TeacherReport.from_plain(report.to_plain()) == report


def test_a_template_without_the_solution_is_refused(tmp_path):
    path = tmp_path / "prompt.txt"
    path.write_text("{question}")
    with pytest.raises(TapoConfigError, match=r"tapo\.opsd\.prompt_path=.*lacks \{correct_rollout\}"):
        TapoConfig.from_mapping({"opsd": {"prompt_path": str(path)}})
