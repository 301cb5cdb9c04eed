"""``tapo preview`` with a scripted policy: sampling, selection, constructions, table, page."""

import asyncio
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scripted_policy import ScriptedPolicy
from small_tokenizer import TOKENIZER, encode

from recipe_tapo.cli import main, preview
from recipe_tapo.config import TapoConfig
from recipe_tapo.construction.constructor import Constructor
from recipe_tapo.grading.pool import GraderUnavailable, shared_pool
from recipe_tapo.preview.measure import MeasurableRow, measure
from recipe_tapo.preview.summary import Summary, advice
from recipe_tapo.preview.table import table_lines
from recipe_tapo.preview.variants import files_read, make_variant

RIGHT = "2x = 8\nx = 4\nFinal Answer: \\boxed{4}"
WRONG = "2x = 8\nx = 3\nFinal Answer: \\boxed{3}"
GOES_ON = "Wait, 8 divided by 2 is 4.\nSo x = 4.\nFinal Answer: \\boxed{4}"


class Policy(ScriptedPolicy):
    """Half of the rollouts are right; ``broken`` fails to construct."""

    broken = False

    async def generate(self, prompt_ids, sampling, seed=None):
        if seed is not None:
            self.answers = {"": RIGHT if len(self.asked) % 2 else WRONG}
        elif self.broken:
            raise RuntimeError("no answer")
        else:
            self.answers = {"<reconstruction>": "I cannot do that.", "": GOES_ON}
        return await super().generate(prompt_ids, sampling, seed)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        TOKENIZER, "apply_chat_template", lambda messages, **_: messages[-1]["content"] + "\n", raising=False
    )

    def write(behind_the_last, gold):
        rows = [
            {"prompt": [{"role": "user", "content": f"2x={n}? Box it.{behind_the_last if n else ''}"}],
             "reward_model": {"ground_truth": gold}, "data_source": "t", "extra_info": {"question": f"2x={n}?"}}
            for n in range(2)
        ]  # fmt: skip
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")

    def run(policy, *flags, long="", gold="4"):
        write(f" {long}" if long else "", gold)
        monkeypatch.setattr(preview, "make_policy", lambda args: policy)
        arguments = (
            ["preview", "--model", "m", "--input", str(tmp_path / "train.parquet"), "--output", str(tmp_path / "out"),
             "--n", "4", "--batch", "8", "--set", "synthesis.min_new_tokens=5", "synthesis.temperature=0.5",
             "selection.n_pos=2", "selection.n_neg=2", "selection.m_max=2", *flags]
        )  # fmt: skip
        monkeypatch.setattr("sys.argv", ["tapo", *arguments])
        main.main()
        return capsys.readouterr().out

    yield run
    shared_pool().close()


def test_both_modes_stand_side_by_side_and_the_sentence_says_which_one_serves(run, tmp_path):
    policy = Policy({})
    printed = run(policy)
    # Two questions with four rollouts; of each two wrong ones, constructed in two modes.
    assert [seed is not None for _, _, seed in policy.asked] == [True] * 8 + [False] * 8
    assert {sampling.temperature for _, sampling, seed in policy.asked if seed is None} == {0.5}
    cells = {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:-1]]
        for line in printed.splitlines()
        if line.startswith("│")
    }
    assert cells["attempts"] == ["4", "4"]
    assert cells["usable of attempts"] == ["0%", "100%"]
    assert cells["rejected as missing_tag"] == ["4", "0"]
    # Two rows from each of two groups; eight groups are a step.
    assert cells["constructed rows per step of 8 questions"] == ["0.0", "16.0"]
    kept, whole = len(encode("2x = 8\nx = 3\n")), len(encode(WRONG)) + 1
    assert cells["preserved prefix, mean share of y⁻"] == ["–", f"{kept / whole:.1%}"]
    assert "micro_reflective: only 0% of the attempts are usable (most often rejected: missing_tag)" in printed
    assert "needs the cold start" in printed and "tapo.synthesis.mode=continuation" in printed
    assert "continuation: this model's constructions are fit to train on." in printed
    assert "0 of 8 rollouts doubt themselves in words" in printed
    page = (tmp_path / "out" / "preview.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])["constructions"]
    assert {record["variant"] for record in data["records"]} == {"micro_reflective", "continuation"}
    assert [r["trained"] for r in data["records"] if r["variant"] == "continuation"] == [True] * 4


def test_a_second_run_asks_nothing_but_what_was_not_answered(run, capsys):
    broken = Policy({})
    broken.broken = True
    with pytest.raises(SystemExit) as ended:
        run(broken, "--variants", "continuation")
    assert ended.value.code == 1
    printed = capsys.readouterr().out
    assert "continuation: most attempts failed for reasons of the engine or the grader (request_failed)" in printed
    again = Policy({})
    run(again, "--variants", "continuation")
    assert [seed for _, _, seed in again.asked] == [None] * 4
    third = Policy({})
    run(third, "--variants", "continuation")
    assert third.asked == []


def test_another_question_in_its_row_is_asked_about_anew(run):
    run(Policy({}), "--variants", "continuation")
    other = Policy({})
    run(other, "--variants", "continuation", long="Be brief.")
    # One of the two questions has another prompt: four rollouts, and two constructions from them.
    assert [seed is not None for _, _, seed in other.asked] == [True] * 4 + [False] * 2
    other_gold = Policy({})
    printed = run(other_gold, "--variants", "continuation", gold="3")
    assert [seed is not None for _, _, seed in other_gold.asked] == [True] * 8 + [False] * 4
    assert "right, of usable" in printed


def test_results_of_another_context_are_not_taken_for_those_of_this_one(run, capsys):
    run(Policy({}), "--variants", "continuation")
    longer = Policy({})
    longer.max_model_len += 1  # as a server says that was started anew
    with pytest.raises(SystemExit):
        run(longer, "--variants", "continuation")
    assert "was made with max_model_len 4000 (now 4001)" in capsys.readouterr().err


def test_the_page_shows_the_variants_of_the_last_call(run, tmp_path):
    run(Policy({}), "--variants", "micro_reflective", "continuation")
    run(Policy({}), "--variants", "continuation", long="Be brief.")
    page = (tmp_path / "out" / "preview.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])["constructions"]
    assert {record["variant"] for record in data["records"]} == {"continuation"}


def test_an_edited_prompt_is_not_taken_for_the_one_that_was_tried(run, tmp_path, capsys):
    prompt = tmp_path / "own.txt"
    flags = ("--variants", "continuation", "--set", f"synthesis.prompt_path={prompt}", "selection.n_neg=2")
    prompt.write_text("{question} is solved so: {correct_rollout}")
    run(Policy({}), *flags)
    prompt.write_text("{question} is solved like this: {correct_rollout}")
    with pytest.raises(SystemExit):
        run(Policy({}), *flags)
    assert "continuation.jsonl: was made with files" in capsys.readouterr().err


def test_a_group_that_failed_as_a_whole_is_tried_again(run, monkeypatch):
    def fail(*_):
        raise RuntimeError("a bug")

    with monkeypatch.context() as broken:
        broken.setattr(Constructor, "_select", fail)
        with pytest.raises(SystemExit):
            run(Policy({}), "--variants", "continuation")
    again = Policy({})
    run(again, "--variants", "continuation")
    assert [seed for _, _, seed in again.asked] == [None] * 4


def test_doubts_are_those_of_usable_constructions(run, tmp_path):
    class Half(Policy):
        """Every second construction is wrong; each one doubts."""

        async def generate(self, prompt_ids, sampling, seed=None):
            ids = await super().generate(prompt_ids, sampling, seed)
            if seed is None and len(self.asked) % 2:
                return [*encode("Wait, 8 divided by 2 is 5.\nFinal Answer: \\boxed{5}"), *ids[-1:]]
            return ids

    run(Half({}), "--variants", "continuation", "--set", "keep_negatives=false", "synthesis.min_new_tokens=5",
        "selection.n_pos=2", "selection.n_neg=2", "selection.m_max=2")  # fmt: skip
    (table,) = json.loads((tmp_path / "out" / "preview.json").read_text())
    assert (table["attempts"], table["usable"], table["doubts"]) == (4, 0.5, 1.0)


@pytest.mark.parametrize(("room", "measured"), [(0, False), (1, True)])
def test_a_trajectory_that_does_not_fit_behind_the_plain_prompt_is_not_measured(room, measured):
    # A long system message is in the plain prompt alone: the synthesis prompt, shown the question, had more room.
    prompt_ids, ids = encode("Be brief. 2x=8? Box it.\n"), [*encode(GOES_ON), 0]
    policy = Policy({})
    policy.max_model_len = len(prompt_ids) + len(ids) + room
    row = MeasurableRow(prompt_ids, ids, prefix_length=0)
    assert (asyncio.run(measure(row, TapoConfig(), policy)) is not None) == measured


def test_a_measurement_that_fails_leaves_what_was_constructed_for_the_next_run(run, capsys):
    class Unmeasured(Policy):
        async def likelihood(self, token_ids, top=20):
            raise RuntimeError("no room for 20 log-probabilities")

    failing = Unmeasured({})
    with pytest.raises(SystemExit):
        run(failing, "--variants", "continuation")
    assert "the engine failed (RuntimeError: no room for 20" in capsys.readouterr().err
    again = Policy({})
    run(again, "--variants", "continuation")
    assert again.asked == []


def test_a_grader_that_does_not_work_ends_the_preview_in_one_line(run, monkeypatch, capsys):
    def broken(*_):
        raise GraderUnavailable("no process starts")

    monkeypatch.setattr("recipe_tapo.preview.policy.score_response", broken)
    with pytest.raises(SystemExit) as ended:
        run(Policy({}))
    assert ended.value.code == 2
    assert "error: cannot grade: no process starts" in capsys.readouterr().err


def test_an_engine_that_fails_ends_the_preview_in_one_line(run, capsys):
    class Failing(Policy):
        async def generate(self, prompt_ids, sampling, seed=None):
            raise RuntimeError("the engine is dead")

    with pytest.raises(SystemExit) as ended:
        run(Failing({}))
    assert ended.value.code == 2
    assert (
        "error: the engine failed (RuntimeError: the engine is dead); what it answered is kept"
        in capsys.readouterr().err
    )


def test_a_question_that_leaves_no_room_is_left_out(run, capsys, tmp_path):
    policy = Policy({})
    policy.max_model_len = len(encode("2x=1? Box it. Be brief.\n"))
    printed = run(policy, "--variants", "continuation", long="Be brief.")
    assert "1 of 2 questions leave no room for an answer and were left out." in printed
    assert "0 of 4 rollouts doubt" in printed
    policy.max_model_len = 5
    with pytest.raises(SystemExit):
        run(policy, "--variants", "continuation", "--output", str(tmp_path / "other"), long="Be brief.")
    assert "no question leaves room for an answer in 5 tokens" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["synthesis.mode=micro_reflective", 'synthesis={"locate": "answer"}'])
def test_a_setting_that_makes_another_variant_of_it_is_refused(run, capsys, setting):
    with pytest.raises(SystemExit):
        run(Policy({}), "--variants", "continuation:judge", "--set", setting)
    assert "the variant continuation:judge has" in capsys.readouterr().err


def test_files_that_come_with_the_package_are_among_the_settings():
    files = files_read(make_variant("continuation", []).tapo)
    assert set(files) == {"leak_patterns_path", "locate_prompt_path", "transitions_path"}
    assert set(files_read(make_variant("micro_reflective", []).tapo)) == {"leak_patterns_path", "prompt_path"}


def test_settings_may_be_given_in_several_places(run):
    # The fixture has --set as well: both count, so that no group is eligible.
    assert "no group is eligible" in run(Policy({}), "--set", "selection.n_neg=3", "--variants", "continuation")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--variants", "continuation:judge:own:typo"), "expected MODE[:LOCATE[:TRANSITION]]"),
        (("--set", "selection=3", "selection.n_pos=1"), "selection was set to 3 before and has no keys"),
    ],
)
def test_flags_that_say_too_much_are_refused(run, capsys, flags, says):
    with pytest.raises(SystemExit):
        run(Policy({}), *flags)
    assert says in capsys.readouterr().err


def summary(name, **values):
    fields = dict.fromkeys(Summary.__dataclass_fields__, None) | {"rejected": {}, "retried": {}, "attempts": 1}
    return Summary(**{**fields, "name": name, **values})


def test_what_was_sampled_anew_stands_before_what_was_rejected():
    made = [summary("a", retried={"leak": 2}, rejected={"leak": 1}), summary("b", retried={"truncated": 3})]
    assert table_lines(made)[-3:] == [
        ["sampled anew after leak", "2", "0"],
        ["sampled anew after truncated", "0", "3"],
        ["rejected as leak", "1", "0"],
    ]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (summary("continuation", attempts=0), "no group is eligible"),
        (summary("micro_reflective", usable=0.9, prefix=0.003), "0.3% of the wrong rollout is preserved"),
        (summary("continuation_judge_own", usable=0.9, leaks=0.2), "are not at their defaults, go back to these"),
        (summary("micro_reflective", usable=0.5, rejected={"truncated": 3, "leak": 2}), "more room where outputs"),
        (summary("micro_reflective", usable=0.5, rejected={"missing_tag": 3}), "needs the cold start for this mode"),
        (summary("full_reconstruction", usable=1.0, prefix=0.0, leaks=0.0, doubts=0.0, right=0.7), "are fit to train"),
        (summary("continuation", usable=0.9, prefix=0.5, leaks=0.0, doubts=0.1), "10% doubt anything"),
        (summary("continuation", usable=0.9, prefix=0.5, leaks=0.0, doubts=0.9, right=0.2), "20% end right"),
        (summary("micro_reflective", usable=0.9, prefix=0.4, leaks=0.0, doubts=0.8, right=0.6), "are fit to train on"),
    ],
)
def test_the_sentence_names_what_is_amiss_and_what_to_do(made, says):
    assert says in advice(made)
