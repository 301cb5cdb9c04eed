"""A warning where the policy thinks in a ``<think>`` block and is asked to rewrite."""

import logging

from omegaconf import DictConfig

from recipe_tapo.algorithm.chats import opens_thinking
from recipe_tapo.algorithm.prompts import CONTINUATION
from recipe_tapo.algorithm.tokens import ChatTokenizer
from recipe_tapo.config import TapoConfig

logger = logging.getLogger(__name__)


def warn_of_thinking(tapo: TapoConfig, config: DictConfig, tokenizer: ChatTokenizer) -> None:
    """Warns where rewriting would make rows that never close the block that their prompt has opened.

    What a rewriting mode makes a row of stands behind the policy's thinking. ``continuation`` keeps the block that y⁻
    was written in.
    """
    if tapo.opsd.enable or tapo.synthesis.mode == CONTINUATION:
        return
    if opens_thinking(tokenizer, config.data.get("apply_chat_template_kwargs") or {}):
        logger.warning(
            "TAPO: the chat template opens a <think> block, and tapo.synthesis.mode=%s makes rows of what follows the "
            "thinking, which never close it; set tapo.synthesis.mode=continuation or, if the template knows it, "
            "+data.apply_chat_template_kwargs.enable_thinking=false",
            tapo.synthesis.mode,
        )
