"""The cold start's training loop: two phases of SFT, IFT and single-fact batches in plain PyTorch."""

import math
import random
from dataclasses import replace
from itertools import pairwise

import torch
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase, Qwen3ForCausalLM

from examples.cpu_demo.cold_start_examples import (
    Example,
    continuing_example,
    fact_lines,
    ift_example,
    locating_example,
    mode_of,
    resuming_example,
    self_teacher_example,
    sft_example,
)
from examples.cpu_demo.generation import render_question
from examples.cpu_demo.regime import Phase
from examples.cpu_demo.teacher import Teacher
from examples.cpu_demo.tokenizer import EOS

IGNORE = -100


FULL_RECONSTRUCTION_SHARE = 0.1
WARMUP_STEPS = 20


def pad_rows(rows: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-pads (ids, labels) rows; which ids the padding has is nothing to a causal model."""
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in rows])
    labels = torch.tensor([row + [IGNORE] * (width - len(row)) for _, row in rows])
    return ids, labels


def heads(tokenizer: PreTrainedTokenizerBase, examples: list[Example]) -> list[str]:
    """What the model is to go on from: the rendered prompt and what of the answer is given."""
    return [render_question(tokenizer, example.prompt) + example.given for example in examples]


def example_rows(tokenizer: PreTrainedTokenizerBase, examples: list[Example]) -> list[tuple[list[int], list[int]]]:
    """Tokenizes examples; only the response, its end token included, carries labels."""
    prompts = tokenizer(heads(tokenizer, examples))["input_ids"]
    responses = tokenizer([example.response + EOS for example in examples])["input_ids"]
    return [(p + r, [IGNORE] * len(p) + r) for p, r in zip(prompts, responses, strict=True)]


def fact_rows(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[tuple[list[int], list[int]]]:
    """Tokenizes single-fact lines; only the results carry labels."""
    equals, rows = tokenizer.convert_tokens_to_ids("="), []
    for ids in tokenizer(texts)["input_ids"]:
        rows.append((ids, [IGNORE] + [b if a == equals else IGNORE for a, b in pairwise(ids)]))
    return rows


def summed_loss(model: Qwen3ForCausalLM, ids: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Cross entropy summed over labelled tokens, and their number (right padding needs no mask)."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    targets = labels[:, 1:]
    mask = targets != IGNORE
    logits = model.lm_head(hidden[mask])
    return torch.nn.functional.cross_entropy(logits, targets[mask], reduction="sum"), int(mask.sum())


def cosine(step: int, steps: int, floor: float = 0.02) -> float:
    """Cosine decay to ``floor`` over one phase."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * step / steps))


def train(
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    teacher: Teacher,
    rng: random.Random,
    schedule: tuple[Phase, ...],
) -> None:
    """Runs the schedule; the loss is the mean over each step's labelled tokens."""
    model.train()
    total = sum(phase.steps for phase in schedule)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)
    done = 0
    with tqdm(total=total, desc="cold start", unit="step") as progress:
        for phase in schedule:
            practised = replace(teacher, steps=phase.problem_steps or teacher.steps)
            for step in range(phase.steps):
                warmup = min(1.0, (done + 1) / WARMUP_STEPS)
                optimizer.param_groups[0]["lr"] = phase.learning_rate * warmup * cosine(step, phase.steps)
                losses = train_step(model, tokenizer, practised, rng, phase)
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                done += 1
                progress.update()
                progress.set_postfix({name: f"{value:.3f}" for name, value in losses.items()}, refresh=False)
    model.eval()


def train_step(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, teacher: Teacher, rng: random.Random, phase: Phase
) -> dict[str, float]:
    """Accumulates the gradient of one step; returns each kind's mean loss."""
    kinds = (
        ("sft", phase.sft, sft_example),
        ("ift", phase.ift, _ift_example_of_either_mode),
        ("self_teacher", phase.self_teacher, self_teacher_example),
        ("continuing", phase.continuing, continuing_example),
        ("locating", phase.locating, locating_example),
        ("resuming", phase.resuming, resuming_example),
    )
    batches = {
        name: example_rows(tokenizer, [make(rng, teacher) for _ in range(count)])
        for name, count, make in kinds
        if count
    }
    if phase.fact_rows:
        texts = [fact_lines(rng, teacher, phase.facts_per_row) for _ in range(phase.fact_rows)]
        batches["fact"] = fact_rows(tokenizer, texts)
    labelled = sum(label != IGNORE for rows in batches.values() for _, labels in rows for label in labels)
    losses = {}
    for name, rows in batches.items():
        loss, count = summed_loss(model, *pad_rows(rows))
        (loss / labelled).backward()
        losses[name] = loss.item() / count
    return losses


def _ift_example_of_either_mode(rng: random.Random, teacher: Teacher) -> Example:
    return ift_example(rng, teacher, mode_of(rng, FULL_RECONSTRUCTION_SHARE))
