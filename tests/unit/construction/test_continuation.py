"""Construction by continuation on a scripted engine: locate, keep y⁻'s own tokens, go on."""

import asyncio
import logging

import pytest
from small_tokenizer import EOS, TOKENIZER, byte_level_bpe, encode
from tokenizers_of_models import tokenizer_of

from recipe_tapo.config import TapoConfig
from recipe_tapo.construction import continuation
from recipe_tapo.construction.constructor import Constructor
from recipe_tapo.construction.group import Rollout, RolloutGroup
from recipe_tapo.construction.policy import Grade, Policy

QUESTION = "2x=8?"
WRONG = "2x = 8\nDivide by 2: x = 3\nSo x = 3.\nFinal Answer: \\boxed{3}"
RIGHT = "2x = 8\nx = 4\nFinal Answer: \\boxed{4}"
KEPT = "2x = 8\nDivide by 2: x = 3\n"
GOES_ON = "Wait, 8 divided by 2 is 4.\nSo x = 4.\nFinal Answer: \\boxed{4}"


class ScriptedEngine:
    """Says what it is told; notes what it was asked."""

    def __init__(self, answer=GOES_ON, chosen="2].", fall_at="3"):
        self.answer, self.chosen, self.fall_at = answer, chosen, fall_at
        self.prompts, self.choices, self.scored, self.weighed = [], [], [], []

    async def generate(self, prompt_ids, max_tokens):
        self.prompts.append((TOKENIZER.decode(prompt_ids), max_tokens))
        return [*encode(self.answer), EOS][:max_tokens]

    async def choose(self, prompt_ids, choices, max_tokens):
        self.choices.append((TOKENIZER.decode(prompt_ids), choices))
        return self.chosen

    async def score_tokens(self, token_ids):
        """Sure of everything, but of the first ``fall_at`` where a right solution was shown."""
        self.scored.append(TOKENIZER.decode(token_ids))
        scores = [-0.1] * len(token_ids)
        if "right" in self.scored[-1]:
            text = TOKENIZER.decode(token_ids)
            target = text.rindex(WRONG) + WRONG.index(self.fall_at)
            at = next(i for i in range(len(token_ids)) if len(TOKENIZER.decode(token_ids[: i + 1])) > target)
            scores[at] = -7.0
        return scores

    async def odds(self, prompt_ids, token, other):
        """Believes 4 until it has written that x is 3."""
        text = TOKENIZER.decode(prompt_ids)
        self.weighed.append((text, TOKENIZER.decode([token]), TOKENIZER.decode([other])))
        return 2.0 if "x = 3" in text else -2.0

    async def grade(self, error, trajectory):
        right = trajectory.text.rstrip().endswith("\\boxed{4}")
        return Grade(float(right), right)


def construct(monkeypatch, engine, **options):
    (attempt,), report = construct_all(monkeypatch, engine, **options)
    return attempt, report


def construct_all(monkeypatch, engine, max_model_len=2000, log_probs=None, wrong=WRONG, right=RIGHT, wrongs=1, **tapo):
    monkeypatch.setattr(
        TOKENIZER,
        "apply_chat_template",
        lambda messages, **_: "".join(f"{message['content']}\n" for message in messages),
        raising=False,
    )
    synthesis = {"mode": "continuation", "min_new_tokens": 5, **tapo.pop("synthesis", {})}
    config = TapoConfig.from_mapping(
        {"selection": {"n_pos": 1, "n_neg": 1, "m_max": wrongs}, "synthesis": synthesis, **tapo}
    )
    policy = Policy(TOKENIZER, max_model_len, max_response_length=200, stop_ids=frozenset({EOS}))
    group = RolloutGroup("q", QUESTION, global_step=1, size=wrongs + 1)
    group.rollouts = [
        *(Rollout(i, [*encode(wrong), EOS], False, encode(QUESTION), log_probs) for i in range(wrongs)),
        Rollout(wrongs, [*encode(right), EOS], True, encode(QUESTION)),
    ]
    return asyncio.run(Constructor(config, policy).construct(group, engine))


def test_the_judge_names_a_step_and_the_policy_goes_on_from_its_end(monkeypatch):
    engine = ScriptedEngine()
    attempt, report = construct(monkeypatch, engine, synthesis={"locate": "judge", "transition": "own"})
    (asked, choices), (prompt, budget) = engine.choices[0], engine.prompts[0]
    # As the cold start teaches: "1" alone would be the beginning of "12".
    assert choices == ["1].", "2].", "3].", "4]."]
    assert "[2] Divide by 2: x = 3\n[3] So x = 3." in asked
    assert prompt.endswith(KEPT) and RIGHT in prompt  # the kept tokens begin the policy's own answer
    kept = len(encode(KEPT))
    assert budget == 200 - kept
    trajectory = attempt.trajectory
    assert trajectory.text == KEPT + GOES_ON
    assert trajectory.response_ids == [*encode(WRONG)[:kept], *encode(GOES_ON), EOS]
    assert trajectory.prefix_length == kept
    assert attempt.record.located_step == 2 and attempt.record.steps == 4
    assert attempt.grade.right and report.right == report.parsed == report.doubts == 1
    assert report.synthesis_tokens == len(encode(GOES_ON)) + 1  # new tokens alone


def test_the_teacher_needs_no_word_and_takes_the_samplers_scores_where_they_were_recorded(monkeypatch):
    engine = ScriptedEngine()
    attempt, _ = construct(monkeypatch, engine, synthesis={"locate": "teacher", "transition": "own"})
    assert attempt.record.located_step == 2
    assert engine.choices == [] and len(engine.scored) == 2

    engine = ScriptedEngine(fall_at="So")
    recorded = [-0.1] * (len(encode(WRONG)) + 1)
    attempt, _ = construct(
        monkeypatch, engine, log_probs=recorded, synthesis={"locate": "teacher", "transition": "own"}
    )
    assert attempt.record.located_step == 3
    assert len(engine.scored) == 1


def test_the_answer_locates_where_the_policy_comes_to_believe_it(monkeypatch):
    engine = ScriptedEngine()
    attempt, _ = construct(monkeypatch, engine, synthesis={"locate": "answer", "transition": "own"})
    assert attempt.record.located_step == 2
    assert engine.choices == engine.scored == []
    # The whole rollout first, so that all others are in the engine's cache.
    begun = [WRONG, "", "2x = 8\n", KEPT, KEPT + "So x = 3.\n"]
    assert engine.weighed == [(f"{QUESTION}{kept}\n\nFinal Answer: \\boxed{{", "3", "4") for kept in begun]


@pytest.mark.parametrize("wrong", ["2x = 8\nx = 3\nI give up.", WRONG.replace("{3}", "{4}")])
def test_where_two_answers_cannot_be_weighed_a_judge_is_asked(monkeypatch, wrong):
    engine = ScriptedEngine()
    attempt, _ = construct(monkeypatch, engine, wrong=wrong, synthesis={"locate": "answer", "transition": "own"})
    assert attempt.record.located_step == 2
    assert len(engine.choices) == 1 and engine.weighed == []


def test_a_rollout_of_many_steps_is_asked_about_now_and_then(monkeypatch):
    engine = ScriptedEngine()
    wrong = "2x\n" * 30 + "x = 3\n" + "so\n" * 97 + "Final Answer: \\boxed{3}"
    attempt, _ = construct(monkeypatch, engine, wrong=wrong, synthesis={"locate": "answer", "transition": "own"})
    # 129 steps by 64: the 15th end is that of step ceil(129 * 15 / 64) = 31, which says that x is 3.
    assert attempt.record.steps == 129 and len(engine.weighed) == 65
    assert attempt.record.located_step == 31


def test_a_fixed_transition_is_part_of_the_answer_that_the_policy_goes_on_from(monkeypatch, tmp_path):
    phrases = tmp_path / "phrases.txt"
    phrases.write_text("# ours\nWait.\n等等。\n")
    engine = ScriptedEngine(answer=" 8/2 is 4.\nFinal Answer: \\boxed{4}")
    fixed = {"locate": "judge", "transition": "fixed", "transitions_path": str(phrases)}
    attempt, _ = construct(monkeypatch, engine, synthesis=fixed)
    assert engine.prompts[0][0].endswith(KEPT + "Wait.")  # English goes on in English
    assert attempt.trajectory.text == KEPT + "Wait. 8/2 is 4.\nFinal Answer: \\boxed{4}"


def test_a_doubt_that_is_begun_is_what_the_policy_goes_on_from(monkeypatch):
    engine = ScriptedEngine(answer=" is 8/2 = 4.\nFinal Answer: \\boxed{4}")
    attempt, report = construct(monkeypatch, engine, synthesis={"locate": "judge", "transition": "begun"})
    # The question, answered with the right sibling, and the question again: no word of instruction.
    assert engine.prompts[0][0] == f"{QUESTION}\n{RIGHT}\n{QUESTION}\n{KEPT}Wait, this"
    assert attempt.trajectory.text == KEPT + "Wait, this is 8/2 = 4.\nFinal Answer: \\boxed{4}"
    assert attempt.trajectory.prefix_length == len(encode(KEPT))
    assert report.doubts == 0  # the policy itself said nothing of the kind


def test_a_chat_template_that_leaves_a_part_of_the_sibling_out_is_told_of(monkeypatch, caplog):
    def without_thinking(_, messages, __):
        return "".join(message["content"].split("\n")[-1] + "\n" for message in messages)

    caplog.set_level(logging.WARNING)  # other tests' imports raise it
    construct(monkeypatch, ScriptedEngine())
    assert not caplog.records
    monkeypatch.setattr(continuation, "chat_text", without_thinking)
    engine = ScriptedEngine()
    construct(monkeypatch, engine)
    assert engine.prompts[0][0].startswith(f"{QUESTION}\nFinal Answer: \\boxed{{4}}\n{QUESTION}\n")
    (record,) = caplog.records
    assert "leaves a part of the right sibling out" in record.message


def test_a_prompt_shows_the_sibling_where_it_is_to(monkeypatch):
    engine = ScriptedEngine(answer=" is 8/2 = 4.\nFinal Answer: \\boxed{4}")
    construct(monkeypatch, engine, synthesis={"locate": "judge", "sibling": "prompt"})
    prompt = engine.prompts[0][0]
    assert prompt.endswith(KEPT + "Wait, this") and "correct that step" in prompt and "doubt" not in prompt


@pytest.mark.parametrize(("goes_on", "doubts"), [(" is not right: 8/2 is 4.", 1), (" is it: x = 3.", 0)])
def test_a_begun_doubt_counts_by_what_the_policy_makes_of_it(monkeypatch, goes_on, doubts):
    engine = ScriptedEngine(answer=f"{goes_on}\nFinal Answer: \\boxed{{4}}")
    attempt, report = construct(monkeypatch, engine, synthesis={"locate": "judge", "transition": "begun"})
    assert report.doubts == doubts and attempt.record.transition == "Wait, this"


def test_where_no_step_raises_the_odds_a_judge_is_asked(monkeypatch):
    class Certain(ScriptedEngine):
        async def odds(self, prompt_ids, token, other):
            return 9.0

    engine = Certain()
    attempt, _ = construct(monkeypatch, engine, synthesis={"locate": "answer", "transition": "own"})
    assert attempt.record.located_step == 2 and len(engine.choices) == 1


def test_one_failed_question_about_the_odds_gives_up_the_others(monkeypatch):
    class Failing(ScriptedEngine):
        given_up = 0

        async def odds(self, prompt_ids, token, other):
            text = TOKENIZER.decode(prompt_ids)
            if "boxed{3}" in text:
                return 2.0
            if text.endswith(f"{QUESTION}\n\nFinal Answer: \\boxed{{"):
                raise RuntimeError("server down")
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                self.given_up += 1
                raise
            return 0.0

    engine = Failing()
    attempt, _ = construct(monkeypatch, engine, synthesis={"locate": "answer", "transition": "own"})
    assert attempt.record.reason == "request_failed" and engine.given_up == 3


def test_what_the_question_says_is_no_leak(monkeypatch):
    answer = "Wait, you provided 8 sweets, 4 each.\nFinal Answer: \\boxed{4}"
    leaked, _ = construct(monkeypatch, ScriptedEngine(answer=answer), synthesis={"locate": "judge"})
    assert leaked.record.reason == "leak"
    monkeypatch.setitem(globals(), "QUESTION", "You provided 8 sweets for two. 2x=8?")
    kept, _ = construct(monkeypatch, ScriptedEngine(answer=answer), synthesis={"locate": "judge"})
    assert kept.record.reason is None


@pytest.mark.parametrize(
    ("line", "doubt"),
    [
        ("除以二：x = 3", "等等，这"),
        ("両辺を二で割る：x = 3", "待って、これは"),
        ("양변을 2로 나누면 x = 3", "잠깐, 이건"),
        ("Let us divide both sides of the equation by 两: x = 3", "Wait, this"),  # a stray word
    ],
)
def test_a_doubt_is_begun_in_the_rollouts_script(monkeypatch, line, doubt):
    engine = ScriptedEngine(answer=" x = 4.\nFinal Answer: \\boxed{4}")
    wrong = f"2x = 8\n{line}\nFinal Answer: \\boxed{{3}}"
    construct(monkeypatch, engine, wrong=wrong, synthesis={"locate": "judge", "transition": "begun"})
    assert engine.prompts[0][0].endswith(f"x = 3\n{doubt}")


def test_a_mistake_in_the_last_step_is_followed_by_a_new_paragraph(monkeypatch):
    engine = ScriptedEngine(chosen="4].")
    attempt, _ = construct(monkeypatch, engine, synthesis={"locate": "judge", "transition": "own"})
    assert attempt.trajectory.text == WRONG + "\n\n" + GOES_ON


@pytest.mark.parametrize(
    ("mask", "trained"),
    [("none", lambda n, kept, start: n), ("prefix", lambda n, kept, start: n - kept),
     ("mistake", lambda n, kept, start: n - kept + start)],
)  # fmt: skip
def test_the_mask_leaves_out_the_prefix_or_the_mistake_alone(monkeypatch, mask, trained):
    attempt, _ = construct(monkeypatch, ScriptedEngine(), mask=mask, synthesis={"locate": "judge", "transition": "own"})
    row = attempt.trajectory
    kept, start = len(encode(KEPT)), len(encode("2x = 8\n"))
    assert sum(row.response_mask) == trained(len(row.response_ids), kept, start)
    assert row.response_mask[kept:] == [1] * (len(row.response_ids) - kept)
    if mask == "mistake":
        assert row.response_mask[:start] == [1] * start and row.response_mask[start:kept] == [0] * (kept - start)


@pytest.mark.parametrize(
    ("engine", "settings", "reason"),
    [
        (ScriptedEngine(chosen="seven"), {}, "locate_failed"),
        (ScriptedEngine(answer="Wait, that is all I know about it."), {}, "no_final_answer"),
        (ScriptedEngine(answer="Wait, 8/2 is 4. " * 40), {}, "truncated"),
        (ScriptedEngine(answer=" "), {}, "empty_output"),
        (ScriptedEngine(answer=""), {"transition": "begun"}, "empty_output"),  # what was begun is none of its words
        (ScriptedEngine(answer="Wait, this final answer is not right. I give up."), {}, "no_final_answer"),
        (ScriptedEngine(answer="So \\boxed{4}"), {"min_new_tokens": 50}, "too_little_new"),
        (ScriptedEngine(answer="Wait, the attempt is wrong here.\nFinal Answer: \\boxed{4}"), {}, "leak"),
        (ScriptedEngine(answer="Wait, this should be 4 and not 3.\nFinal Answer: \\boxed{4}"), {}, "answer_first"),
        (
            ScriptedEngine(answer="Wait, 8 divided by 2 is not 3. I take another way.\nFinal Answer: \\boxed{4}"),
            {},
            "answer_unfounded",
        ),
    ],
)
def test_what_comes_to_nothing_says_why(monkeypatch, engine, settings, reason):
    synthesis = {"locate": "judge", "transition": "own", "leak_check": "reject", **settings}
    attempt, report = construct(monkeypatch, engine, synthesis=synthesis)
    assert attempt.record.reason == reason
    assert report.rejected == {reason: 1}


def test_an_answer_before_its_reasons_may_be_let_through(monkeypatch):
    answer = "Wait, this should be 4 and not 3.\nFinal Answer: \\boxed{4}"
    attempt, _ = construct(
        monkeypatch, ScriptedEngine(answer=answer), synthesis={"locate": "judge", "answer_check": False}
    )
    assert attempt.record.reason is None


def test_a_group_whose_attempts_cannot_begin_counts_them_all_as_failed(monkeypatch):
    def broken(*_):
        raise TypeError("a mistake of this project")

    monkeypatch.setattr("recipe_tapo.construction.constructor.decode", broken)
    attempts, report = construct_all(monkeypatch, ScriptedEngine(), wrongs=3)
    assert (attempts, report.attempts, report.rejected) == ([], 3, {"internal_error": 3})


@pytest.mark.parametrize("stated", ["<answer>4</answer>", "\\fbox{4}", "#### 4"])
def test_an_answer_may_be_stated_as_the_right_sibling_states_it(monkeypatch, stated):
    engine = ScriptedEngine(answer=f"Wait, 8 divided by 2 is 4.\n{stated}")
    attempt, report = construct(monkeypatch, engine, right=f"2x = 8\nx = 4\n{stated}", synthesis={"locate": "judge"})
    assert report.parsed == 1 and attempt.trajectory.text.endswith(stated)


class Tries(ScriptedEngine):
    """Answers one after the other; a request behind the last one fails."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)

    async def generate(self, prompt_ids, max_tokens):
        self.answer = self.answers.pop(0)
        return await super().generate(prompt_ids, max_tokens)


LEAKS = "Wait, the attempt is wrong here.\nFinal Answer: \\boxed{4}"
UNANSWERED = "Wait, that is all I know about it."


@pytest.mark.parametrize(("rejected", "reason"), [(LEAKS, "leak"), (UNANSWERED, "no_final_answer")])
def test_what_is_rejected_is_sampled_anew_from_the_same_prompt(monkeypatch, rejected, reason):
    engine = Tries(rejected, GOES_ON, GOES_ON)
    attempt, report = construct(monkeypatch, engine, synthesis={"locate": "judge", "transition": "own", "tries": 3})
    assert attempt.trajectory.text == attempt.record.reconstruction == KEPT + GOES_ON
    assert attempt.record.retried == [reason] and report.retried == {reason: 1}
    assert (attempt.record.leak, report.leaks) == (False, 0)
    assert (report.parsed, report.right, report.rejected) == (1, 1, {})
    assert report.synthesis_tokens == len(encode(rejected)) + len(encode(GOES_ON)) + 2
    assert engine.prompts[0] == engine.prompts[1] and len(engine.choices) == 1


def test_the_last_try_says_why_it_came_to_nothing(monkeypatch):
    synthesis = {"locate": "judge", "transition": "own", "tries": 2}
    attempt, report = construct(monkeypatch, Tries(LEAKS, UNANSWERED, GOES_ON), synthesis=synthesis)
    assert attempt.record.reason == "no_final_answer" and report.rejected == {"no_final_answer": 1}
    # Nothing of the first try is on record.
    assert attempt.record.reconstruction is attempt.record.leak is None
    assert (attempt.record.raw_output, attempt.record.retried, report.retried) == (UNANSWERED, ["leak"], {"leak": 1})


def test_a_rewriting_is_sampled_anew_too_and_counts_as_the_last_one_was_read(monkeypatch):
    unclosed = f"<reconstruction>{KEPT}{LEAKS}"  # read nevertheless, then rejected by a guard
    tagged = f"<reconstruction>{KEPT}{GOES_ON}</reconstruction>"
    engine = Tries("No tags.", unclosed, tagged)
    attempt, report = construct(
        monkeypatch, engine, max_model_len=8000, synthesis={"mode": "micro_reflective", "tries": 3}
    )
    assert attempt.trajectory.text == KEPT + GOES_ON and report.right == report.parsed == 1
    assert attempt.record.retried == ["missing_tag", "leak"]
    assert attempt.record.recovered is None and report.recovered == {}


@pytest.mark.parametrize(("right", "reason"), [(RIGHT, "no_final_answer"), ("2x = 8\nThe answer is 4.", None)])
def test_a_rewriting_states_its_answer_as_the_right_sibling_does(monkeypatch, right, reason):
    tagged = f"<reconstruction>{KEPT}Wait, 8 divided by 2 is 4.\nThe answer is 4.</reconstruction>"
    engine = ScriptedEngine(answer=tagged)
    attempt, _ = construct(monkeypatch, engine, max_model_len=8000, right=right, synthesis={"mode": "micro_reflective"})
    assert attempt.record.reason == reason


def test_a_rollout_of_white_space_has_no_mistake(monkeypatch):
    attempt, _ = construct(monkeypatch, ScriptedEngine(), wrong="\n\n")
    assert attempt.record.reason == "locate_failed"


def test_a_wrong_result_and_a_failed_request_are_no_reason_to_try_again(monkeypatch):
    wrong = GOES_ON.replace("{4}", "{5}")
    synthesis = {"locate": "judge", "transition": "own", "tries": 2}
    attempt, _ = construct(monkeypatch, Tries(wrong, GOES_ON), keep_negatives=False, synthesis=synthesis)
    assert (attempt.record.reason, attempt.record.retried) == ("negative_dropped", [])
    attempt, report = construct(monkeypatch, Tries(), synthesis=synthesis)
    assert (attempt.record.reason, report.rejected) == ("request_failed", {"request_failed": 1})
    assert attempt.record.retried == [] and report.retried == {}


def test_a_wrong_step_at_the_end_of_a_long_rollout_leaves_the_row_no_room(monkeypatch):
    wrong = WRONG.replace("2x = 8", "2x = 8" + " because" * 10)
    kept = len(encode(wrong.split("So x")[0]))
    engine = ScriptedEngine()
    synthesis = {"locate": "judge", "transition": "own", "min_new_tokens": 200 - kept + 1}
    attempt, _ = construct(monkeypatch, engine, wrong=wrong, synthesis=synthesis)
    assert attempt.record.reason == "too_long"
    assert engine.prompts == []


def test_a_required_prefix_holds_for_continuation_too(monkeypatch):
    share = len(encode(KEPT)) / (len(encode(WRONG)) + 1)
    synthesis = {"locate": "judge", "transition": "own", "prefix_check": "require"}
    for least, reason in ((share - 0.01, None), (share + 0.01, "prefix_too_short")):
        engine = ScriptedEngine()
        attempt, _ = construct(monkeypatch, engine, synthesis={**synthesis, "min_prefix_fraction": least})
        assert attempt.record.reason == reason
        assert bool(engine.prompts) == (reason is None)  # nothing that is sampled could make it longer


def test_a_prompt_that_leaves_no_room_is_not_sent(monkeypatch):
    engine = ScriptedEngine()
    attempt, _ = construct(monkeypatch, engine, max_model_len=60, synthesis={"locate": "judge", "transition": "own"})
    assert attempt.record.reason == "does_not_fit"
    assert engine.prompts == engine.choices == []


def test_a_request_that_fails_costs_its_attempt_alone(monkeypatch):
    class Broken(ScriptedEngine):
        async def generate(self, prompt_ids, max_tokens):
            raise RuntimeError("server down")

    attempt, report = construct(monkeypatch, Broken(), synthesis={"locate": "judge", "transition": "own"})
    assert attempt.record.reason == "request_failed"
    assert (report.attempts, report.parsed) == (1, 0)


def test_the_end_of_a_paragraph_is_the_token_that_the_tokenizer_makes_of_it(monkeypatch):
    tokenizer = tokenizer_of("byte_level")
    for name, value in (("TOKENIZER", tokenizer), ("EOS", tokenizer.eos_token_id)):
        monkeypatch.setitem(globals(), name, value)
    monkeypatch.setitem(globals(), "encode", lambda text: tokenizer.encode(text, add_special_tokens=False))
    wrong = "2x = 8\nSo the final answer is \\boxed{3}."
    engine = ScriptedEngine(chosen="2].")
    attempt, _ = construct(monkeypatch, engine, wrong=wrong, synthesis={"locate": "judge", "transition": "own"})
    row = attempt.trajectory
    assert row.text == wrong + "\n\n" + GOES_ON
    # "}." is one token and "}.\n\n" another: y⁻'s own last token gives way.
    assert row.prefix_length == len(encode(wrong)) - 1
    assert row.response_ids == [*encode(wrong + "\n\n" + GOES_ON), EOS]


def test_a_step_that_no_token_ends_with_is_one_with_the_next(monkeypatch):
    """As in Qwen's vocabulary, one token is the end of a sentence and the bracket behind it."""
    tokenizer = byte_level_bpe()
    tokenizer.add_tokens(["。（"])
    monkeypatch.setitem(globals(), "TOKENIZER", tokenizer)
    monkeypatch.setitem(globals(), "encode", lambda text: tokenizer.encode(text, add_special_tokens=False))
    wrong = "2x=8。（x=3）因此3。答案是 \\boxed{3}。"
    engine = ScriptedEngine(chosen="1].")
    attempt, _ = construct(monkeypatch, engine, wrong=wrong, synthesis={"locate": "judge", "transition": "own"})
    asked, choices = engine.choices[0]
    assert choices == ["1].", "2]."] and "[1] 2x=8。（x=3）因此3。\n[2] 答案是" in asked
    assert attempt.record.reason is None and attempt.trajectory.text.startswith("2x=8。（x=3）因此3。")
