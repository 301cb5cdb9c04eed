"""``+arm=NAME``: a baseline, an ablation or a variant on top of ``+recipe=tapo`` (the files in ``configs/arm``)."""

import re
from collections.abc import Sequence

from recipe_tapo.config import TapoConfigError

_RECIPE = re.compile(r"\+recipe=.*\btapo\b")


def check_arm_order(overrides: Sequence[str]) -> None:
    """Refuses an arm that the recipe named after it would overwrite in silence.

    Args:
        overrides: The command line's overrides, in its order.

    Raises:
        TapoConfigError: An arm stands before ``+recipe=tapo``.
    """
    arms = [position for position, override in enumerate(overrides) if override.startswith("+arm=")]
    recipes = [position for position, override in enumerate(overrides) if _RECIPE.match(override)]
    if arms and recipes and min(arms) < max(recipes):
        arm, recipe = overrides[min(arms)], overrides[max(recipes)]
        raise TapoConfigError(f"{arm}: {recipe} after it would undo it; put {arm} after {recipe}")
