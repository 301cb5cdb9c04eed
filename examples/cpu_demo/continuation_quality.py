"""Whether a cold-started model can construct by continuation: locate the first wrong step and go on from it."""

import random
from typing import cast

import torch
from transformers import PreTrainedTokenizerBase, Qwen3ForCausalLM

from examples.arithmetic.problems import ChainProblem, is_right
from examples.cpu_demo.cold_start_examples import (
    Example,
    continuing_example,
    error_of,
    locating_example,
    wrong_and_right,
)
from examples.cpu_demo.generation import generate, render_question
from examples.cpu_demo.quality import share
from examples.cpu_demo.regime import Regime
from recipe_tapo.algorithm.locate import largest_fall, token_ends
from recipe_tapo.algorithm.prompts import SELF_TEACHER, fill_template, load_template
from recipe_tapo.algorithm.steps import split_steps
from recipe_tapo.algorithm.tokens import ChatTokenizer


def continuation_numbers(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, regime: Regime, examples: int = 256, seed: int = 1
) -> dict[str, float]:
    """How a model constructs by continuation from wrong solutions of the teacher, greedily.

    Returns:
        The shares of first wrong lines that the model finds as a judge and by the self-teacher's scores, and that of
        continuing prompts whose trajectory ends right.
    """
    rng = random.Random(f"continuation:{seed}")

    def answers(asked: list[Example]) -> list[str]:
        heads = [render_question(tokenizer, example.prompt) + example.given for example in asked]
        outputs = generate(model, tokenizer, heads, regime.max_response_length, greedy=True)
        return tokenizer.batch_decode(outputs, skip_special_tokens=True)

    locating = [locating_example(rng, regime.teacher) for _ in range(examples)]
    continuing = [continuing_example(rng, regime.teacher) for _ in range(examples)]
    problems = [ChainProblem.parse(example.prompt.split("\n")[0]) for example in continuing]
    return {
        "located_by_judge": share(a == e.response for a, e in zip(answers(locating), locating, strict=True)),
        "located_by_teacher": _located_by_teacher(model, tokenizer, regime, examples, rng),
        "right_when_continuing": share(map(is_right, problems, answers(continuing))),
    }


@torch.no_grad()
def _located_by_teacher(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, regime: Regime, examples: int, rng: random.Random
) -> float:
    template, found = load_template(mode=SELF_TEACHER), []
    for _ in range(examples):
        problem, wrong, right = wrong_and_right(rng, regime.teacher)
        shown = fill_template(template, question=problem.question, correct_rollout=right)
        ids = tokenizer(wrong)["input_ids"]
        plain_T, shown_T = (_log_probs(model, tokenizer, prompt, ids) for prompt in (problem.question, shown))
        steps = split_steps(wrong)
        ends = token_ends(ids, steps, cast(ChatTokenizer, tokenizer))
        found.append(largest_fall(plain_T, shown_T, ends) == error_of(problem, wrong)[0])
    return share(found)


def _log_probs(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, prompt: str, ids: list[int]) -> list[float]:
    """Of the tokens behind a prompt."""
    head = tokenizer(render_question(tokenizer, prompt))["input_ids"]
    log_probs = model(torch.tensor([head + ids])).logits[0, len(head) - 1 : -1].log_softmax(-1)
    return log_probs.gather(1, torch.tensor(ids)[:, None])[:, 0].tolist()
