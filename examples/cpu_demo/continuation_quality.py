"""Whether a cold-started model can construct by continuation: locate the first wrong step and go on from it."""

import random
from typing import cast

from transformers import PreTrainedTokenizerBase, Qwen3ForCausalLM

from examples.arithmetic.problems import ChainProblem, is_right
from examples.cpu_demo.cold_start_examples import (
    Example,
    continuing_example,
    error_of,
    locating_example,
    resuming_example,
    wrong_and_right,
)
from examples.cpu_demo.cold_start_training import heads
from examples.cpu_demo.generation import generate, render_question, token_log_probs
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
        The shares of first wrong lines that the model finds as a judge and by the self-teacher's scores, that of
        continuing prompts whose trajectory ends right, and that of answers which do so when a doubt is put after their
        first failed try and nothing else is shown.
    """
    rng = random.Random(f"continuation:{seed}")

    def answers(asked: list[Example]) -> list[str]:
        outputs = generate(model, tokenizer, heads(tokenizer, asked), regime.max_response_length, greedy=True)
        return tokenizer.batch_decode(outputs, skip_special_tokens=True)

    locating = [locating_example(rng, regime.teacher) for _ in range(examples)]
    continuing = [continuing_example(rng, regime.teacher) for _ in range(examples)]
    resuming = [resuming_example(rng, regime.teacher) for _ in range(examples)]

    def end_right(asked: list[Example]) -> float:
        problems = [ChainProblem.parse(example.prompt.split("\n")[0]) for example in asked]
        return share(map(is_right, problems, answers(asked)))

    return {
        "located_by_judge": share(a == e.response for a, e in zip(answers(locating), locating, strict=True)),
        "located_by_teacher": _located_by_teacher(model, tokenizer, regime, examples, rng),
        "right_when_continuing": end_right(continuing),
        "right_when_resuming": end_right(resuming),
    }


def _located_by_teacher(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, regime: Regime, examples: int, rng: random.Random
) -> float:
    template, found = load_template(mode=SELF_TEACHER), []
    for _ in range(examples):
        problem, wrong, right = wrong_and_right(rng, regime.teacher)
        shown = fill_template(template, question=problem.question, correct_rollout=right)
        ids = tokenizer(wrong)["input_ids"]
        plain_T, shown_T = (
            token_log_probs(model, tokenizer(render_question(tokenizer, prompt))["input_ids"] + ids)[-len(ids) :]
            for prompt in (problem.question, shown)
        )
        ends = token_ends(ids, split_steps(wrong), cast(ChatTokenizer, tokenizer))
        found.append(largest_fall(plain_T, shown_T, ends) == error_of(problem, wrong)[0])
    return share(found)
