"""``rollout.max_model_len``: the context that the longest request of a run needs."""

import logging
from typing import Any

from omegaconf import DictConfig, open_dict

from recipe_tapo.algorithm.prompts import CONTINUATION, LOCATE_PROMPTS, SELF_TEACHER, fill_template, load_template
from recipe_tapo.config import TapoConfig, refuse
from recipe_tapo.engine.verl_config import synthesis_budget

logger = logging.getLogger(__name__)


def _templates(tapo: TapoConfig) -> list[str]:
    """The prompts of an attempt: the one that shows the sibling, if one does, and the one that locates, if there is."""
    synthesis = tapo.synthesis
    templates = []
    if synthesis.sibling == "prompt":
        templates.append(load_template(synthesis.prompt_path, synthesis.prompt_kind))
    if synthesis.mode == CONTINUATION:
        templates.append(load_template(synthesis.locate_prompt_path, LOCATE_PROMPTS[synthesis.locate]))
    return templates


def set_max_model_len(tapo: TapoConfig, config: DictConfig, tokenizer: Any, model_max_length: int) -> None:
    """Derives ``rollout.max_model_len`` where unset, so that the longest request fits; checks it where set.

    The longest one holds the longest template and the question, or the question twice where the sibling is a turn, two
    full rollouts and, for a synthesis, its output; the numbers that a locating prompt puts before the steps have that
    room too. The model's own limit caps the derived value: what then does not fit is skipped and counted.

    Raises:
        TapoConfigError: The value set leaves no room for any request.
    """
    rollout = config.actor_rollout_ref.rollout
    if tapo.opsd.enable:
        what, templates, budget = "teacher's view", [load_template(tapo.opsd.prompt_path, SELF_TEACHER)], 1
        least, again = 1, 0
    else:
        what, templates, budget = "synthesis", _templates(tapo), synthesis_budget(tapo, config)
        least = max(1, tapo.synthesis.min_new_tokens)
        again = rollout.prompt_length if tapo.synthesis.sibling == "turn" else 0
    nothing = dict.fromkeys(("question", "error_rollout", "correct_rollout", "wrong_step", "numbered_steps"), "")
    empty = [fill_template(template, **nothing) for template in templates]
    overhead = max(len(tokenizer.encode(text, add_special_tokens=False)) for text in empty)
    longest = max(overhead, again) + rollout.prompt_length + 2 * rollout.response_length + budget
    if rollout.max_model_len is None:
        length = max(longest, rollout.prompt_length + rollout.response_length)
        if length > model_max_length:
            logger.warning(
                "TAPO: the longest %s needs %d tokens of context, the model has %d; what does not fit is skipped and "
                "counted as does_not_fit",
                what,
                longest,
                model_max_length,
            )
            length = model_max_length  # verl refuses more
        with open_dict(config):
            rollout.max_model_len = length
    elif rollout.max_model_len <= overhead + least:
        raise refuse(
            "actor_rollout_ref.rollout.max_model_len",
            rollout.max_model_len,
            f"no {what} can fit: its template takes {overhead} tokens and its output at least {least}",
            f"raise it (the longest {what} needs {longest}) or leave it unset",
        )
    elif rollout.max_model_len < longest:
        logger.warning(
            "TAPO: actor_rollout_ref.rollout.max_model_len=%d is below %d, what the longest %s needs; what does not "
            "fit is skipped and counted as does_not_fit",
            rollout.max_model_len,
            longest,
            what,
        )
