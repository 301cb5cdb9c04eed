"""TAPO under verl's asynchronous trainers: the same overrides, whose definitions docs/asynchronous.md has."""

from verl.trainer.ppo.v1.trainer_base import register_trainer
from verl.trainer.ppo.v1.trainer_colocate_async import PPOTrainerColocateAsync
from verl.trainer.ppo.v1.trainer_separate_async import PPOTrainerSeparateAsync

from recipe_tapo.engine.names import COLOCATE_ASYNC, SEPARATE_ASYNC, TRAINER_MODES
from recipe_tapo.engine.trainer import TapoOverrides


@register_trainer(COLOCATE_ASYNC)
class TapoColocateAsyncTrainer(TapoOverrides, PPOTrainerColocateAsync):
    """Registered as ``trainer.v1.trainer_mode=tapo_colocate_async``."""

    verl_mode = TRAINER_MODES[COLOCATE_ASYNC]


@register_trainer(SEPARATE_ASYNC)
class TapoSeparateAsyncTrainer(TapoOverrides, PPOTrainerSeparateAsync):
    """Registered as ``trainer.v1.trainer_mode=tapo_separate_async``."""

    verl_mode = TRAINER_MODES[SEPARATE_ASYNC]
