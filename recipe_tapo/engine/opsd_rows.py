"""OPSD's rows in TransferQueue: teacher log-probs in, per-token advantages out (touches verl).

Teacher log-probs lie in a partition of their own: verl's rows must all have the same fields.
"""

from collections import Counter
from typing import Any

import torch
import transfer_queue as tq
from tensordict import TensorDict
from transfer_queue import KVBatchMeta

from recipe_tapo.algorithm.opsd import distillation_advantages
from recipe_tapo.construction.group import REPORT_TAG
from recipe_tapo.construction.self_teacher import TeacherReport
from recipe_tapo.engine.metrics import masked_mean
from recipe_tapo.engine.rows import put_jagged, row_key

_PARTITION = "tapo_opsd"
_FIELD = "teacher_log_probs"


async def put_teacher_log_probs(fields: dict[str, Any], log_probs: list[float]) -> None:
    """Keeps the teacher's log-probs of one rollout under the rollout's own key."""
    nested = torch.nested.as_nested_tensor([torch.tensor(log_probs)], layout=torch.jagged)
    await tq.async_kv_batch_put(
        keys=[row_key(fields)],
        partition_id=_PARTITION,
        fields=TensorDict({_FIELD: nested}, batch_size=[1]),
        tags=[{_FIELD: True}],
    )


async def put_report(uid: str, report: TeacherReport) -> None:
    """Keeps one group's report."""
    await tq.async_kv_put(key=uid, partition_id=_PARTITION, tag={REPORT_TAG: report.as_tag()})


def take_report_metrics() -> dict[str, float]:
    """Yields over the groups of one step; empties the partition for the next one."""
    entries = tq.kv_list(_PARTITION).get(_PARTITION, {})
    reports = [TeacherReport.from_tag(tag[REPORT_TAG]) for tag in entries.values() if REPORT_TAG in tag]
    if entries:
        tq.kv_clear(keys=list(entries), partition_id=_PARTITION)
    rejected = sum((report.rejected for report in reports), Counter())
    return {
        "tapo/opsd/rollouts": sum(report.rollouts for report in reports),
        "tapo/opsd/scored": sum(report.scored for report in reports),
        **{f"tapo/opsd/rejected/{reason}": count for reason, count in rejected.items()},
    }


def put_distillation_advantages(batch: KVBatchMeta) -> dict[str, float]:
    """Replaces every row's advantages: OPSD's where the row has a teacher, else 0.

    Returns:
        The mean estimate of the KL divergence from student to teacher over all scored tokens.
    """
    entries = tq.kv_list(_PARTITION).get(_PARTITION, {})
    scored, others = [], []
    for key in batch.keys:
        (scored if entries.get(key, {}).get(_FIELD) else others).append(key)
    metrics = {}
    if others:
        mask = _get(others, batch.partition_id, ["response_mask"])["response_mask"]
        put_jagged(batch, others, "advantages", torch.zeros_like(mask.values(), dtype=torch.float32), mask.offsets())
    if scored:
        data = _get(scored, batch.partition_id, ["old_log_probs", "response_mask"])
        teacher = _get(scored, _PARTITION, [_FIELD])[_FIELD].values()
        student, mask = data["old_log_probs"].values(), data["response_mask"].values()
        advantages = distillation_advantages(teacher, student, mask)
        put_jagged(batch, scored, "advantages", advantages, data["old_log_probs"].offsets())
        metrics["tapo/opsd/kl"] = masked_mean(student - teacher, mask)
    return metrics


def _get(keys: list[str], partition: str, fields: list[str]) -> TensorDict:
    return tq.kv_batch_get(keys=keys, partition_id=partition, select_fields=fields)
