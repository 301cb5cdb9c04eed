"""verl's replay buffer for the recipe ``cpu``: looks for finished rollouts five times a second, not every other second.

A step of a small model takes about as long as verl's own pause. It has no dynamic group filtering (DAPO), as every
custom sampler of verl.
"""

from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

POLL_INTERVAL_S = 0.2


class EagerReplayBuffer(ReplayBuffer):
    """Set as ``trainer.v1.sampler.custom_sampler``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, poll_interval=POLL_INTERVAL_S, **kwargs)
