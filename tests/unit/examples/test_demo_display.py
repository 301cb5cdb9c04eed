"""What ``make demo`` shows at its end."""

from io import StringIO

from rich.console import Console

from examples.arithmetic.problems import REFLECTION
from examples.arithmetic.question_files import DATA_SOURCE
from examples.cpu_demo.display import progress_line, summary_table, trajectory_panels
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
    panels = trajectory_panels(tmp_path, count=5)
    assert [QUESTION in shown([panel]) for panel in panels] == [True, False]
    assert "1+1=4" in shown(panels[:1]) and "1+1=2" in shown(panels[:1])


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
