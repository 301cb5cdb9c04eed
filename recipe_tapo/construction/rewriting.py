"""The paper's synthesis (§3.3): the policy rewrites the whole of y⁻ between tags, in one answer."""

from functools import partial

from recipe_tapo.algorithm.chats import render_prompt
from recipe_tapo.algorithm.guards import template_phrases
from recipe_tapo.algorithm.parsing import states_final_answer
from recipe_tapo.algorithm.prompts import fill_template, load_template
from recipe_tapo.algorithm.tokens import decode, holds_special_tokens
from recipe_tapo.algorithm.trajectory import Trajectory, build_trajectory
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.attempt import Attempt, SynthesisPrompt
from recipe_tapo.construction.policy import Policy
from recipe_tapo.construction.requests import Requests
from recipe_tapo.reasons import Rejected, RejectReason


class Rewriting:
    """Modes ``micro_reflective`` and ``full_reconstruction``.

    Args:
        tapo: The configuration.
        policy: The policy's tokenizer and limits.
    """

    def __init__(self, tapo: TapoConfig, policy: Policy):
        self.tapo = tapo
        self.policy = policy
        self.template = load_template(tapo.synthesis.prompt_path, tapo.synthesis.mode)
        self.phrases = template_phrases(self.template)
        self.min_prefix_fraction = tapo.synthesis.required_prefix_fraction

    async def prompt(self, attempt: Attempt, requests: Requests) -> SynthesisPrompt:
        """See ``Synthesis``."""
        record, policy = attempt.record, self.policy
        for rollout in (attempt.error, attempt.correct):
            if holds_special_tokens(policy.tokenizer, rollout.response_ids, policy.stop_ids):
                raise Rejected(RejectReason.SPECIAL_TOKENS)
        prompt = fill_template(
            self.template,
            question=record.question,
            error_rollout=record.error_rollout,
            correct_rollout=record.correct_rollout,
        )
        ids = render_prompt(policy.tokenizer, prompt, policy.chat_template_kwargs)
        return SynthesisPrompt(ids, partial(self._read, attempt))

    def _read(self, attempt: Attempt, output_ids: list[int], truncated: bool) -> Trajectory:
        record, policy = attempt.record, self.policy
        record.raw_output = decode(policy.tokenizer, output_ids)
        trajectory = build_trajectory(
            record.raw_output,
            truncated=truncated,
            error_ids=attempt.error.response_ids,
            tokenizer=policy.tokenizer,
            eos_token_id=attempt.eos_token_id,
            max_response_length=policy.max_response_length,
            min_prefix_fraction=self.min_prefix_fraction,
            mask=self.tapo.mask,
            recover=self.tapo.synthesis.recover,
            # Where y⁺ states its answer in some other way, which a reward function reads, only that one can tell.
            needs_answer=states_final_answer(record.correct_rollout),
        )
        if isinstance(trajectory, RejectReason):
            raise Rejected(trajectory)
        return trajectory
