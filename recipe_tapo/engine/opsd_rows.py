"""OPSD's rows in TransferQueue: teacher log-probs in, per-token advantages out.

Teacher log-probs lie in a partition of their own, since verl's rows must all have the same fields.
"""

from collections import Counter

import torch
import transfer_queue as tq
from tensordict import TensorDict
from transfer_queue import KVBatchMeta

from recipe_tapo.algorithm.opsd import distillation_advantages
from recipe_tapo.construction.reports import TeacherReport
from recipe_tapo.engine.metrics import masked_mean
from recipe_tapo.engine.rows import (
    ADVANTAGES,
    OLD_LOG_PROBS,
    REPORT_TAG,
    RESPONSE_MASK,
    get_columns,
    put_columns,
    row_key,
)

_PARTITION = "tapo_opsd"
_FIELD = "teacher_log_probs"


async def put_teacher_log_probs(uid: str, session_id: int, log_probs: list[float]) -> None:
    """Keeps the teacher's log-probs of one rollout under the rollout's own key."""
    nested = torch.nested.as_nested_tensor([torch.tensor(log_probs)], layout=torch.jagged)
    await tq.async_kv_batch_put(
        keys=[row_key(uid, session_id)],
        partition_id=_PARTITION,
        fields=TensorDict({_FIELD: nested}, batch_size=[1]),
        tags=[{_FIELD: True}],
    )


async def put_report(uid: str, report: TeacherReport) -> None:
    """Keeps one group's report."""
    await tq.async_kv_put(key=uid, partition_id=_PARTITION, tag={REPORT_TAG: report.to_plain()})


def take_report_metrics() -> dict[str, float]:
    """Yields over the groups of one step; empties the partition for the next one."""
    entries = tq.kv_list(_PARTITION).get(_PARTITION, {})
    reports = [TeacherReport.from_plain(tag[REPORT_TAG]) for tag in entries.values() if REPORT_TAG in tag]
    if entries:
        tq.kv_clear(keys=list(entries), partition_id=_PARTITION)
    rejected = sum((report.rejected for report in reports), Counter[str]())
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
    scored: list[str] = []
    others: list[str] = []
    for key in batch.keys:
        (scored if entries.get(key, {}).get(_FIELD) else others).append(key)
    metrics: dict[str, float] = {}
    if others:
        mask = get_columns(others, [RESPONSE_MASK], batch.partition_id)[RESPONSE_MASK]
        put_columns(others, {ADVANTAGES: mask.of_rows(torch.zeros(len(others)))}, batch.partition_id)
    if scored:
        data = get_columns(scored, [OLD_LOG_PROBS, RESPONSE_MASK], batch.partition_id)
        student, mask = data[OLD_LOG_PROBS], data[RESPONSE_MASK]
        teacher = get_columns(scored, [_FIELD], _PARTITION)[_FIELD]
        advantages = distillation_advantages(teacher.values, student.values, mask.values)
        put_columns(scored, {ADVANTAGES: student.like(advantages)}, batch.partition_id)
        metrics["tapo/opsd/kl"] = masked_mean(student.values - teacher.values, mask.values)
    return metrics
