"""What the trainer tells the training workers of a batch that holds constructed rows."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from omegaconf import DictConfig

from recipe_tapo.algorithm.loss import GroupSizes, LossNormalization
from recipe_tapo.config import TapoConfig

PLAN_KEY = "tapo_plan"


@dataclass(frozen=True)
class UpdatePlan:
    """Travels with the batch as a plain mapping.

    Attributes:
        rows: Rows of the whole batch, padding included, over all ranks.
        num_mini_batch: Optimizer steps to take on it, in each epoch.
        sizes: What both groups train on in the whole batch.
        loss_agg_mode: verl's ``actor.loss_agg_mode``.
        lambda_ref: λ of Eq. 8.
        normalization: One denominator per group (Eq. 6) or one for both.
    """

    rows: int
    num_mini_batch: int
    sizes: GroupSizes
    loss_agg_mode: str
    lambda_ref: float
    normalization: LossNormalization

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "UpdatePlan":
        """Reads what ``to_plain`` gives."""
        return cls(**{**plain, "sizes": GroupSizes(**plain["sizes"])})

    def to_plain(self) -> dict[str, Any]:
        """Plain types only, as verl's batches carry them."""
        return asdict(self)

    def rows_per_mini_batch(self) -> int:
        """Rows of one optimizer step, over all ranks.

        Raises:
            ValueError: The batch was not padded to whole mini-batches.
        """
        size, rest = divmod(self.rows, self.num_mini_batch)
        if rest:
            raise ValueError(f"{self.rows} rows are no {self.num_mini_batch} mini-batches of one size")
        return size


def num_mini_batch(config: DictConfig, rollouts: int) -> int:
    """Optimizer steps per epoch on a batch of so many rollouts: GRPO's, whatever the number of constructed rows.

    As verl counts them, which pads a batch to whole mini-batches of ``ppo_mini_batch_size`` questions.
    """
    model = config.actor_rollout_ref
    return max(1, math.ceil(rollouts / (model.actor.ppo_mini_batch_size * model.rollout.n)))


def batch_multiple(config: DictConfig, dp_size: int, own_reference: bool, steps: int) -> int:
    """What the rows of a batch with constructions are padded to a multiple of.

    It is what data parallelism, fixed micro-batches and Megatron's virtual pipeline need, not whole mini-batches of
    rollouts as in verl, which would add optimizer steps.

    Args:
        config: The whole configuration.
        dp_size: Ranks of the actor's data parallelism.
        own_reference: Whether a reference policy with settings of its own computes log-probs too; that of LoRA is the
            actor itself.
        steps: Optimizer steps on the batch, in each epoch.
    """
    model = config.actor_rollout_ref
    actor, rollout = model.actor, model.rollout
    units = [
        steps * _rows_unit(actor, actor.use_dynamic_bsz, actor.ppo_micro_batch_size_per_gpu),
        # verl asserts that training and old log-probs agree on the dynamic batch size.
        _rows_unit(actor, actor.use_dynamic_bsz, rollout.log_prob_micro_batch_size_per_gpu),
    ]
    multiple = dp_size * math.lcm(*units)
    if not own_reference:
        return multiple
    ref = model.ref
    ref_dp_size = dp_size * _sequence_parallel_size(actor) // _sequence_parallel_size(ref)
    unit = _rows_unit(ref, ref.log_prob_use_dynamic_bsz, ref.log_prob_micro_batch_size_per_gpu)
    return math.lcm(multiple, ref_dp_size * unit)


def _sequence_parallel_size(engine: DictConfig) -> int:
    """Ranks that share a sequence; the older of verl's two keys goes first where it is set."""
    older = engine.get("ulysses_sequence_parallel_size") or 1
    return older if older > 1 else (engine.get("fsdp_config") or {}).get("ulysses_sequence_parallel_size") or 1


def _rows_unit(engine: DictConfig, dynamic: bool, micro_batch: int | None) -> int:
    """What a rank's rows must be a multiple of for one engine to cut them into micro-batches.

    Micro-batches of a dynamic size number at most as many as there are rows, rounded up to whole groups of the virtual
    pipeline: rows that make up whole groups always suffice.
    """
    rows = 1 if dynamic else micro_batch or 1
    return rows * _virtual_pipeline_group(engine)


def _virtual_pipeline_group(engine: DictConfig) -> int:
    """Megatron's virtual pipeline runs micro-batches in groups of this size, by default one for each stage."""
    megatron = engine.get("megatron") if engine.get("strategy") == "megatron" else None
    if megatron is None or (megatron.virtual_pipeline_model_parallel_size or 1) == 1:
        return 1
    overrides = megatron.get("override_transformer_config") or {}
    return overrides.get("microbatch_group_size_per_vp_stage") or megatron.pipeline_model_parallel_size


def make_plan(config: DictConfig, tapo: TapoConfig, rows: int, steps: int, sizes: GroupSizes) -> UpdatePlan:
    """The plan of so many optimizer steps on a batch of so many rows, of which the groups train on so much."""
    return UpdatePlan(
        rows=rows,
        num_mini_batch=steps,
        sizes=sizes,
        loss_agg_mode=config.actor_rollout_ref.actor.loss_agg_mode,
        lambda_ref=tapo.lambda_ref,
        normalization=tapo.loss_normalization,
    )
