"""Construction by continuation (ours): locate y⁻'s first wrong step, keep y⁻ up to it, let the policy go on.

The kept tokens are y⁻'s own, and what follows is sampled after them as the continuation of the policy's own answer,
so that nothing is copied and the row is what the policy writes.
"""

import asyncio
import logging
import random
import re
from functools import partial
from typing import Any

from recipe_tapo.algorithm.chats import asked_again, chat_text
from recipe_tapo.algorithm.guards import template_phrases
from recipe_tapo.algorithm.prompts import fill_template, load_template, read_transitions
from recipe_tapo.algorithm.splice import Splice, clean_steps, cut, join
from recipe_tapo.algorithm.steps import Step, split_steps
from recipe_tapo.algorithm.tokens import decode
from recipe_tapo.algorithm.trajectory import Trajectory, continue_trajectory
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.attempt import Attempt, SynthesisPrompt
from recipe_tapo.construction.locators import make_locator
from recipe_tapo.construction.policy import Policy
from recipe_tapo.construction.requests import Requests
from recipe_tapo.grading.extract import extract_answer
from recipe_tapo.reasons import Rejected, RejectReason

logger = logging.getLogger(__name__)

# Scripts by their characters; a text in kana or Hangul may have Han characters as well.
_SCRIPTS = {
    "kana": re.compile(r"[\u3040-\u30ff]"),
    "hangul": re.compile(r"[\uac00-\ud7af]"),
    "han": re.compile(r"[\u4e00-\u9fff]"),
}
# Of the characters of a text in such a script, formulas included; a stray word does not make one.
_SHARE = 0.05
_LATIN = "latin"


class Continuation:
    """Mode ``continuation``.

    Args:
        tapo: The configuration.
        policy: The policy's tokenizer and limits.
    """

    def __init__(self, tapo: TapoConfig, policy: Policy):
        self.tapo = tapo
        self.policy = policy
        synthesis = tapo.synthesis
        self.locator = make_locator(tapo, policy)
        self.template = None
        if synthesis.sibling == "prompt":
            self.template = load_template(synthesis.prompt_path, synthesis.prompt_kind)
        self.phrases = template_phrases(self.template or "")
        self.transitions = read_transitions(synthesis.transition, synthesis.transitions_path)
        self.told_of_left_out = False

    async def prompt(self, attempt: Attempt, requests: Requests) -> SynthesisPrompt:
        """See ``Synthesis``."""
        tokenizer, record = self.policy.tokenizer, attempt.record
        error_ids = attempt.error.response_ids
        text = record.error_rollout
        # Texts are encoded and decoded in threads; meanwhile the worker's other rollouts go on.
        steps = await asyncio.to_thread(clean_steps, split_steps(text), error_ids, tokenizer)
        if not steps or not text.strip():
            raise Rejected(RejectReason.LOCATE_FAILED)
        located = await self.locator.locate(attempt, steps, requests)
        record.located_step, record.steps = located + 1, len(steps)
        step = steps[located]
        begun, start = await asyncio.to_thread(self._begin, attempt, step)
        kept = begun.prefix_length
        if kept < self.tapo.synthesis.required_prefix_fraction * len(error_ids):
            raise Rejected(RejectReason.PREFIX_TOO_SHORT)
        record.transition = decode(tokenizer, begun.ids[kept:])
        chat = self._chat(attempt, wrong_step=text[step.start : step.end].strip())
        return SynthesisPrompt(
            tokenizer.encode(chat, add_special_tokens=False) + begun.ids,
            partial(self._read, attempt, begun, min(start, kept)),
            most=self.policy.max_response_length - len(begun.ids),
        )

    def _begin(self, attempt: Attempt, step: Step) -> tuple[Splice, int]:
        """What the policy goes on from: y⁻ up to the wrong step and the transition; and, for the mask, where it begins.

        Raises:
            Rejected: No token ends where the step does, or begins where it does and the mask asks for that.
        """
        tokenizer, error_ids = self.policy.tokenizer, attempt.error.response_ids
        kept = cut(error_ids, step.end, tokenizer)
        start = cut(error_ids, step.start, tokenizer) if self.tapo.mask == "mistake" else 0
        if not kept or start is None:
            raise Rejected(RejectReason.NO_CLEAN_CUT)
        transition = self._transition(attempt, attempt.record.error_rollout[: step.end])
        begun = join(error_ids[:kept], transition, tokenizer)
        if begun is None or not begun.prefix_length:
            raise Rejected(RejectReason.NO_CLEAN_CUT)
        return begun, start

    def _read(
        self, attempt: Attempt, begun: Splice, mistake_start: int, output_ids: list[int], truncated: bool
    ) -> Trajectory:
        tokenizer, error_ids, kept = self.policy.tokenizer, attempt.error.response_ids, begun.prefix_length
        begun_ids, record = begun.ids[kept:], attempt.record
        record.raw_output = decode(tokenizer, [*begun_ids, *output_ids])
        if truncated:
            raise Rejected(RejectReason.TRUNCATED)
        while output_ids and output_ids[-1] in self.policy.stop_ids:
            output_ids = output_ids[:-1]
        written = decode(tokenizer, output_ids)
        if not written.strip():
            raise Rejected(RejectReason.EMPTY_OUTPUT)
        # Where y⁺ states its answer in some way that another reward function reads, only that one can tell.
        if not extract_answer(written) and extract_answer(record.correct_rollout):
            raise Rejected(RejectReason.NO_FINAL_ANSWER)
        trajectory = continue_trajectory(
            error_ids[:kept],
            [*begun_ids, *output_ids],
            mistake_start=mistake_start,
            error_length=len(error_ids),
            tokenizer=tokenizer,
            eos_token_id=attempt.eos_token_id,
            max_response_length=self.policy.max_response_length,
            mask=self.tapo.mask,
        )
        if isinstance(trajectory, RejectReason):
            raise Rejected(trajectory)
        return trajectory

    def _chat(self, attempt: Attempt, wrong_step: str) -> str:
        record = attempt.record
        if self.template is None:
            shown = self._render(asked_again(attempt.messages, record.question, record.correct_rollout))
            self._look_for(record.correct_rollout, shown)
            return shown
        prompt = fill_template(
            self.template,
            question=record.question,
            correct_rollout=record.correct_rollout,
            wrong_step=wrong_step,
        )
        return self._render([{"role": "user", "content": prompt}])

    def _render(self, chat: list[dict[str, Any]]) -> str:
        return chat_text(self.policy.tokenizer, chat, self.policy.chat_template_kwargs)

    def _look_for(self, sibling: str, shown: str) -> None:
        """Warns once where the chat template leaves out a part of an earlier answer, as it may do with thinking."""
        if not self.told_of_left_out and "".join(sibling.split()) not in "".join(shown.split()):
            self.told_of_left_out = True
            logger.warning(
                "TAPO: the chat template leaves a part of the right sibling out, for instance its thinking; the policy "
                "is guided by the rest. tapo.synthesis.sibling=prompt shows all of it"
            )

    def _transition(self, attempt: Attempt, kept: str) -> str:
        """What stands between the two: the end of a paragraph where there is none, then a phrase or its beginning."""
        gap = "" if kept.endswith(("\n", "。")) else "\n\n"
        if self.transitions:
            by_script: dict[str, list[str]] = {}
            for phrase in self.transitions:
                by_script.setdefault(script_of(phrase), []).append(phrase)
            phrases = by_script.get(script_of(kept)) or by_script.get(_LATIN) or self.transitions
            gap += random.Random(attempt.seed).choice(phrases)
        return gap


def script_of(text: str) -> str:
    """The script that a text is written in: ``kana``, ``hangul``, ``han`` or ``latin``, for anything else too."""
    found = (name for name, characters in _SCRIPTS.items() if len(characters.findall(text)) > _SHARE * len(text))
    return next(found, _LATIN)
