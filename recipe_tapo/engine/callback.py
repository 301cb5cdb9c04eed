"""Hydra callback of the recipe ``tapo`` and of every arm: a bad configuration ends before any worker starts."""

import sys
import traceback
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from recipe_tapo.config import TapoConfigError
from recipe_tapo.engine.arms import check_arm_order
from recipe_tapo.engine.own_settings import check_own_settings
from recipe_tapo.engine.ray_cpus import check_cpus
from recipe_tapo.engine.verl_config import check_config


class CheckConfiguration(Callback):
    """Ends the process with one line; the trainer checks again, for runs that Hydra does not start."""

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        """Called by Hydra in the driver before verl's main function.

        Raises:
            SystemExit: The configuration cannot be trained with. Hydra would turn any other exception into a warning.
        """
        try:
            check_arm_order(list(config.hydra.overrides.task))
            check_own_settings(config)
            check_config(config)
            check_cpus(config)
        except TapoConfigError as error:
            sys.exit(f"TAPO: {error}")
        except Exception:
            traceback.print_exc()
            sys.exit("TAPO: the configuration could not be checked; see above")
