"""Sampling the small model through transformers, without an engine."""

from collections.abc import Callable, Sequence

import torch
from transformers import PreTrainedTokenizerBase, Qwen3ForCausalLM

BATCH = 256

Sampler = Callable[[Sequence[str], int, bool], list[str]]
"""Takes prompts, the most tokens of a response and whether to sample greedily; gives the responses' texts."""


def render(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]]) -> str:
    """The chat-templated prompt, ready for the assistant's turn."""
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert isinstance(text, str)
    return text


def render_question(tokenizer: PreTrainedTokenizerBase, question: str) -> str:
    """The same for one user turn."""
    return render(tokenizer, [{"role": "user", "content": question}])


@torch.no_grad()
def generate(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], max_tokens: int, greedy: bool
) -> list[list[int]]:
    """Ids of the responses to rendered prompts, up to and including the end token; at temperature 1 or greedy."""
    options = {"do_sample": False} if greedy else {"do_sample": True, "top_k": 0, "top_p": 1.0, "temperature": 1.0}
    end_token, responses = tokenizer.eos_token_id, []
    for start in range(0, len(prompts), BATCH):
        inputs = tokenizer(list(prompts[start : start + BATCH]), return_tensors="pt", padding=True)
        # pyright takes the stub's protocol for a demand that transformers' own models do not meet.
        output = model.generate(**inputs, max_new_tokens=max_tokens, **options)  # pyright: ignore[reportAttributeAccessIssue]
        for ids in output[:, inputs["input_ids"].shape[1] :].tolist():
            responses.append(ids[: ids.index(end_token) + 1] if end_token in ids else ids)
    return responses


@torch.no_grad()
def token_log_probs(model: Qwen3ForCausalLM, token_ids: list[int]) -> list[float]:
    """Each token's log-probability after those before it; 0 for the first."""
    log_probs = model(torch.tensor([token_ids])).logits[0].log_softmax(-1)
    return [0.0, *log_probs[:-1].gather(1, torch.tensor(token_ids[1:])[:, None])[:, 0].tolist()]


def hf_sampler(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase) -> Sampler:
    """A sampler of questions, or of any other user turn."""

    def sample(prompts: Sequence[str], max_tokens: int, greedy: bool) -> list[str]:
        rendered = [render_question(tokenizer, prompt) for prompt in prompts]
        responses = generate(model, tokenizer, rendered, max_tokens, greedy)
        return tokenizer.batch_decode(responses, skip_special_tokens=True)

    return sample
