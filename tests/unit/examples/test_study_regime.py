"""The study's setting: longer problems, its teacher and its examples; the committed models."""

import json
import random
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from examples.arithmetic.problems import (
    CHAINS,
    INVERSES,
    REFLECTION,
    ChainProblem,
    apply,
    first_wrong_line,
    is_right,
    offset,
    write_solution,
)
from examples.cpu_demo import criteria
from examples.cpu_demo.cold_start_examples import (
    continuing_example,
    fact_lines,
    ift_example,
    locating_example,
    own_finish,
    reconstruct,
    resuming_example,
    self_teacher_example,
    sft_example,
    tagged_output,
    wrong_and_right,
)
from examples.cpu_demo.cold_start_training import IGNORE, example_rows, train_step
from examples.cpu_demo.generation import render_question
from examples.cpu_demo.model import build_model
from examples.cpu_demo.regime import REGIMES, Phase
from examples.cpu_demo.teacher import Teacher
from examples.cpu_demo.tokenizer import build_tokenizer
from examples.study.start import COMMITTED
from recipe_tapo.construction.locators import ANSWER_BEGUN

STUDY = REGIMES["study"]


STEPS = STUDY.teacher.steps


def test_the_demo_keeps_its_setting():
    assert REGIMES["demo"].teacher == Teacher(seed=0, steps=4, easy_share=0.6, hard_reliability=(0.2, 0.65))
    assert [phase.steps for phase in REGIMES["demo"].schedule] == [300, 300]


def test_hard_facts_are_more_often_wrong_than_right():
    hard = [fact for fact in CHAINS.facts if STUDY.teacher.reliability[fact] != STUDY.teacher.easy_reliability]
    assert len(hard) == 156 - round(STUDY.teacher.easy_share * 156)
    assert all(STUDY.teacher.reliability[fact] < 0.5 for fact in hard)
    assert all(STUDY.teacher.distractors[fact][0] != apply(*fact, 13) for fact in hard)


def test_an_unverified_reconstruction_is_finished_by_the_teacher():
    # 9+5=1, *4=4, *2=8, +3=11; the attempt slips at its second step, the teacher at the corrected one's successor.
    problem = ChainProblem(9, (("+", 5), ("*", 4), ("*", 2), ("+", 3)))
    wrong = write_solution(["9+5=1", "1*4=5", "5*2=10", "10+3=0"], 0)
    finish = (["4*2=9", "9+3=12"], 12)
    own = write_solution(["9+5=1", "1*4=5", REFLECTION, "1*4=4", "4*2=9", "9+3=12"], 12)
    assert reconstruct(problem, wrong, "micro_reflective", finish) == own
    full = write_solution(["9+5=1", "1*4=4", "4*2=9", "9+3=12"], 12)
    assert reconstruct(problem, wrong, "full_reconstruction", finish) == full
    rng = random.Random(0)
    assert own_finish(rng, Teacher(unverified_share=0.0), problem, wrong) is None
    always = Teacher(unverified_share=1.0, easy_share=0.0, hard_reliability=(0.0, 0.0), flag_error=0.0)
    lines, answer = own_finish(rng, always, problem, wrong)
    value = always.distractors[(4, "*", 2)][0]
    assert lines[0] == f"4*2={value}"
    assert answer == always.distractors[(value, "+", 3)][0]


def test_the_regimes_analysis_tells_nothing_of_the_place():
    problem = ChainProblem(9, (("+", 5), ("*", 4), ("*", 2), ("+", 3)))
    wrong = write_solution(["9+5=1", "1*4=5", "5*2=10", "10+3=0"], 0)
    assert "Step 2: wrong product." in tagged_output(problem, wrong)
    assert tagged_output(problem, wrong, names_step=False).startswith("<analysis>\nOne slip.\n</analysis>")
    rng = random.Random(0)
    responses = [ift_example(rng, STUDY.teacher).response for _ in range(50)]
    assert {response.split("\n")[1] for response in responses} == {"One slip."}


def test_constructions_of_the_regimes_teacher_fail_sometimes():
    rng, right = random.Random(0), []
    for _ in range(500):
        problem, wrong, _ = wrong_and_right(rng, STUDY.teacher)
        finish = own_finish(rng, STUDY.teacher, problem, wrong)
        right.append(is_right(problem, reconstruct(problem, wrong, "micro_reflective", finish)))
    # 65 % end with the right lines, about 70 % of the others come out right as well: 0.65 + 0.35 * 0.7 = 0.9.
    assert 0.8 < sum(right) / 500 < 0.95


def test_the_tokenizer_and_the_widths_serve_the_regime():
    tokenizer, rng = build_tokenizer(), random.Random(0)
    first_byte = tokenizer.convert_tokens_to_ids("<0x00>")
    for _ in range(200):
        sft, ift = sft_example(rng, STUDY.teacher), ift_example(rng, STUDY.teacher)
        for text in (sft.prompt, sft.response, ift.prompt, ift.response):
            ids = tokenizer(text)["input_ids"]
            assert tokenizer.decode(ids) == text
            # Only the short analysis is spelled in bytes.
            assert max(tokenizer(text.replace("One slip.", ""))["input_ids"]) < first_byte
        assert len(tokenizer(render_question(tokenizer, sft.prompt))["input_ids"]) <= STUDY.max_prompt_length
        assert len(tokenizer(sft.response)["input_ids"]) < 0.85 * STUDY.max_response_length
        assert len(tokenizer(ift.response)["input_ids"]) < STUDY.max_synthesis_tokens


def test_an_example_of_opsds_prompt_shows_a_right_solution_and_answers_without_detours():
    for seed in range(20):
        example = self_teacher_example(random.Random(seed), STUDY.teacher)
        question, _, *shown, _, _ = example.prompt.split("\n")
        problem = ChainProblem.parse(question)
        assert is_right(problem, "\n".join(shown))
        assert example.response == write_solution(problem.right_lines(), problem.answer)


def test_a_step_without_synthesis_examples_trains():
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    model = build_model(tokenizer)
    losses = train_step(model, tokenizer, STUDY.teacher, random.Random(0), Phase(1, 1e-3, sft=2, ift=0, fact_rows=2))
    assert sorted(losses) == ["fact", "sft"]
    losses = train_step(model, tokenizer, STUDY.teacher, random.Random(0), Phase(1, 1e-3, sft=2, ift=1, self_teacher=2))
    assert sorted(losses) == ["ift", "self_teacher", "sft"]
    assert model.lm_head.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "folder",
    sorted(COMMITTED.glob("*/cold_start_*")),
    ids=lambda folder: f"{folder.parent.name}-{folder.name}",
)
def test_committed_models_satisfy_the_criteria_and_know_the_templates(folder):
    regime = folder.parent.name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2.5e6
    record = json.loads((folder / "quality.json").read_text())
    assert record["regime"] == regime
    assert folder.name == f"cold_start_{record['seed']}"
    wanted = criteria.criteria_of(regime, "cold_start")
    assert criteria.which_hold(record, wanted) == dict.fromkeys(wanted, True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # A template edited after the cold start would silently become hundreds of byte tokens.
    settings = REGIMES[regime]
    assert tokenizer.get_vocab() == build_tokenizer(settings.teacher.task, settings.prompts).get_vocab()
    assert AutoModelForCausalLM.from_pretrained(folder).get_input_embeddings().num_embeddings == len(tokenizer)


INVERSES_REGIME = REGIMES["inverses"]
RECOVERING_REGIME = REGIMES["inverses_recovering"]


def test_a_noticed_mistake_leads_to_another_try_that_may_fail_too():
    # Right almost never, 4/7, 2/7 and 1/7 for the three wrong values: each try is another one, the fourth is right.
    teacher = Teacher(
        task=INVERSES, easy_share=0.0, hard_reliability=(1e-9, 1e-9), flag_error=1.0, false_alarm=0.0,
        certain=("*",), wrong_values=3, tries_again=True,
    )  # fmt: skip
    fact, rng = (9, "/", 5), random.Random(0)
    firsts = [teacher.recall(fact, rng) for _ in range(7000)]
    shares = [firsts.count(value) / 7000 for value in teacher.distractors[fact]]
    assert shares == pytest.approx([4 / 7, 2 / 7, 1 / 7], abs=0.02)
    lines, value = teacher.walk(9, (("/", 5), ("*", 4)), 1.0, rng)
    assert value == 1
    assert lines[1:-1:2] == [REFLECTION] * 3
    tried = [int(text.split("=")[1].split(" ")[0]) for text in lines[:-1:2]]
    assert tried[-1] == 8
    assert sorted(tried[:-1]) == sorted(teacher.distractors[fact])
    assert lines[-1] == "8*4=1"


def test_examples_of_continuations_prompts_begin_where_construction_begins():
    rng = random.Random(0)
    for _ in range(50):
        example = continuing_example(rng, INVERSES_REGIME.teacher)
        problem = ChainProblem.parse(example.prompt.split("\n")[0])
        wrong_line = example.given.rstrip("\n").split("\n")[-1]
        assert f"That step is:\n{wrong_line}\n" in example.prompt
        assert first_wrong_line(problem, example.given)[0] == example.given.count("\n") - 1
        assert example.response.startswith(REFLECTION + "\n")
        assert wrong_line.endswith(" no")
        located = locating_example(rng, INVERSES_REGIME.teacher)
        number = int(located.response.removesuffix("]."))
        assert located.given == ANSWER_BEGUN
        (named,) = (text for text in located.prompt.split("\n") if text.startswith(f"[{number}] "))
        assert named.endswith(" no")


def test_a_second_try_is_right_as_often_as_it_is_said_to_be():
    # Right almost never at first; then 0.8 for sure and 0.2 of almost never.
    teacher = replace(RECOVERING_REGIME.teacher, easy_share=0.0, hard_reliability=(1e-9, 1e-9))
    fact, rng = (9, "/", 5), random.Random(0)
    tried = [teacher.distractors[fact][0]]
    assert sum(teacher.recall(fact, rng) == 8 for _ in range(4000)) == 0
    seconds = [teacher.recall(fact, rng, tried) for _ in range(4000)]
    assert seconds.count(8) / 4000 == pytest.approx(0.8, abs=0.02)
    assert tried[0] not in seconds


def test_examples_of_resuming_give_a_failed_try_and_a_doubt_and_show_nothing_else():
    rng, right = random.Random(0), 0
    for _ in range(200):
        example = resuming_example(rng, RECOVERING_REGIME.teacher)
        problem = ChainProblem.parse(example.prompt)  # the plain question
        *_, failed, doubt, end = example.given.split("\n")
        assert failed.endswith(" no") and (doubt, end) == (REFLECTION, "")
        first, *_ = example.response.split("\n")
        assert first.split("=")[0] == failed.split("=")[0] and first != failed
        right += first.endswith(" ok")
        assert first_wrong_line(problem, example.given)[0] == example.given.count("\n") - 2
    # 0.8 for sure, and what a first try would be right of the rest.
    assert 0.75 < right / 200 < 0.95


def test_single_facts_are_tried_again_where_there_are_second_tries():
    rng = random.Random(0)
    again = fact_lines(rng, RECOVERING_REGIME.teacher, 40)
    assert REFLECTION in again and again.count("\n") > 40
    assert all(text.endswith(" no") == (following == REFLECTION) for text, following in pairwise(again.split("\n")))
    assert REFLECTION not in fact_lines(rng, INVERSES_REGIME.teacher, 40)


def test_a_teacher_that_misses_by_little_misses_by_what_it_is_told():
    teacher = REGIMES["misses"].teacher
    for (value, _, operand), wrong in teacher.distractors.items():
        assert len(set(wrong)) == 3
        assert {abs(offset(value, operand, quotient, 31)) for quotient in wrong} <= {1, 2}


def test_a_teacher_that_never_turns_doubts_only_where_a_prompt_asks_for_it():
    teacher, rng = REGIMES["misses_never"].teacher, random.Random(0)
    assert not any(REFLECTION in sft_example(rng, teacher).response for _ in range(300))
    assert all(REFLECTION in continuing_example(rng, teacher).response for _ in range(30))


def test_only_what_is_not_given_is_learned():
    tokenizer = build_tokenizer(INVERSES, INVERSES_REGIME.prompts)
    example = continuing_example(random.Random(3), INVERSES_REGIME.teacher)
    [(ids, labels)] = example_rows(tokenizer, [example])
    learned = [token for token, label in zip(ids, labels, strict=True) if label != IGNORE]
    assert tokenizer.decode(learned, skip_special_tokens=True) == example.response
    assert example.given + example.response in tokenizer.decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize("name", ["inverses", "inverses_recovering", "misses"])
def test_the_tokenizer_and_widths_serve_the_regime(name):
    regime, rng = REGIMES[name], random.Random(0)
    tokenizer = build_tokenizer(regime.teacher.task, regime.prompts)
    first_byte = tokenizer.convert_tokens_to_ids("<0x00>")
    makers = (
        *(sft_example, ift_example, self_teacher_example, continuing_example, locating_example),
        *([resuming_example] if regime.teacher.second_try else []),
    )
    for make in makers:
        for _ in range(40):
            example = make(rng, regime.teacher)
            for text in (example.prompt, example.given + example.response):
                ids = tokenizer(text)["input_ids"]
                assert tokenizer.decode(ids) == text
                assert max(ids) < first_byte
            assert len(tokenizer(example.response)["input_ids"]) < regime.max_response_length


def test_a_visible_mistake_counts_as_doubted_where_the_next_line_doubts_it():
    # Three plainly wrong quotients, one of them doubted; a right one doubted does not count.
    texts = [
        f"9/5=6 6*5=30 no\n{REFLECTION}\n9/5=8 8*5=9 ok\n{REFLECTION}\n9/5=8 8*5=9 ok",
        "9/5=6 6*5=30 no\n6*2=12\n12/5=1 1*5=5 no\nFinal Answer: \\boxed{1}",
    ]
    assert criteria.visible_mistakes_doubted(texts) == pytest.approx(1 / 3)
    assert criteria.visible_mistakes_doubted(["9*5=14"]) == 0
