"""Cold-started models: the question filter, what is measured of them, and the commands that make both."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch

from examples.arithmetic.problems import (
    ChainProblem,
    is_right,
    make_problems,
    write_solution,
)
from examples.cpu_demo import cold_start, criteria, questions, zpd
from examples.cpu_demo.model import build_model
from examples.cpu_demo.quality import is_eligible
from examples.cpu_demo.regime import REGIMES
from examples.cpu_demo.tokenizer import build_tokenizer

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


def test_zpd_keeps_what_is_sometimes_right():
    # Rightly answered 0, 1, … 8 times of eight, by the start value: 0 and 8 of 8 fall outside [0.125, 0.875].
    sampler = ScriptedSampler(lambda problem: min(problem.start, 8))
    kept, tried = zpd.zpd_problems(sampler, 40, 3, STUDY)
    candidates = make_problems(tried, "train", 3, STEPS)
    assert [problem for problem, _ in kept] == [problem for problem in candidates if 1 <= problem.start <= 7]
    assert all(accuracy == problem.start / 8 for problem, accuracy in kept)
    assert len(kept) == 40


def test_zpd_gives_up_on_an_unfit_model():
    with pytest.raises(ValueError, match=r"only 0 of 40 questions lie in \[0.125, 0.875\]"):
        zpd.zpd_problems(ScriptedSampler(lambda problem: 8), 2, 0, STUDY)


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
