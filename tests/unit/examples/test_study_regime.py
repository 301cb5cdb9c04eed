"""The study's setting: longer problems, the question filter, the criteria and the commands' interface."""

import json
import random
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from examples.arithmetic.problems import (
    FACTS,
    REFLECTION,
    ChainProblem,
    apply,
    first_wrong_line,
    is_right,
    make_problems,
    write_solution,
)
from examples.cpu_demo import cold_start, criteria, questions, zpd
from examples.cpu_demo.cold_start_examples import (
    ift_example,
    micro_reflective,
    own_finish,
    reconstruct,
    self_teacher_example,
    sft_example,
    tagged_output,
    wrong_and_right,
)
from examples.cpu_demo.cold_start_training import train_step
from examples.cpu_demo.generation import render_question
from examples.cpu_demo.model import build_model
from examples.cpu_demo.quality import is_eligible, is_formatted
from examples.cpu_demo.regime import REGIMES, Phase
from examples.cpu_demo.teacher import Teacher
from examples.cpu_demo.tokenizer import build_tokenizer
from examples.study.start import COMMITTED

STUDY = REGIMES["study"]
STEPS = STUDY.teacher.steps


class ScriptedSampler:
    """Answers every question rightly in ``right(problem)`` of each eight samples; greedily rightly."""

    def __init__(self, right):
        self.right, self.calls, self.asked = right, 0, {}

    def __call__(self, prompts, max_tokens, greedy):
        self.calls += 1
        texts = []
        for prompt in prompts:
            if not prompt.startswith("Compute ") or "\n" in prompt:
                texts.append("no tags")
                continue
            problem = ChainProblem.parse(prompt)
            turn = self.asked.get(problem, 0)
            self.asked[problem] = turn + (not greedy)
            wrong = not greedy and turn % 8 >= self.right(problem)
            lines = problem.right_lines()
            texts.append(write_solution(lines, (problem.answer + wrong) % 13))
        return texts


def test_the_demo_keeps_its_setting():
    assert REGIMES["demo"].teacher == Teacher(seed=0, steps=4, easy_share=0.6, hard_reliability=(0.2, 0.65))
    assert [phase.steps for phase in REGIMES["demo"].schedule] == [300, 300]


def test_hard_facts_are_more_often_wrong_than_right():
    hard = [fact for fact in FACTS if STUDY.teacher.reliability[fact] != STUDY.teacher.easy_reliability]
    assert len(hard) == 156 - round(STUDY.teacher.easy_share * 156)
    assert all(STUDY.teacher.reliability[fact] < 0.5 for fact in hard)
    assert all(STUDY.teacher.distractor[fact] != apply(*fact) for fact in hard)


def test_problems_have_the_regimes_steps_and_disjoint_splits():
    train, val = make_problems(3000, "train", 0, STEPS), make_problems(500, "val", 0, STEPS)
    assert {len(problem.steps) for problem in [*train, *val]} == {STEPS}
    assert not set(train) & set(val)
    assert make_problems(100, "train", 0, STEPS) == train[:100]
    assert all(ChainProblem.parse(problem.question) == problem for problem in val)


def test_long_problems_are_read_to_their_last_step():
    # 1+1=2, *2=4, *2=8, +6=14=1, +5=6, *2=12, +1=13=0
    problem = ChainProblem(1, (("+", 1), ("*", 2), ("*", 2), ("+", 6), ("+", 5), ("*", 2), ("+", 1)))
    assert problem.values == [1, 2, 4, 8, 1, 6, 12, 0]
    wrong = write_solution([*problem.right_lines()[:6], "12+1=1"], 1)
    assert first_wrong_line(problem, wrong) == (6, 6)
    assert micro_reflective(problem, wrong) == write_solution(
        [*problem.right_lines()[:6], "12+1=1", REFLECTION, "12+1=0"], 0
    )
    assert first_wrong_line(problem, write_solution(problem.right_lines(), 3)) == (7, 7)
    assert is_formatted(wrong, 7)
    assert not is_formatted(write_solution(problem.right_lines()[:6], 12), 7)


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
    value = always.distractor[(4, "*", 2)]
    assert lines[0] == f"4*2={value}"
    assert answer == always.distractor[(value, "+", 3)]


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


def test_zpd_keeps_what_is_sometimes_right():
    # Rightly answered 0, 1, … 8 times of eight, by the start value: 0 and 8 of 8 fall outside [0.125, 0.875].
    sampler = ScriptedSampler(lambda problem: min(problem.start, 8))
    kept, tried = zpd.zpd_problems(sampler, 40, seed=3, steps=STEPS, max_tokens=64)
    candidates = make_problems(tried, "train", 3, STEPS)
    assert [problem for problem, _ in kept] == [problem for problem in candidates if 1 <= problem.start <= 7]
    assert all(accuracy == problem.start / 8 for problem, accuracy in kept)
    assert len(kept) == 40


def test_zpd_gives_up_on_an_unfit_model():
    with pytest.raises(ValueError, match=r"only 0 of 40 questions lie in \[0.125, 0.875\]"):
        zpd.zpd_problems(ScriptedSampler(lambda problem: 8), 2, seed=0, steps=STEPS, max_tokens=64)


def test_measure_by_hand():
    # Start values below 6 are answered rightly 3 times of 8 (eligible), others 6 times (in the zone, not eligible).
    numbers = criteria.measure(
        ScriptedSampler(lambda problem: 3 if problem.start < 6 else 6), build_tokenizer(), STUDY, questions=32, seed=1
    )
    val, train = make_problems(32, "val", 1, STEPS), make_problems(32, "train", 1, STEPS)
    low = sum(problem.start < 6 for problem in train)
    assert numbers["greedy_accuracy"] == 1.0
    assert numbers["sampled_accuracy"] == sum(3 if problem.start < 6 else 6 for problem in val) / (8 * 32)
    assert numbers["questions_in_zpd"] == 1.0
    assert numbers["zpd_groups_eligible"] == low / 32
    assert numbers["construction_attempts"] == 4 * low
    assert numbers["constructions_parsed"] == 0.0
    # Six tokens a line, three for the answer line and the end token.
    assert numbers["response_length_mean"] == 6 * STEPS + 4
    assert [is_eligible(count) for count in range(9)] == [False, False, True, True, True] + [False] * 4


def test_judge_names_what_is_missed():
    numbers = {
        "greedy_accuracy": 0.4,
        "sampled_accuracy": 0.46,
        "zpd_groups_eligible": 0.5,
        "right_given_parsed": 0.6,
        "response_length_p99_share": 0.7,
    }
    assert [name for name, holds in criteria.which_hold(numbers).items() if not holds] == ["sampled_accuracy"]


def test_data_needs_the_checkpoint_that_filters(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        questions.main(["--regime", "study", "--output_dir", str(tmp_path)])
    assert stop.value.code == 2
    assert "--model is None" in capsys.readouterr().err


def test_data_of_the_study_is_filtered_and_repeatable(tmp_path, monkeypatch):
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    cold_start.save(build_model(tokenizer), tokenizer, tmp_path / "model")
    monkeypatch.setattr("examples.cpu_demo.generation.hf_sampler", lambda *_: ScriptedSampler(lambda problem: 4))
    for name in ("one", "two"):
        arguments = ["--regime", "study", "--model", str(tmp_path / "model"), "--output_dir", str(tmp_path / name)]
        questions.main([*arguments, "--train_size", "12", "--val_size", "4", "--seed", "5"])
    for split, size in (("train", 12), ("val", 4)):
        rows = pq.read_table(tmp_path / "one" / f"{split}.parquet").to_pylist()
        problems = [ChainProblem.parse(row["extra_info"]["question"]) for row in rows]
        assert problems == make_problems(size, split, 5, STEPS)
        assert rows == pq.read_table(tmp_path / "two" / f"{split}.parquet").to_pylist()
        assert all(is_right(p, write_solution(p.right_lines(), p.answer)) for p in problems)


def test_cold_start_writes_its_quality(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cold_start, "train", lambda *_: None)
    monkeypatch.setattr(cold_start, "hf_sampler", lambda *_: ScriptedSampler(lambda problem: 3))
    threads = torch.get_num_threads()
    arguments = ["--regime", "study", "--seed", "2", "--report_questions", "8", "--output_dir", str(tmp_path / "model")]
    cold_start.main(arguments)
    torch.set_num_threads(threads)
    record = json.loads((tmp_path / "model" / "quality.json").read_text())
    assert record["seed"] == 2
    assert record["sampled_accuracy"] == 3 / 8
    assert record["criteria"]["sampled_accuracy"]
    assert not record["criteria"]["greedy_accuracy"]
    assert "MISSED" in capsys.readouterr().out


def start_from(start, folder, monkeypatch):
    """Makes a starting model without training it; returns its schedule and its record."""
    seen = []
    monkeypatch.setattr(cold_start, "train", lambda *arguments: seen.append(arguments[-1]))
    monkeypatch.setattr(cold_start, "hf_sampler", lambda *_: ScriptedSampler(lambda problem: 3))
    threads = torch.get_num_threads()
    arguments = ["--regime", "study", "--start", start, "--report_questions", "8"]
    cold_start.main([*arguments, "--output_dir", str(folder / start)])
    torch.set_num_threads(threads)
    return seen[0], json.loads((folder / start / "quality.json").read_text())


def test_the_base_model_sees_no_synthesis_prompt(tmp_path, monkeypatch):
    schedule, record = start_from("base", tmp_path, monkeypatch)
    assert [phase.ift for phase in schedule] == [0] * len(STUDY.schedule)
    assert [phase.sft for phase in schedule] == [phase.sft for phase in STUDY.schedule]
    assert (record["start"], record["criteria"]) == ("base", {})


def test_opsds_start_adds_its_prompt_to_the_cold_start_and_has_to_know_it(tmp_path, monkeypatch):
    schedule, record = start_from("opsd_start", tmp_path, monkeypatch)
    assert [replace(phase, self_teacher=0) for phase in schedule] == list(STUDY.schedule)
    assert all(phase.self_teacher == 12 for phase in schedule)
    # The scripted sampler knows questions only, not the prompt.
    assert record["right_when_shown"] == 0.0
    assert record["criteria"].keys() == criteria.CRITERIA.keys() | {"right_when_shown"}
    assert record["criteria"]["right_when_shown"] is False


def test_a_shown_solution_counts_when_it_is_used():
    def copies(prompts, max_tokens, greedy):
        return [prompt.split("that is right:\n")[1].split("\n\nNow")[0] for prompt in prompts]

    assert criteria.right_when_shown(copies, STUDY, questions=8) == 1.0


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


@pytest.mark.parametrize("folder", sorted(COMMITTED.glob("cold_start_*")), ids=lambda folder: folder.name)
def test_committed_models_satisfy_the_criteria_and_know_the_templates(folder):
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2.5e6
    record = json.loads((folder / "quality.json").read_text())
    assert record["regime"] == "study"
    assert folder.name == f"cold_start_{record['seed']}"
    assert criteria.which_hold(record) == dict.fromkeys(criteria.CRITERIA, True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # A template edited after the cold start would silently become hundreds of byte tokens.
    assert tokenizer.get_vocab() == build_tokenizer().get_vocab()
    assert AutoModelForCausalLM.from_pretrained(folder).get_input_embeddings().num_embeddings == len(tokenizer)
