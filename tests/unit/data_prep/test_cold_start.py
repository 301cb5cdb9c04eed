"""The cold-start builder's rows and report, with an engine that answers by a rule."""

import re
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cold_start_engine import RECONSTRUCTION, RIGHT, SUFFIX, TAGGED, WRONG, engine
from fake_sampler import FakeSampler, write_queries
from small_tokenizer import single_bytes

from data_prep.queries import Query
from data_prep.trajectories import is_tidy
from data_prep.trajectory_store import read_constructions
from recipe_tapo.algorithm.prompts import fill_template, load_template
from recipe_tapo.errors import InputError
from recipe_tapo.records.store import ResultStore
from recipe_tapo.sampling.requests import Response


def test_a_trajectory_gives_one_row_of_each_format(build):
    ((sft, ift), report) = build(engine([3]), [3])
    if sft["format"] == "ift":
        sft, ift = ift, sft
    assert sft["messages"] == [
        {"role": "user", "content": f"Question 0? {SUFFIX}"},
        {"role": "assistant", "content": RECONSTRUCTION},
    ]
    # The project's own prompt with the raw question, without the suffix.
    prompt = fill_template(load_template(), question="Question 0?", error_rollout=WRONG, correct_rollout=RIGHT)
    assert ift["messages"] == [{"role": "user", "content": prompt}, {"role": "assistant", "content": TAGGED}]
    assert (sft["format"], ift["format"]) == ("sft", "ift")
    assert not sft["fill_up"] and not ift["fill_up"]
    assert report["rows"] == {
        "sft": {"asked": 30000, "trajectories": 1, "fill_up": 0},
        "ift": {"asked": 15000, "trajectories": 1},
        "total": 2,
    }


def test_every_query_is_accounted_for(build, capsys):
    plan = [3, 0, 8, 3, 3, 3, 3, 3]
    outputs = {
        3: TAGGED.replace("boxed{5}", "boxed{6}"),
        4: "<analysis>the second step</analysis>",
        5: Response(failure="does_not_fit", prompt_tokens=9),
        6: Response(failure="InternalServerError: boom"),
        7: Response(TAGGED[:-30], "length"),
    }
    rows, report = build(engine(plan, lambda number: outputs.get(number, TAGGED)), plan)
    assert report["queries"] == 8
    assert report["ineligible"] == {
        "repeated_prompt": 0,
        "no_complete_response": 0,
        "no_right_response": 1,
        "no_wrong_response": 1,
    }
    assert report["constructions"] == {
        "attempted": 6,
        "parsed": 2,
        "verified_right": 1,
        "rejected": {"does_not_fit": 1, "missing_tag": 1, "request_failed": 1, "truncated": 1, "wrong_answer": 1},
    }
    assert {row["messages"][-1]["content"] for row in rows} == {RECONSTRUCTION, TAGGED}
    out = capsys.readouterr().out
    assert "44998 rows fewer than asked for" in out
    for line in ("- wrong_answer 1 17%", "trajectories verified right 1 17%", "sft rows 1 of 30000 asked for"):
        assert line in [" ".join(text.replace("│", " ").split()) for text in out.splitlines()]


@pytest.mark.parametrize("golds", [["5", "5", "5"], ["5", "5.0", "5"]])
def test_a_prompt_that_occurs_again_counts_once(build, tmp_path, capsys, golds):
    write_queries(tmp_path / "train.parquet", golds, SUFFIX)
    table = pq.read_table(tmp_path / "train.parquet")
    prompts = table["prompt"].to_pylist()
    repeated = pa.array([prompts[0], prompts[0], prompts[2]], table["prompt"].type)
    pq.write_table(table.set_column(table.column_names.index("prompt"), "prompt", repeated), tmp_path / "train.parquet")
    # Question 0 is sampled for both of its rows.
    rows, report = build(engine([3, 0, 3]), golds)
    assert Counter(row["format"] for row in rows) == {"sft": 2, "ift": 2}
    assert len({str(row["messages"]) for row in rows}) == 4
    assert (report["queries"], report["ineligible"]["repeated_prompt"]) == (3, 1)
    assert report["constructions"]["attempted"] == report["constructions"]["verified_right"] == 2
    assert "- repeated_prompt 1" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_responses_that_were_cut_off_are_no_material(build):
    cut = {"Question 0?": [Response(WRONG, "length"), Response(RIGHT, "stop"), Response(failure="boom")]}
    cut["Question 1?"] = [Response(WRONG, "length"), Response(RIGHT, "length"), Response(failure="boom")]

    def answer(prompt: str, _: int) -> Response:
        return cut[re.search(r"Question \d\?", prompt).group()].pop(0)

    plan = [0, 0]
    with pytest.raises(InputError, match="there is not one row"):
        build(FakeSampler(answer), plan, "--n", "3")


def test_a_blank_response_is_no_wrong_one(build):
    answers = ["", " \n", RIGHT]

    def answer(prompt: str, _: int) -> str:
        return TAGGED if "# Role" in prompt else answers.pop(0)

    with pytest.raises(InputError, match="there is not one row"):
        build(FakeSampler(answer), [1], "--n", "3")
    assert answers == []


def test_prefix_is_measured_and_can_be_required(build):
    # RECONSTRUCTION repeats "Step one. Bad step. " (20 letters, each a token) of WRONG (29).
    plan = [3, 3]
    anew = TAGGED.replace("Step one. Bad step. Wait.", "Anew.")
    sampler = engine(plan, lambda number: anew if number else TAGGED)
    rows, report = build(sampler, plan, "--min_prefix_fraction", "0.5")
    assert report["preserved_prefix"] == {"mean": 20 / 29 / 2, "median": 20 / 29 / 2, "none": 1}
    assert report["unfit"] == {"both/prefix_too_short": 1}
    assert len(rows) == 2


def test_a_right_answer_alone_is_no_trajectory(build, capsys):
    plan = [3, 3]
    new = len(RECONSTRUCTION) - 20  # letters, each a token, behind "Step one. Bad step. "
    rows, report = build(engine(plan), plan, "--min_new_tokens", str(new), name="enough")
    assert report["unfit"] == {} and sum(row["format"] == "sft" for row in rows) == 2
    with pytest.raises(InputError, match="there is not one row"):
        build(engine(plan), plan, "--min_new_tokens", str(new + 1), name="too_little")
    assert "unfit for both/too_little_new" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("suffix", "leaks"), [(SUFFIX, True), (f"Write as the reference solution does. {SUFFIX}", False)]
)
def test_what_the_prompt_says_may_be_said_again(build, tmp_path, suffix, leaks):
    write_queries(tmp_path / "train.parquet", ["5", "5"], suffix)
    talk = TAGGED.replace("Wait.", "Wait, the reference solution has another step.")
    rows, report = build(engine([3, 3], lambda number: talk if number else TAGGED), [3, 3])
    assert report["constructions"]["rejected"] == ({"leak": 1} if leaks else {})
    assert len(rows) == (2 if leaks else 4)


def test_a_prompt_with_an_earlier_answer_is_refused_before_anything_is_sampled(build, tmp_path):
    rows = write_queries(tmp_path / "train.parquet", ["5", "5"], SUFFIX)
    rows[1]["prompt"] = [*rows[1]["prompt"], {"role": "assistant", "content": "5"}, *rows[1]["prompt"]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    sampler = engine([3, 3])
    with pytest.raises(InputError, match="row 2 has an earlier answer in its prompt"):
        build(sampler, [3, 3])
    assert not (tmp_path / "out" / "responses.jsonl").exists()


@pytest.mark.parametrize(
    ("error", "answer", "length", "fraction"),
    [
        (f" {WRONG}\n", RECONSTRUCTION, 20, 20 / 29),
        (WRONG, WRONG, 29, 1.0),
        ("", "x \\boxed{5}", 0, 0.0),
        *(("abcde", "abcde"[:kept] + "x \\boxed{5}", kept, kept / 5) for kept in range(5)),
    ],
)
def test_the_prefix_is_counted_in_tokens_of_the_wrong_response(error, answer, length, fraction, tmp_path):
    text = TAGGED.replace(RECONSTRUCTION, answer)
    row = {"query": "q", "reason": None, "error": error, "correct": RIGHT, "text": text, "finish_reason": "stop"}
    with ResultStore(tmp_path / "constructions.jsonl", ("query",), {"kind": "constructions", "total": 1}) as store:
        store.add([row | {"trajectory": answer}])
    query = Query("q", [{"role": "user", "content": "?"}], "5", "", {})
    [(_, result)] = read_constructions(tmp_path / "constructions.jsonl", [query], single_bytes())
    assert (result["prefix_length"], result["prefix_fraction"]) == (length, fraction)
    assert result["prefix_text"] == answer[:length]


def test_sizes_are_kept_and_formats_share_as_little_as_the_yield_allows(build):
    plan = [3] * 6
    rows, report = build(engine(plan), plan, "--sft_size", "3", "--ift_size", "2")
    assert Counter(row["format"] for row in rows) == {"sft": 3, "ift": 2}
    # Five rows of six trajectories: all different.
    assert len({row["query"] for row in rows}) == 5
    rows, report = build(engine(plan), plan, "--sft_size", "5", "--ift_size", "3")
    # Eight rows of six trajectories: two are in both.
    assert len({row["query"] for row in rows}) == 6
    assert report["rows"]["total"] == 8


def test_fill_up_takes_right_responses_of_queries_without_a_trajectory(build):
    plan = [3, 8, 8, 0, 3]
    sampler = engine(plan, lambda number: TAGGED if number == 0 else "no tags")
    sizes = ("--sft_size", "3", "--ift_size", "0")
    rows, report = build(sampler, plan, *sizes)
    assert len(rows) == 1
    rows, report = build(sampler, plan, *sizes, "--fill_up")
    assert report["rows"]["sft"] == {"asked": 3, "trajectories": 1, "fill_up": 2}
    filled = [row for row in rows if row["fill_up"]]
    assert [row["messages"][1]["content"] for row in filled] == [RIGHT, RIGHT]
    asked = {row["messages"][0]["content"] for row in filled}
    # Right only (1, 2), or its construction failed (4); never the one whose responses are all wrong (3).
    assert asked < {f"Question {number}? {SUFFIX}" for number in (1, 2, 4)} and len(asked) == 2


def test_rows_that_training_could_not_take_are_left_out(build):
    plan = [3]
    # The synthesis prompt has hundreds of words, the question three: only the IFT row is too long.
    rows, report = build(engine(plan), plan, "--max_row_tokens", "100")
    assert [row["format"] for row in rows] == ["sft"]
    assert report["unfit"] == {"ift/too_long": 1}


def test_what_a_server_does_not_count_the_tokenizer_does(build):
    def uncounted() -> FakeSampler:
        answer = engine([3, 8]).answer
        return FakeSampler(lambda prompt, seed: Response(answer(prompt, seed), "stop"))

    # A letter is a token: the question has 19, a right response 29, the output with its tags 133.
    question, right, output = len(f"Question 0? {SUFFIX}"), len(RIGHT), len(TAGGED)
    assert (question, right, output) == (19, 29, 133)
    fits = question + output + 16
    for limit, left_out in ((fits, {"ift/too_long": 1}), (fits - 1, {"ift/too_long": 1, "sft/too_long": 1})):
        rows, report = build(uncounted(), [3, 8], "--max_row_tokens", str(limit), "--fill_up", name=f"out{limit}")
        assert report["unfit"] == left_out
        assert sum(row["fill_up"] for row in rows) == 1
    with pytest.raises(InputError, match="there is not one row"):
        build(uncounted(), [3, 8], "--max_row_tokens", str(question + right + 15), "--fill_up", name="none")


@pytest.mark.parametrize(
    ("output", "tidy"),
    [
        (TAGGED, True),
        (f"\n{TAGGED}\n", True),
        (f"Sure!\n{TAGGED}", False),
        (f"{TAGGED} Done.", False),
        (TAGGED[TAGGED.index("<reconstruction>") :], False),
    ],
)
def test_only_the_bare_format_teaches_the_format(build, output, tidy):
    assert is_tidy(output) == tidy
    rows, report = build(engine([3], lambda _: output), [3])
    assert Counter(row["format"] for row in rows) == ({"sft": 1, "ift": 1} if tidy else {"sft": 1})
    assert report["unfit"] == ({} if tidy else {"ift/untidy_output": 1})
