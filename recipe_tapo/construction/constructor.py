"""One group's constructions (Alg. 1, lines 2-4): select, synthesise, guard, grade; all attempts at once."""

import asyncio
import math
import time
from dataclasses import replace
from typing import Protocol

from recipe_tapo.algorithm.answer_first import states_answer_first
from recipe_tapo.algorithm.answer_unfounded import states_answer_unfounded
from recipe_tapo.algorithm.chats import asked_text
from recipe_tapo.algorithm.doubt import expresses_doubt
from recipe_tapo.algorithm.guards import echoes_template, leaks, load_leak_patterns, unasked
from recipe_tapo.algorithm.prompts import CONTINUATION
from recipe_tapo.algorithm.selection import group_rng, select_pairs
from recipe_tapo.algorithm.tokens import choose_eos, decode
from recipe_tapo.algorithm.trajectory import Trajectory
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.attempt import Attempt, SynthesisPrompt, reject
from recipe_tapo.construction.continuation import Continuation
from recipe_tapo.construction.failures import FailureLog
from recipe_tapo.construction.group import Rollout, RolloutGroup
from recipe_tapo.construction.policy import Engine, Grade, Policy
from recipe_tapo.construction.reports import GroupReport
from recipe_tapo.construction.requests import Requests
from recipe_tapo.construction.rewriting import Rewriting
from recipe_tapo.grading.extract import extract_answer
from recipe_tapo.reasons import Rejected, RejectReason
from recipe_tapo.records.attempts import AttemptRecord


class Synthesis(Protocol):
    """A way to construct (``synthesis.mode``).

    Attributes:
        phrases: What its prompt says, which no trajectory may give back.
    """

    phrases: list[str]

    async def prompt(self, attempt: Attempt, requests: Requests) -> SynthesisPrompt:
        """What the policy is asked to write about one wrong rollout. Raises Rejected."""
        ...


class Constructor:
    """Turns a finished group's wrong rollouts into graded trajectories; a failure costs its own attempt only.

    Args:
        tapo: The configuration.
        policy: The policy's tokenizer and limits.

    Attributes:
        failures: Where failures are told.
    """

    def __init__(self, tapo: TapoConfig, policy: Policy):
        self.tapo = tapo
        self.policy = policy
        self.failures = FailureLog()
        continues = tapo.synthesis.mode == CONTINUATION
        self.synthesis: Synthesis = Continuation(tapo, policy) if continues else Rewriting(tapo, policy)
        self.leak_patterns = load_leak_patterns(tapo.synthesis.leak_patterns_path)

    async def construct(self, group: RolloutGroup, engine: Engine) -> tuple[list[Attempt], GroupReport]:
        """Constructs from a group whose last rollout has ended. Never raises (cancellation aside).

        Returns:
            All attempts, those to train on being those whose record has no ``reason``, and their account.
        """
        report, attempts = GroupReport(), []
        try:
            attempts = self._select(group, report)
            await asyncio.gather(*(self._run(attempt, engine, report) for attempt in attempts))
        except Exception as error:
            self.failures.note("constructing from a group", error)
            report.reject(RejectReason.INTERNAL_ERROR, max(1, report.attempts))  # none was begun
        report.construction_end = time.time() if report.attempts else report.rollout_end
        return attempts, report

    def _select(self, group: RolloutGroup, report: GroupReport) -> list[Attempt]:
        rollouts = group.ordered()
        rng = group_rng(self.tapo.seed, group.global_step, group.question)
        pairs = select_pairs(
            [rollout.correct for rollout in rollouts],
            n_pos=self.tapo.selection.n_pos,
            n_neg=self.tapo.selection.n_neg,
            m_max=self.tapo.selection.m_max,
            rng=rng,
        )
        report.eligible = bool(pairs)
        report.attempts = len(pairs)
        if group.unfit is not None:
            report.reject(group.unfit, len(pairs))
            return []
        return [
            self._start(group, rollouts[pair.error], rollouts[pair.correct], seed=rng.getrandbits(32)) for pair in pairs
        ]

    def _start(self, group: RolloutGroup, error: Rollout, correct: Rollout, seed: int) -> Attempt:
        record = AttemptRecord(
            step=group.global_step,
            uid=group.uid,
            question=group.question,
            error_rollout=decode(self.policy.tokenizer, error.response_ids),
            correct_rollout=decode(self.policy.tokenizer, correct.response_ids),
            error_versions=error.versions,
            correct_versions=correct.versions,
        )
        known = [rollout.response_ids for rollout in (correct, error, *group.ordered())]
        eos_token_id = choose_eos(known, self.policy.stop_ids, self.policy.tokenizer.eos_token_id)
        return Attempt(error, correct, record, eos_token_id, seed, group.messages)

    async def _run(self, attempt: Attempt, engine: Engine, report: GroupReport) -> None:
        """Ends in a graded trajectory or in a counted reason."""
        requests = Requests(self.tapo, self.policy, engine, self.failures)
        try:
            attempt.trajectory = await self._synthesize(attempt, requests, report)
            grading = _finite_grade(engine, attempt.error, attempt.trajectory)
            attempt.grade = await requests.within_time(grading, RejectReason.REWARD_FAILED)
            record = attempt.record
            record.reward, record.right = attempt.grade.score, attempt.grade.right
            report.right += attempt.grade.right
            if not attempt.grade.right and not self.tapo.keep_negatives:
                raise Rejected(RejectReason.NEGATIVE_DROPPED)
        except Rejected as rejection:
            reject(attempt, report, rejection.reason)
        except Exception as error:
            self.failures.note("a construction", error)
            reject(attempt, report, RejectReason.INTERNAL_ERROR)

    async def _synthesize(self, attempt: Attempt, requests: Requests, report: GroupReport) -> Trajectory:
        try:
            prompt = await self.synthesis.prompt(attempt, requests)
            trajectory = await self._sample(attempt, prompt, requests)
        finally:
            record = attempt.record
            record.versions = requests.versions
            report.synthesis_tokens += requests.generated_tokens
            report.retried.update(record.retried)
            report.leaks += bool(record.leak)
            if record.recovered is not None:
                report.recovered[record.recovered] += 1
        report.parsed += 1
        report.doubts += bool(record.doubt)
        report.prefix_lengths.append(trajectory.prefix_length)
        report.prefix_fractions.append(trajectory.prefix_fraction)
        report.new_tokens.append(trajectory.new_tokens)
        return trajectory

    async def _sample(self, attempt: Attempt, prompt: SynthesisPrompt, requests: Requests) -> Trajectory:
        """Samples until a trajectory passes format and guards; of those that do not, the last one is on record."""
        bare, retried = attempt.record, list[str]()
        while True:
            attempt.record = replace(bare, retried=retried)
            output_ids, truncated = await requests.generate(prompt.ids, most=prompt.most)
            try:
                trajectory = prompt.read(output_ids, truncated)
                self._guard(attempt, trajectory)
                return trajectory
            except Rejected as rejection:
                if len(retried) + 1 == self.tapo.synthesis.tries:
                    raise
                retried.append(rejection.reason.value)

    def _guard(self, attempt: Attempt, trajectory: Trajectory) -> None:
        """Notes what was written and rejects what must not be learned (ours)."""
        record, tokenizer, synthesis = attempt.record, self.policy.tokenizer, self.tapo.synthesis
        record.reconstruction = trajectory.text
        record.prefix_length = trajectory.prefix_length
        record.prefix_fraction = trajectory.prefix_fraction
        record.prefix_text = decode(tokenizer, trajectory.response_ids[: trajectory.prefix_length])
        record.recovered = trajectory.recovered and trajectory.recovered.value
        new = trajectory.new_text(tokenizer)
        if synthesis.echo_check and echoes_template(new, self.synthesis.phrases):
            raise Rejected(RejectReason.TEMPLATE_ECHO)
        if trajectory.new_tokens < synthesis.min_new_tokens:
            raise Rejected(RejectReason.TOO_LITTLE_NEW)
        patterns = unasked(self.leak_patterns, asked_text(record.question, attempt.messages))
        start = len(trajectory.text) - len(new)
        record.leak = leaks(trajectory.text, patterns, start)
        if record.leak and synthesis.leak_check == "reject":
            raise Rejected(RejectReason.LEAK)
        if synthesis.answer_check:
            answer, kept = extract_answer(record.correct_rollout), trajectory.text[:start]
            if states_answer_first(new, answer, record.question, kept):
                raise Rejected(RejectReason.ANSWER_FIRST)
            if states_answer_unfounded(new, extract_answer(new), answer, record.question, kept):
                raise Rejected(RejectReason.ANSWER_UNFOUNDED)
        # Its own words: a phrase that was written for it says nothing of what it makes of it.
        record.doubt = expresses_doubt(new.removeprefix(record.transition or ""))


async def _finite_grade(engine: Engine, error: Rollout, trajectory: Trajectory) -> Grade:
    grade = await engine.grade(error, trajectory)
    if not math.isfinite(grade.score):
        raise ValueError(f"the reward is {grade.score}, which would make all advantages of its group NaN")
    return grade
