"""verl's replay buffers for the recipe ``cpu``: they look for finished rollouts five times a second, not every two.

A step of a small model takes about as long as verl's own pause. They have no dynamic group filtering (DAPO), as every
custom sampler of verl.
"""

from typing import Any

from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

POLL_INTERVAL_S = 0.2


def eager_replay_buffer(trainer_mode: str, **kwargs: Any) -> ReplayBuffer:
    """Set as ``trainer.v1.sampler.custom_sampler``; the buffer that verl would choose for the mode."""
    buffer = ReplayBuffer if trainer_mode == "sync" else ReplayBufferAsync
    return buffer(trainer_mode=trainer_mode, poll_interval=POLL_INTERVAL_S, **kwargs)
