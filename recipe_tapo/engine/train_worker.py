"""The actor's training worker: gives each group its own denominator.

Only here are the rows of a mini-batch known, whatever verl's shuffling, data parallelism and padding. What the whole
batch of rollouts trains on stands in the trainer's plan.
"""

import torch
from tensordict import TensorDict
from verl.experimental.separation.engine_workers import DetachActorWorker
from verl.utils import tensordict_utils as tu
from verl.utils.device import get_device_name
from verl.workers.engine_workers import ActorRolloutRefWorker, TrainingWorker

import recipe_tapo.engine.registry  # noqa: F401  registers the policy loss in this process
from recipe_tapo.algorithm.loss import GroupSizes, group_coefficients, group_sizes
from recipe_tapo.engine.balance import ShuffleWithinKinds
from recipe_tapo.engine.rows import LOSS_MASK, TOKEN_FACTOR, UID, VERL_TOKEN_FACTOR, Column, split_uids
from recipe_tapo.engine.update_plan import PLAN_KEY, UpdatePlan


class TapoTrainingWorker(TrainingWorker):
    """verl's training worker; without a plan in the batch it is exactly verl's."""

    def train_mini_batch(self, data: TensorDict) -> TensorDict:
        """As verl's, with as many mini-batches as the plan says instead of a fixed size of them."""
        plan = _plan_of(data)
        if plan is not None:
            rows = data.shape[0] * self.engine.get_data_parallel_size()
            if rows != plan.rows:
                raise ValueError(f"the trainer planned for {plan.rows} rows, the ranks have {rows}")
            size = plan.rows_per_mini_batch()
            tu.assign_non_tensor(data, mini_batch_size=size, global_batch_size=size)
            self._shuffle_within_kinds(data)
        return super().train_mini_batch(data)

    def _shuffle_within_kinds(self, data: TensorDict) -> None:
        """Where verl would shuffle this rank's rows (``actor.shuffle``), lets the mini-batches keep their shares."""
        arguments = tu.get(data, "dataloader_kwargs", {})
        if not arguments.get("shuffle"):
            return
        is_reflection_B = _is_reflection(data)
        trains_B = Column.of(data[LOSS_MASK]).padded().bool().any(dim=-1).to(is_reflection_B.device)
        seed = tu.get(data, "seed", 42) + self.engine.get_data_parallel_rank()
        sampler = ShuffleWithinKinds(2 * trains_B.int() + is_reflection_B.int(), seed)
        tu.assign_non_tensor(data, dataloader_kwargs={**arguments, "shuffle": False, "sampler": sampler})

    def train_batch(self, data: TensorDict) -> TensorDict:
        """As verl's, after scaling the token factors of both groups by their coefficients."""
        plan = _plan_of(data)
        if plan is not None:
            self._put_verl_factors(data, plan)
        return super().train_batch(data)

    def _put_verl_factors(self, data: TensorDict, plan: UpdatePlan) -> None:
        """Turns the trainer's factors into those of Eqs. 6 and 8 on this mini-batch, all ranks together."""
        is_reflection_B = _is_reflection(data)
        counts = group_sizes(Column.of(data[LOSS_MASK]).padded(), is_reflection_B)
        group = self.engine.get_data_parallel_group()
        if group is not None:
            counts = counts.long().to(get_device_name())  # not every backend reduces float64
            torch.distributed.all_reduce(counts, op=torch.distributed.ReduceOp.SUM, group=group)
        sizes = GroupSizes(*counts.tolist())
        tokens = sizes.original_tokens + sizes.reflection_tokens
        original, reflection = group_coefficients(
            sizes,
            plan.sizes,
            tokens if plan.loss_agg_mode == "token-mean" else tu.get(data, "global_batch_size"),
            loss_agg_mode=plan.loss_agg_mode,
            steps=plan.num_mini_batch,
            lambda_ref=plan.lambda_ref,
            normalization=plan.normalization,
        )
        factor = Column.of(data[TOKEN_FACTOR])
        coefficients_B = torch.where(is_reflection_B, reflection, original)
        coefficients = factor.of_rows(coefficients_B.to(factor.values.device, factor.values.dtype)).values
        # verl's losses take one factor per token, named after rollout correction, and multiply it into each term.
        data[VERL_TOKEN_FACTOR] = factor.like(factor.values * coefficients).nested()


def _is_reflection(data: TensorDict) -> torch.Tensor:
    """Which rows are constructed, shape (B,)."""
    _, is_reflection_B = split_uids(list(data[UID]))
    return torch.from_numpy(is_reflection_B)


def _plan_of(data: TensorDict) -> UpdatePlan | None:
    plain = tu.get(data, PLAN_KEY)
    return None if plain is None else UpdatePlan.from_plain(plain)


class TapoActorRolloutRefWorker(ActorRolloutRefWorker):
    """verl's hybrid worker with TAPO's training worker inside."""

    actor_worker_cls = TapoTrainingWorker


class TapoDetachActorWorker(DetachActorWorker):
    """The same for the worker of verl's separate_async, which can go back to the weights of a step's beginning."""

    actor_worker_cls = TapoTrainingWorker
