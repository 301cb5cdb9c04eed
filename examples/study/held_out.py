"""The held-out evaluation, the same for every arm: one pass over a model's folder, greedy and sampled."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen3ForCausalLM
from transformers.utils import logging

from examples.arithmetic.step_judge import judge
from examples.cpu_demo.cold_start_training import IGNORE, pad_rows
from examples.cpu_demo.generation import BATCH, generate, render
from recipe_tapo.evaluation.passk import unbiased_pass_at_k
from recipe_tapo.grading.batch import score_all
from recipe_tapo.reflection.rates import JudgedResponse, direct_solution, effective_reflection
from recipe_tapo.reflection.verdict import JudgeVerdict, Outcome

SAMPLES = 8
PASS_AT = (1, 2, 4, 8)


@dataclass(frozen=True)
class HeldOut:
    """What a model does on held-out questions.

    Attributes:
        questions: How many there are.
        samples: Sampled responses to each, at temperature 1 and top-p 1, as in training.
        greedy_accuracy: Share of right greedy responses.
        sampled_accuracy: Share of right sampled responses.
        pass_at: Unbiased Pass@k by k, of the sampled responses.
        reflecting: Share of sampled responses that reflect.
        direct_solution_rate: DSR, the share of right sampled responses that do not reflect; None where none is right.
        effective_reflection_rate: ERR, the share of reflecting sampled responses that locate and diagnose a wrong step
            and end right because of it, judged by the true steps; None where none reflects.
        response_length: Mean tokens of a sampled response, its end token included.
        entropy: Mean entropy in nats over the tokens of sampled responses.
    """

    questions: int
    samples: int
    greedy_accuracy: float
    sampled_accuracy: float
    pass_at: dict[str, float]
    reflecting: float
    direct_solution_rate: float | None
    effective_reflection_rate: float | None
    response_length: float
    entropy: float


def evaluate(model_folder: Path, questions: Path, max_tokens: int, samples: int = SAMPLES, seed: int = 0) -> HeldOut:
    """Samples a model through transformers and grades with the training's reward function.

    Args:
        model_folder: A Hugging Face folder.
        questions: A parquet file in verl's RL schema.
        max_tokens: Longest response.
        samples: Sampled responses per question.
        seed: Of the sampling.
    """
    logging.disable_progress_bar()
    torch.set_num_threads(1)  # a model this small gains nothing from more, and the result stays reproducible
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = Qwen3ForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    rows = pq.read_table(questions).to_pylist()
    prompts = [render(tokenizer, row["prompt"]) for row in rows]
    questions_P = [row["prompt"][-1]["content"] for row in rows]
    truths_P = [row["reward_model"]["ground_truth"] for row in rows]

    greedy = generate(model, tokenizer, prompts, max_tokens, greedy=True)
    repeated, asked, truths = (
        [text for text in texts for _ in range(samples)] for texts in (prompts, questions_P, truths_P)
    )
    sampled = generate(model, tokenizer, repeated, max_tokens, greedy=False)
    right_greedy = _grade(tokenizer.batch_decode(greedy, skip_special_tokens=True), truths_P)
    texts = tokenizer.batch_decode(sampled, skip_special_tokens=True)
    right_PS = _grade(texts, truths).reshape(-1, samples)
    counts = right_PS.sum(axis=1)
    reflecting, direct, effective = _reflection_rates(asked, truths, texts, right_PS.reshape(-1))
    return HeldOut(
        questions=len(rows),
        samples=samples,
        greedy_accuracy=float(right_greedy.mean()),
        sampled_accuracy=float(right_PS.mean()),
        pass_at={
            str(k): float(np.mean([unbiased_pass_at_k(int(count), samples, k) for count in counts]))
            for k in PASS_AT
            if k <= samples
        },
        reflecting=reflecting,
        direct_solution_rate=direct,
        effective_reflection_rate=effective,
        response_length=float(np.mean([len(ids) for ids in sampled])),
        entropy=_entropy(model, tokenizer, repeated, sampled),
    )


def _grade(texts: list[str], truths: list[str]) -> np.ndarray:
    return np.array([score["acc"] for score in score_all(zip(texts, truths, strict=True))])


def _reflection_rates(
    questions: list[str], truths: list[str], texts: list[str], right: np.ndarray
) -> tuple[float, float | None, float | None]:
    """The share of responses that reflect, DSR and ERR."""
    judged = [
        JudgedResponse(0, bool(is_right), Outcome(JudgeVerdict.model_validate(judge(question, truth, text))))
        for question, truth, text, is_right in zip(questions, truths, texts, right, strict=True)
    ]
    reflecting = [response for response in judged if response.answer("reflection_attempted") == "yes"]
    direct = [direct_solution(response) for response in judged if response.right]
    effective = [effective_reflection(response) for response in reflecting]
    return (
        len(reflecting) / len(judged),
        sum(map(bool, direct)) / len(direct) if direct else None,
        sum(map(bool, effective)) / len(effective) if effective else None,
    )


@torch.no_grad()
def _entropy(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, prompts: list[str], responses: list[list[int]]
) -> float:
    total, tokens = 0.0, 0
    for start in range(0, len(prompts), BATCH):
        heads = tokenizer(prompts[start : start + BATCH])["input_ids"]
        rows = [
            (head + ids, [IGNORE] * len(head) + ids)
            for head, ids in zip(heads, responses[start : start + BATCH], strict=True)
        ]
        ids, labels = pad_rows(rows)
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        log_probs = model.lm_head(hidden[labels[:, 1:] != IGNORE]).log_softmax(dim=-1)
        total -= float((log_probs.exp() * log_probs).sum())
        tokens += len(log_probs)
    return total / tokens
