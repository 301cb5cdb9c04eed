"""Samples rollouts, selects as in training, constructs in each variant, and measures what came of it."""

import asyncio
import json
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from recipe_tapo.algorithm.chats import question_text, render_chat
from recipe_tapo.algorithm.tokens import decode
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.constructor import Constructor
from recipe_tapo.construction.failed_steps import MACHINERY
from recipe_tapo.construction.group import Rollout, RolloutGroup
from recipe_tapo.construction.policy import Policy
from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.records import Problem
from recipe_tapo.preview.measure import MeasurableRow, measurable, measure
from recipe_tapo.preview.policy import PreviewPolicy, QuestionEngine, answered, grade
from recipe_tapo.preview.variants import Variant, files_read
from recipe_tapo.records.attempts import AttemptDump, AttemptRecord
from recipe_tapo.records.digest import short_digest
from recipe_tapo.records.store import ResultStore
from recipe_tapo.sampling.requests import derive_seed


class Preview:
    """One preview, resumed where an earlier one stopped.

    Args:
        policy: The policy, started.
        folder: Where results are kept.
        settings: All that they depend on besides a question and its rollouts, which are in a result's key.
        chat_template_kwargs: As in training.
        rollouts: Rollouts per question.
        seed: Of the rollouts.
        concurrency: Questions under way at a time.
    """

    def __init__(
        self,
        policy: PreviewPolicy,
        folder: Path,
        settings: dict[str, Any],
        *,
        chat_template_kwargs: dict[str, Any],
        rollouts: int,
        seed: int,
        concurrency: int,
    ):
        self.policy, self.folder, self.settings = policy, folder, settings
        self.rollouts, self.seed = rollouts, seed
        self.places = asyncio.Semaphore(concurrency)
        self.view = Policy(
            tokenizer=policy.tokenizer,
            max_model_len=policy.max_model_len,
            max_response_length=policy.sampling.max_tokens,
            stop_ids=policy.stop_ids,
            chat_template_kwargs=chat_template_kwargs,
        )

    async def sample(self, questions: Sequence[Problem]) -> dict[int, RolloutGroup]:
        """Rollouts, graded, of every question that leaves room for an answer.

        Raises:
            InputError: The engine fails, or no question leaves room.
        """
        with (
            ResultStore(self.folder / "rollouts.jsonl", ("question", "session", "of"), self.settings) as store,
            tqdm(total=len(questions), desc="rollouts", disable=None) as progress,
        ):
            groups = await asyncio.gather(*(self._group(q, store, progress) for q in questions))
        fitting = {q.problem_idx: group for q, group in zip(questions, groups, strict=True) if group is not None}
        if not fitting:
            raise InputError(f"no question leaves room for an answer in {self.policy.max_model_len} tokens of context")
        return fitting

    async def _group(self, question: Problem, store: ResultStore, progress: tqdm) -> RolloutGroup | None:
        text = question_text(question.messages, {"question": question.question})
        group = RolloutGroup(
            str(question.problem_idx), text, global_step=0, size=self.rollouts, messages=question.messages
        )
        prompt_ids = render_chat(self.policy.tokenizer, question.messages, self.view.chat_template_kwargs)
        if len(prompt_ids) >= self.policy.max_model_len:
            progress.update()
            return None
        async with self.places:
            rows = await asyncio.gather(
                *(self._rollout(question, session, prompt_ids, store) for session in range(self.rollouts))
            )
        progress.update()
        group.rollouts = [Rollout(row["session"], row["ids"], row["right"], prompt_ids) for row in rows]
        return group

    async def _rollout(
        self, question: Problem, session: int, prompt_ids: list[int], store: ResultStore
    ) -> dict[str, Any]:
        of = _digest(question)
        known = store.get((question.problem_idx, session, of))
        if known is not None:
            return known
        seed = derive_seed(self.seed, question.problem_idx, session)
        ids = await answered(self.policy.generate(prompt_ids, self.policy.sampling, seed))
        right = (await grade(decode(self.policy.tokenizer, ids), question.gold)).right
        row = {"question": question.problem_idx, "session": session, "of": of, "ids": ids, "right": right}
        store.add([row])
        return row

    async def construct(
        self, variant: Variant, questions: Sequence[Problem], groups: dict[int, RolloutGroup]
    ) -> list[dict[str, Any]]:
        """One result per question that has a group: its report, and a record and a measurement per attempt.

        All is constructed before anything is measured: a construction that fails costs itself alone, a measurement that
        fails ends the preview.

        Raises:
            InputError: The engine fails at measuring, or the grader does not work at all.
        """
        questions = [question for question in questions if question.problem_idx in groups]
        constructor = Constructor(variant.tapo, self.view)
        settings = {**self.settings, "tapo": variant.tapo.model_dump(), "files": files_read(variant.tapo)}
        with (
            self._store(variant.name, settings) as store,
            tqdm(total=len(questions), desc=variant.name, disable=None) as progress,
        ):
            made = await asyncio.gather(
                *(self._construct(constructor, q, groups[q.problem_idx], store, progress) for q in questions)
            )
        with (
            self._store(f"{variant.name}.measured", settings) as store,
            tqdm(total=len(questions), desc=f"{variant.name}, measured", disable=None) as progress,
        ):
            return await asyncio.gather(*(self._measure(variant.tapo, result, store, progress) for result in made))

    def _store(self, name: str, settings: dict[str, Any]) -> ResultStore:
        return ResultStore(self.folder / f"{name}.jsonl", ("question", "of"), settings)

    async def _construct(
        self, constructor: Constructor, question: Problem, group: RolloutGroup, store: ResultStore, progress: tqdm
    ) -> dict[str, Any]:
        of = _digest(question, group)
        known = store.get((question.problem_idx, of))
        if known is None:
            async with self.places:
                started = time.monotonic()
                engine = QuestionEngine(self.policy, question.gold, constructor.tapo.synthesis)
                attempts, report = await constructor.construct(group, engine)
                seconds = time.monotonic() - started
            known = {
                "question": question.problem_idx,
                "of": of,
                "seconds": seconds,
                "report": report.to_plain(),
                "records": [asdict(attempt.record) for attempt in attempts],
                "rows": [measurable(attempt) for attempt in attempts],
            }
            # What failed for reasons of the machinery is tried again by the next run.
            if not any(reason in MACHINERY for reason in known["report"]["rejected"]):
                store.add([known])
        progress.update()
        return known

    async def _measure(
        self, tapo: TapoConfig, result: dict[str, Any], store: ResultStore, progress: tqdm
    ) -> dict[str, Any]:
        # What another try constructed is another thing to measure.
        question, of = result["question"], short_digest(json.dumps([result["of"], result["rows"]]))
        known = store.get((question, of))
        if known is None:
            async with self.places:
                rows = [row and MeasurableRow(**row) for row in result["rows"]]
                measured = [row and await measure(row, tapo, self.policy) for row in rows]
            known = {"question": question, "of": of, "measured": measured}
            store.add([known])
        progress.update()
        return {**result, "measured": known["measured"]}


def _digest(question: Problem, group: RolloutGroup | None = None) -> str:
    """A short name for what a result is about, so that another question in its row, or other rollouts, count as new."""
    rollouts = [(rollout.response_ids, rollout.correct) for rollout in group.ordered()] if group else None
    identity = json.dumps([question.messages, question.question, question.gold, rollouts])
    return short_digest(identity)


def write_attempts(folder: Path, results: Sequence[dict[str, Any]]) -> None:
    """Writes a variant's attempts as a training run dumps them (``tapo.dump_dir``); an earlier dump there is replaced.

    Args:
        folder: The dump's folder.
        results: What ``Preview.construct`` returned.
    """
    _empty(folder)
    dump = AttemptDump(folder)
    for result in results:
        for record in result["records"]:
            dump.write(AttemptRecord(**record))


def remove_others(folder: Path, variants: Collection[str]) -> None:
    """Removes the dumps of variants that an earlier call tried, for their questions may have been others.

    Args:
        folder: That of the variants' dumps.
        variants: The names of those to keep.
    """
    for dump in folder.iterdir() if folder.is_dir() else ():
        if dump.is_dir() and dump.name not in variants:
            _empty(dump)


def _empty(dump: Path) -> None:
    for path in dump.glob("*.jsonl"):
        path.unlink()
