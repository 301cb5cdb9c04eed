"""A resumed run's dump holds each step once."""

import torch
from small_tokenizer import TOKENIZER, letters

from recipe_tapo.records.attempts import AttemptDump, AttemptRecord, read_dump
from recipe_tapo.records.dump_folder import set_aside
from recipe_tapo.records.token_weights import join_weights, read_weights, write_weights
from recipe_tapo.report.construction_view import constructions_data


def do_steps(folder, steps, uid):
    """Two rollout workers and the trainer, as they write one attempt each and its weights."""
    writers = AttemptDump(folder), AttemptDump(folder)
    for step in steps:
        for number, writer in enumerate(writers):
            key = f"{uid}{step}{number}_8_0"
            writer.write(AttemptRecord(step, f"{uid}{step}{number}", "q", "e", "c", reconstruction="x=4", key=key))
            rows = [
                torch.nested.nested_tensor([torch.tensor(row)], layout=torch.jagged)
                for row in (letters("x=4"), [1.0] * 3)
            ]
            write_weights(folder, TOKENIZER, step, [key], [uid], *rows)


def test_a_run_that_resumes_at_a_step_replaces_the_later_ones(tmp_path):
    do_steps(tmp_path, range(1, 13), "first")
    assert set_aside(tmp_path, 9) == 4 * 3  # steps 9 to 12: two writers' attempts and the weights
    do_steps(tmp_path, range(9, 11), "second")

    records = list(read_dump(tmp_path))
    assert [record["step"] for record in records] == [step for step in range(1, 11) for _ in range(2)]
    assert {record["uid"][:5] for record in records if record["step"] >= 9} == {"secon"}
    assert len(list(read_weights(tmp_path))) == 20
    assert all(row["weights"] == [1.0] * 3 for row in join_weights(records, tmp_path))
    assert constructions_data(tmp_path, room=10**6)["attempts"] == 20


def test_nothing_is_lost_and_a_second_resume_has_a_place_of_its_own(tmp_path):
    for _ in range(2):
        do_steps(tmp_path, [1, 2], "again")
        assert set_aside(tmp_path, 2) == 3
    for number in "12":
        assert [record["step"] for record in read_dump(tmp_path / "replaced" / number)] == [2, 2]


def test_what_is_no_steps_file_stays(tmp_path):
    for name in ("notes.jsonl", "weights-x.jsonl", "3.txt"):
        (tmp_path / name).write_text("")
    assert set_aside(tmp_path, 0) == 0
    assert set_aside(tmp_path / "missing", 1) == 0
    assert len(list(tmp_path.iterdir())) == 3


def test_the_trainer_sets_aside_before_anything_is_asked(tmp_path, monkeypatch):
    from recipe_tapo.config import TapoConfig
    from recipe_tapo.engine.trainer import PPOTrainer, TapoTrainer

    do_steps(tmp_path, [4, 5], "first")
    seen = []

    def reissue(trainer):
        seen.append([record["step"] for record in read_dump(tmp_path)])
        return 3

    monkeypatch.setattr(PPOTrainer, "_reissue_inflight_prompts", reissue)
    trainer = object.__new__(TapoTrainer)
    trainer.tapo, trainer.global_steps = TapoConfig(dump_dir=str(tmp_path)), 5
    assert trainer._reissue_inflight_prompts() == 3
    assert seen == [[4, 4]]
