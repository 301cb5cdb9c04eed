"""What ``make demo`` shows at its end."""

import argparse
from dataclasses import asdict
from io import StringIO

import pytest
from rich.console import Console

from examples.arithmetic.problems import REFLECTION
from examples.arithmetic.question_files import DATA_SOURCE
from examples.cpu_demo import cold_start, run
from examples.cpu_demo.continuing import continue_all
from examples.cpu_demo.display import modes_line, progress_line, side_by_side, summary_table, turning_records
from examples.runs.places import CHECKPOINT, check_replaceable
from recipe_tapo.records.attempts import AttemptDump, AttemptRecord

QUESTION = "Compute 8+2*1+4+1 mod 13"
PREFIX = "8+2=10\n10*1=10\n10+4=1\n1+1=4\n"
ACCURACY = f"val-core/{DATA_SOURCE}/acc/mean@1"


def record(prefix, rest, question=QUESTION, right=True):
    return AttemptRecord(
        step=1,
        uid="q",
        question=question,
        error_rollout=prefix,
        correct_rollout="",
        reconstruction=prefix + rest,
        prefix_text=prefix,
        prefix_length=len(prefix),
        right=right,
    )


def shown(panels):
    output = StringIO()
    console = Console(file=output, width=80)
    for panel in panels:
        console.print(panel)
    return output.getvalue()


def test_kept_mistakes_come_first_and_each_question_once(tmp_path):
    dump = AttemptDump(tmp_path)
    corrected = f"{REFLECTION}\n1+1=2\nFinal Answer: \\boxed{{2}}"
    # Longer, but its prefix is right: a false alarm. The half line at its end is no mistake.
    dump.write(record("3*5=2\n2*5=10\n10*1=10\n10*5=11\n11", f"{REFLECTION}\n", question="Compute 3*5*5*1*5 mod 13"))
    dump.write(record(PREFIX, corrected))
    dump.write(record(PREFIX, corrected + " "))
    dump.write(record(PREFIX, corrected, right=False))
    dump.write(record("", corrected))
    chosen = turning_records(tmp_path)
    assert [each["question"] == QUESTION for each in chosen] == [True, False]
    assert chosen[0]["reconstruction"] == PREFIX + corrected


def test_both_modes_stand_beside_each_other_and_what_is_right_in_both_comes_first():
    rewritten = [asdict(record(PREFIX, f"{REFLECTION}\n1+1={n}\n")) for n in (2, 3, 4)]
    continued = [
        record(PREFIX, f"{REFLECTION}\nelsewhere\n", right=False),
        record(PREFIX, f"{REFLECTION}\nas well\n"),
        AttemptRecord(1, "q", QUESTION, PREFIX, "", reason="locate_failed"),
    ]
    for each in continued[:2]:
        each.prefix_fraction = 0.5
    pairs = side_by_side(rewritten, continued, count=5)
    assert len(pairs) == 2
    first, second = shown(pairs[:1]), shown(pairs[1:])
    assert "1+1=3" in first and "as well" in first and "continuation, right" in first
    assert "1+1=2" in second and "elsewhere" in second and "continuation, wrong" in second
    assert "from 3 wrong rollouts whose rewriting was right: 2 usable, 1 right, 50% of" in modes_line(continued)


def test_the_demos_model_continues_wrong_rollouts(tmp_path):
    """Of the bundled model, by the project's own constructor: its own tokens kept, the fixed phrase, an answer."""
    wrong = "8+2=10\n10*1=10\n10+4=1\n1+1=4\nFinal Answer: \\boxed{4}"
    right = "8+2=10\n10*1=10\n10+4=1\n1+1=2\nFinal Answer: \\boxed{2}"
    attempt = AttemptRecord(1, "q", QUESTION, error_rollout=wrong, correct_rollout=right)
    (made,) = continue_all([asdict(attempt)], CHECKPOINT, tmp_path)
    assert made.reason is None
    assert made.prefix_text and wrong.startswith(made.prefix_text)
    assert made.reconstruction[len(made.prefix_text) :].lstrip().startswith(REFLECTION)


def test_the_table_counts_all_steps_and_averages_what_it_should():
    step = {"timing_s/step": 4.0, "timing_s/gen": 1.0, "critic/score/mean": 0.5}
    records = [
        {"step": 0, ACCURACY: 0.25},
        {
            "step": 1,
            "training/global_step": 1,
            **step,
            "timing_s/step": 40.0,
            "tapo/groups": 4,
            "tapo/eligible_groups": 1,
        }
        | {"tapo/attempts": 4, "tapo/parsed": 3, "tapo/right": 2},
        {"step": 2, "training/global_step": 2, **step, ACCURACY: 0.75, "tapo/groups": 4, "tapo/eligible_groups": 2}
        | {"tapo/attempts": 8, "tapo/parsed": 8, "tapo/right": 5},
    ]
    text = shown([summary_table(records)])
    assert "25.0% → 75.0%" in text
    assert "3 of 8 (38%)" in text
    assert "12 / 11 / 7" in text
    assert "4.0" in text and "40.0" not in text  # the first step, which compiles, is left out
    assert progress_line(records, 5) == (
        2,
        "step 2/5  sampled accuracy 0.50  eligible 2/4  constructed 8, right 5  4.0 s",
    )
    assert progress_line(records[:1], 5) == (0, "before training: 25% of held-out questions right")
    unvalidated = [{name: value for name, value in each.items() if name != ACCURACY} for each in records]
    assert "12 / 11 / 7" in shown([summary_table(unvalidated)])


def test_a_folder_of_something_else_is_not_made_anew(tmp_path, capsys):
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("years of work")
    for command in (run, cold_start):
        flag = "--work_dir" if command is run else "--output_dir"
        with pytest.raises(SystemExit) as ended:
            command.main([flag, str(tmp_path)])
        assert ended.value.code == 2
        assert f"{flag} {tmp_path}: holds other files and would be made anew" in capsys.readouterr().err
    assert thesis.read_text() == "years of work"
    parser = argparse.ArgumentParser()
    (tmp_path / "val.parquet").write_text("left by the demo")
    check_replaceable(parser, tmp_path, "--work_dir", "val.parquet")
    check_replaceable(parser, tmp_path / "new", "--work_dir", "val.parquet")
