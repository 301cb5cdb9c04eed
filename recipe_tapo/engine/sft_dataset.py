"""verl's SFT dataset, tokenized as rollouts are, so that the cold start and RL see the same sequences.

verl's own class renders every message alone. Qwen3's chat template gives an assistant's turn its empty ``<think>``
block only after a user's, so that rows lack what the generation prompt of non-thinking mode has, and the loss mask,
which is as long as that prompt, covers the first tokens of the answer. To be chosen by
``data.custom_cls.path=pkg://recipe_tapo.engine.sft_dataset data.custom_cls.name=RolloutFormatSFTDataset``.
"""

from typing import Any

import torch
from omegaconf import DictConfig
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset
from verl.utils.tokenizer.chat_template import apply_chat_template
from verl.utils.tokenizer.tokenizer import normalize_token_ids

from recipe_tapo.errors import InputError


class RolloutFormatSFTDataset(MultiTurnSFTDataset):
    """Rows of a prompt and one assistant's answer: the rendered generation prompt, the answer, EOS.

    The loss is on the answer and its EOS alone. Text-only; takes the parquet files and the configuration of verl's
    class.

    Raises:
        InputError: The model has a processor, for images for instance: verl renders its messages otherwise.
    """

    def __init__(
        self, parquet_files: Any, tokenizer: Any, config: DictConfig, processor: Any = None, max_samples: int = -1
    ):
        if processor is not None:
            raise InputError(
                "data.custom_cls.name=RolloutFormatSFTDataset: is for models of text alone, and this one has a "
                f"{type(processor).__name__}; fine-tune it by verl's own dataset, or take a model of text"
            )
        super().__init__(parquet_files, tokenizer, config, processor, max_samples)

    # verl's annotation is that of an older form; its code returns four tensors' worth, as this does.
    def _process_single_message(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        index: int,
        message: dict[str, Any],
        full_message: list[dict[str, Any]],
        tools: list[dict[str, Any]] | None = None,
        enable_thinking: bool | None = None,
    ) -> Any:
        if message["role"] != "assistant":
            return super()._process_single_message(index, message, full_message, tools, enable_thinking)
        answer = self.tokenizer.encode(message["content"], add_special_tokens=False)
        ids = torch.tensor([*self.generation_prompt, *answer, self.tokenizer.eos_token_id])
        loss_mask = torch.ones_like(ids)
        loss_mask[: len(self.generation_prompt)] = 0
        return ids, loss_mask, torch.ones_like(ids), {}

    def sanity_check(
        self,
        input_ids: torch.Tensor,
        messages: list[dict[str, Any]],
        tools: list[dict[str, Any]] | None,
        enable_thinking: bool | None,
    ) -> None:
        """Insists on the prompt that a rollout would start from.

        Raises:
            ValueError: The row is not a prompt with one answer, its messages do not join to their chat, or it asks for
                another thinking mode than the prompt is rendered in.
        """
        of_rollouts = self.apply_chat_template_kwargs.get("enable_thinking")
        # verl's default is the word "none", which verl takes for true.
        asked = self.enable_thinking is not None or self.enable_thinking_default not in (None, "none")
        if asked and enable_thinking != of_rollouts:
            raise ValueError(
                f"enable_thinking={enable_thinking} of a row or of data.enable_thinking_default: the prompt is "
                f"rendered with {of_rollouts}; set data.apply_chat_template_kwargs.enable_thinking, as for the rollouts"
            )
        *prompt, answer = messages
        if answer["role"] != "assistant" or any(message["role"] == "assistant" for message in prompt):
            raise ValueError(f"expected a prompt and one answer, not the roles {[m['role'] for m in messages]}")
        expected = normalize_token_ids(
            apply_chat_template(self.tokenizer, prompt, tools=tools, **self.apply_chat_template_kwargs)
        )
        if input_ids[: len(expected)].tolist() != expected:
            raise ValueError("the chat template renders the messages of a prompt otherwise together than one by one")
