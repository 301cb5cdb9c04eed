"""``+arm=NAME``: a baseline, an ablation or a variant on top of ``+recipe=tapo`` (the files in ``configs/arm``)."""

import re
from collections.abc import Sequence

from recipe_tapo.config import TapoConfigError

_RECIPE = re.compile(r"\+recipe(?:@[^=]*)?=.*\btapo\b")
_ARM = re.compile(r"\+arm(?:@[^=]*)?=")


def names_recipe(override: str) -> bool:
    """Whether an override of the command line is ``+recipe=tapo``, alone or among others."""
    return _RECIPE.match(override) is not None


def check_arm_order(overrides: Sequence[str]) -> None:
    """Refuses an arm that the recipe named after it would overwrite in silence.

    Args:
        overrides: The command line's overrides, in its order.

    Raises:
        TapoConfigError: An arm stands before ``+recipe=tapo``.
    """
    arms = [position for position, override in enumerate(overrides) if _ARM.match(override)]
    recipes = [position for position, override in enumerate(overrides) if names_recipe(override)]
    if arms and recipes and min(arms) < max(recipes):
        arm, recipe = overrides[min(arms)], overrides[max(recipes)]
        raise TapoConfigError(f"{arm}: {recipe} after it would undo it; put {arm} after {recipe}")
