"""Who says where a wrong rollout first goes wrong (``synthesis.locate``, ours)."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

from recipe_tapo.algorithm.chats import render_chat, render_prompt, teacher_chat
from recipe_tapo.algorithm.locate import evenly, fork, largest_fall, largest_gain, numbered, token_ends
from recipe_tapo.algorithm.prompts import LOCATE_PROMPTS, fill_template, load_template
from recipe_tapo.algorithm.steps import Step
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.attempt import Attempt
from recipe_tapo.construction.policy import Policy
from recipe_tapo.construction.requests import Requests, all_or_none
from recipe_tapo.grading.extract import extract_answer
from recipe_tapo.reasons import Rejected, RejectReason

# The answer begun for the policy, so that a number is all that is left to say.
ANSWER_BEGUN = "The first wrong step is step ["
# A choice includes its end: "1" alone is the beginning of "12" too, and the policy may write "]." as one token.
ANSWER_END = "]."
# What the policy is made to write after a step, to answer at once.
AT_ONCE = "\n\nFinal Answer: \\boxed{"
# Requests for one rollout, which may have hundreds of steps.
_MOST_ASKED = 64


class Locator(Protocol):
    """Finds the first wrong step."""

    async def locate(self, attempt: Attempt, steps: Sequence[Step], requests: Requests) -> int:
        """The position of y⁻'s first wrong step. Raises Rejected."""
        ...


class JudgeLocator:
    """``judge``: the policy names the step's number; it can answer with the numbers there are and nothing else."""

    def __init__(self, tapo: TapoConfig, policy: Policy):
        self.policy = policy
        self.template = load_template(tapo.synthesis.locate_prompt_path, LOCATE_PROMPTS["judge"])

    async def locate(self, attempt: Attempt, steps: Sequence[Step], requests: Requests) -> int:
        """See ``Locator``."""
        if len(steps) == 1:
            return 0
        prompt = fill_template(
            self.template,
            question=attempt.record.question,
            correct_rollout=attempt.record.correct_rollout,
            numbered_steps=numbered(attempt.record.error_rollout, steps),
        )
        tokenizer = self.policy.tokenizer
        begun = tokenizer.encode(ANSWER_BEGUN, add_special_tokens=False)
        prompt_ids = render_prompt(tokenizer, prompt, self.policy.chat_template_kwargs) + begun
        choices = [f"{number}{ANSWER_END}" for number in range(1, len(steps) + 1)]
        answer = await requests.choose(prompt_ids, choices)
        if answer not in choices:
            raise Rejected(RejectReason.LOCATE_FAILED)
        return choices.index(answer)


class TeacherLocator:
    """``teacher``: the step whose log-probability falls most when the policy is shown y⁺; no word is generated."""

    def __init__(self, tapo: TapoConfig, policy: Policy):
        self.policy = policy
        self.template = load_template(tapo.synthesis.locate_prompt_path, LOCATE_PROMPTS["teacher"])

    async def locate(self, attempt: Attempt, steps: Sequence[Step], requests: Requests) -> int:
        """See ``Locator``."""
        tokenizer, error = self.policy.tokenizer, attempt.error
        record = attempt.record
        chat = teacher_chat(self.template, attempt.messages, record.question, record.correct_rollout)
        ids = list(error.response_ids)
        plain = error.log_probs
        if plain is None:
            plain = (await requests.score_tokens([*error.prompt_ids, *ids]))[-len(ids) :]
        shown_ids = render_chat(tokenizer, chat, self.policy.chat_template_kwargs) + ids
        shown = (await requests.score_tokens(shown_ids))[-len(ids) :]
        # Tokens are decoded in a thread; meanwhile the worker's other rollouts go on.
        ends = await asyncio.to_thread(token_ends, ids, steps, tokenizer)
        located = largest_fall(plain, shown, ends)
        if located is None:
            raise Rejected(RejectReason.LOCATE_FAILED)
        return located


class AnswerLocator:
    """``answer``: the step that brings the policy to believe y⁻'s answer rather than y⁺'s; no word is generated.

    After each step the policy is made to answer at once, and the odds of the two answers are read from its next token.
    No synthesis prompt is shown, so that the engine has nearly all of each request in its cache. Where a rollout states
    no answer, the two cannot be told apart or no step raises the odds, a judge is asked.
    """

    def __init__(self, tapo: TapoConfig, policy: Policy):
        self.policy = policy
        self.judge = JudgeLocator(tapo, policy)

    async def locate(self, attempt: Attempt, steps: Sequence[Step], requests: Requests) -> int:
        """See ``Locator``."""
        if len(steps) == 1:
            return 0
        record, tokenizer = attempt.record, self.policy.tokenizer
        wrong, right = extract_answer(record.error_rollout), extract_answer(record.correct_rollout)
        parting = fork(AT_ONCE, wrong + "}", right + "}", tokenizer) if wrong and right else None
        if parting is None:
            return await self.judge.locate(attempt, steps, requests)
        lead, believed, other = parting
        ids, prompt_ids = list(attempt.error.response_ids), attempt.error.prompt_ids
        asked = evenly(len(steps), _MOST_ASKED)
        ends = await asyncio.to_thread(token_ends, ids, [steps[number - 1] for number in asked], tokenizer)

        def weigh(end: int) -> Awaitable[float]:
            return requests.odds([*prompt_ids, *ids[:end], *lead], believed, other)

        # Requests of one moment do not share what they compute; after the longest one all others find it in the cache.
        last = await weigh(ends[-1])
        odds = await all_or_none(weigh(end) for end in (0, *ends[:-1]))
        stretch = largest_gain([*odds, last])
        return await self.judge.locate(attempt, steps, requests) if stretch is None else asked[stretch] - 1


def make_locator(tapo: TapoConfig, policy: Policy) -> Locator:
    """The locator that ``synthesis.locate`` names."""
    locators = {"judge": JudgeLocator, "teacher": TeacherLocator, "answer": AnswerLocator}
    return locators[tapo.synthesis.locate](tapo, policy)
