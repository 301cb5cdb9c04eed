"""The demo's second way to construct: from wrong rollouts of the run, by continuation (``docs/construction.md``).

The bundled model was cold-started for rewriting and never saw the prompts of continuation. So the self-teacher's scores
locate the first wrong step, a fixed phrase makes the turn, and the prompt is made of what the model knows: the right
solution and then the question.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, Qwen3ForCausalLM

from examples.arithmetic.problems import REFLECTION, ChainProblem, is_right
from examples.cpu_demo.generation import token_log_probs
from examples.cpu_demo.regime import REGIMES
from recipe_tapo.algorithm.chats import render_chat
from recipe_tapo.algorithm.trajectory import Trajectory
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.constructor import Constructor
from recipe_tapo.construction.group import Rollout, RolloutGroup, pair_of_texts
from recipe_tapo.construction.policy import Grade, Policy
from recipe_tapo.records.attempts import AttemptRecord

PROMPT = "{correct_rollout}<|im_end|>\n<|im_start|>user\n{question}"
MOST = 24


class ModelEngine:
    """construction's ``Engine``: the model in this process."""

    def __init__(self, model: Qwen3ForCausalLM, eos_token_id: int, problem: ChainProblem):
        self.model, self.eos_token_id, self.problem = model, eos_token_id, problem

    @torch.no_grad()
    async def generate(self, prompt_ids: list[int], max_tokens: int) -> list[int]:
        """See ``Engine``."""
        ids = torch.tensor([prompt_ids])
        options = {"do_sample": True, "top_k": 0, "pad_token_id": self.eos_token_id, "eos_token_id": self.eos_token_id}
        # pyright takes the stub's protocol for a demand that transformers' own models do not meet.
        output = self.model.generate(  # pyright: ignore[reportAttributeAccessIssue]
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_tokens, **options
        )
        return output[0, len(prompt_ids) :].tolist()

    async def choose(self, prompt_ids: list[int], choices: list[str], max_tokens: int) -> str:
        """Not asked: the self-teacher locates."""
        raise NotImplementedError

    async def score_tokens(self, token_ids: list[int]) -> list[float]:
        """See ``Engine``."""
        return token_log_probs(self.model, token_ids)

    async def odds(self, prompt_ids: list[int], token: int, other: int) -> float:
        """Not asked: the self-teacher locates."""
        raise NotImplementedError

    async def grade(self, error: Rollout, trajectory: Trajectory) -> Grade:
        """See ``Engine``."""
        right = is_right(self.problem, trajectory.text.strip())
        return Grade(float(right), right)


def continue_all(records: Sequence[dict[str, Any]], model_path: Path, work_dir: Path) -> list[AttemptRecord]:
    """Constructs by continuation from the wrong rollouts of dumped attempts.

    Args:
        records: Attempts of the run.
        model_path: The model.
        work_dir: Where prompt and phrase are written for the constructor to read.

    Returns:
        What became of each, in their order.
    """
    prompt, phrase = work_dir / "continuing_prompt.txt", work_dir / "continuing_phrase.txt"
    prompt.write_text(PROMPT + "\n", encoding="utf-8")
    phrase.write_text(REFLECTION + "\n", encoding="utf-8")
    synthesis = {"mode": "continuation", "locate": "teacher", "transition": "fixed", "min_new_tokens": 5,
                 "temperature": 1.0, "tries": 1,
                 "prompt_path": str(prompt), "transitions_path": str(phrase)}  # fmt: skip
    tapo = TapoConfig.from_mapping({"selection": {"n_pos": 1, "n_neg": 1, "m_max": 1}, "synthesis": synthesis})
    torch.set_num_threads(1)  # a model this small gains nothing from more
    torch.manual_seed(0)
    tokenizer: Any = AutoTokenizer.from_pretrained(model_path)
    model = Qwen3ForCausalLM.from_pretrained(model_path, dtype=torch.float32).eval()
    eos, longest = tokenizer.eos_token_id, REGIMES["demo"].max_response_length
    constructor = Constructor(tapo, Policy(tokenizer, 8 * longest, longest, frozenset({eos})))

    def attempt(record: dict[str, Any]) -> AttemptRecord:
        question = record["question"]
        prompt_ids = render_chat(tokenizer, [{"role": "user", "content": question}], {})
        group = RolloutGroup(record["uid"], question, record["step"], size=2)
        group.rollouts = pair_of_texts(record["error_rollout"], record["correct_rollout"], prompt_ids, tokenizer)
        engine = ModelEngine(model, eos, ChainProblem.parse(question))
        (made,), _ = asyncio.run(constructor.construct(group, engine))
        return made.record

    return [attempt(record) for record in records]
