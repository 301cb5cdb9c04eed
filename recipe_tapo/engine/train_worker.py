"""The actor's training worker: gives each group its own denominator (touches verl).

Only here are the rows of a mini-batch known, whatever verl's shuffling, data parallelism and padding.
"""

from typing import Any

import torch
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.device import get_device_name
from verl.workers.engine_workers import ActorRolloutRefWorker, TrainingWorker

from recipe_tapo.algorithm.advantages import is_reflected
from recipe_tapo.algorithm.loss import GroupSizes, group_coefficients, group_sizes

PLAN_KEY = "tapo_plan"


def make_plan(num_mini_batch: int, loss_agg_mode: str, lambda_ref: float, normalization: str) -> dict[str, Any]:
    """What the trainer tells the workers with a batch that holds constructed rows."""
    return {
        "num_mini_batch": num_mini_batch,
        "loss_agg_mode": loss_agg_mode,
        "lambda_ref": lambda_ref,
        "normalization": normalization,
    }


class TapoTrainingWorker(TrainingWorker):
    """verl's training worker; without a plan in the batch it is exactly verl's."""

    def train_mini_batch(self, data: TensorDict) -> TensorDict:
        """As verl's, with as many mini-batches as the plan says instead of a fixed size of them."""
        plan = tu.get(data, PLAN_KEY)
        if plan is not None:
            rows = data.shape[0] * self.engine.get_data_parallel_size()
            size = rows // plan["num_mini_batch"]
            tu.assign_non_tensor(data, mini_batch_size=size, global_batch_size=size)
        return super().train_mini_batch(data)

    def train_batch(self, data: TensorDict) -> TensorDict:
        """As verl's, after scaling the token weights of both groups by their coefficients."""
        plan = tu.get(data, PLAN_KEY)
        if plan is not None:
            self._scale_token_weights(data, plan)
        return super().train_batch(data)

    def _scale_token_weights(self, data: TensorDict, plan: dict[str, Any]) -> None:
        is_reflection_B = torch.from_numpy(is_reflected(list(data["uid"])))
        mask_BT = data["response_mask"].to_padded_tensor(0)
        counts = torch.cat([group_sizes(mask_BT, is_reflection_B), data["loss_mask"].values().sum().double()[None]])
        group = self.engine.get_data_parallel_group()
        if group is not None:
            counts = counts.to(get_device_name())
            torch.distributed.all_reduce(counts, op=torch.distributed.ReduceOp.SUM, group=group)
        *sizes, batch_num_tokens = counts.tolist()
        mode = plan["loss_agg_mode"]
        original, reflection = group_coefficients(
            GroupSizes(*sizes),
            batch_num_tokens if mode == "token-mean" else tu.get(data, "global_batch_size"),
            loss_agg_mode=mode,
            lambda_ref=plan["lambda_ref"],
            normalization=plan["normalization"],
        )
        weights = data["rollout_is_weights"]
        lengths = weights.offsets().diff()
        coefficients_B = torch.where(is_reflection_B, reflection, original).to(weights.device, weights.dtype)
        data["rollout_is_weights"] = torch.nested.nested_tensor_from_jagged(
            weights.values() * torch.repeat_interleave(coefficients_B, lengths), offsets=weights.offsets()
        )


class TapoActorRolloutRefWorker(ActorRolloutRefWorker):
    """verl's hybrid worker with TAPO's training worker inside."""

    actor_worker_cls = TapoTrainingWorker
