"""The trainer hands each step's counts to the watch, and ends before the next step where the watch says so."""

from types import SimpleNamespace

import pytest
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.failed_steps import NothingIsConstructed, StepWatch
from recipe_tapo.construction.reports import GroupReport
from recipe_tapo.engine import trainer
from recipe_tapo.reasons import RejectReason


def make_trainer(monkeypatch, **tapo):
    watched = object.__new__(trainer.TapoTrainer)
    watched.tapo = TapoConfig.from_mapping(tapo)
    watched.step_watch = StepWatch(watched.tapo.max_failed_steps)
    monkeypatch.setattr(PPOTrainerSync, "_compute_metrics", lambda self, batch, metrics: None)
    watched.use_reference_policy = False
    for module in (trainer, trainer.batch_metrics):
        monkeypatch.setattr(module, "reflected_keys", lambda batch: [])
    monkeypatch.setattr(trainer.batch_metrics, "of_rollouts", lambda batch: {})
    return watched


BATCH = SimpleNamespace(select_keys=lambda keys: None)


def test_a_run_whose_requests_all_fail_ends_after_the_metrics_of_the_last_failed_step(monkeypatch):
    report = GroupReport(eligible=True, attempts=2)
    report.reject(RejectReason.REQUEST_FAILED, 2)
    monkeypatch.setattr(trainer.batch_metrics, "rows_of", lambda batch: [SimpleNamespace(report=report.to_plain())])
    watched = make_trainer(monkeypatch, max_failed_steps=2)
    for _ in range(2):
        watched.on_step_begin()
        metrics = {}
        watched._compute_metrics(BATCH, metrics)
        assert metrics["tapo/rejected/request_failed"] == 2
    with pytest.raises(NothingIsConstructed, match=r"every attempt of the last 2 steps .*request_failed 4"):
        watched.on_step_begin()


def test_opsds_scorings_are_watched_too(monkeypatch):
    failed = {"tapo/opsd/rollouts": 5, "tapo/opsd/scored": 0, "tapo/opsd/rejected/timed_out": 5}
    monkeypatch.setattr(trainer, "take_report_metrics", lambda: dict(failed))
    watched = make_trainer(monkeypatch, max_failed_steps=1, opsd={"enable": True})
    watched._compute_metrics(BATCH, {})
    with pytest.raises(NothingIsConstructed, match="timed_out 5"):
        watched.on_step_begin()


def test_plain_grpo_is_not_watched(monkeypatch):
    watched = make_trainer(monkeypatch, max_failed_steps=1, enable=False)
    watched._compute_metrics(BATCH, {})
    watched.on_step_begin()
