"""The report without a browser: parts of a trajectory, room for texts, safe embedding, errors."""

import html.parser
import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging_cases import write_evaluation

from recipe_tapo.algorithm.doubt import expresses_doubt
from recipe_tapo.cli import main as tapo
from recipe_tapo.cli.run import run_command
from recipe_tapo.errors import InputError
from recipe_tapo.evaluation.folder import load_evaluation
from recipe_tapo.records.attempts import AttemptDump, AttemptRecord
from recipe_tapo.report.budget import MAX_CHARACTERS, choose, share_out, shorten_middle, shortened_prefix
from recipe_tapo.report.construction_view import constructions_data
from recipe_tapo.report.page import embed_json
from recipe_tapo.report.segments import split_reconstruction
from recipe_tapo.report.write import write_report

# --- parts of a trajectory ---


@pytest.mark.parametrize(
    "prefix, parts",
    [
        # The example of the paper's Fig. 2
        (
            "2x + 5 = 13\n2x = 8\nDivide by 2: x = 3\n",
            [
                ("prefix", "2x + 5 = 13\n2x = 8\nDivide by 2: x = 3\n"),
                ("reflection", "Wait, let me double-check... "),
                ("correction", "8 divided by 2 is 4, not 3.\nSo x = 4.\nFinal Answer: \\boxed{4}"),
            ],
        ),
        # Several sentences of reflection, after some new text
        (
            "2x = 8, ",
            [
                ("prefix", "2x = 8, "),
                ("bridge", "so x = 3.5. "),
                ("reflection", "Hmm, wait. That is not right! Let me re-check: 8/2 is no 3.5.\n"),
                ("correction", "x = 4"),
            ],
        ),
        ("", [("reflection", "Wait.")]),
        ("", [("correction", "2x = 8\nx = 4")]),
        ("awaiting the result\n", [("prefix", "awaiting the result\n"), ("correction", "awaited: 4")]),
        ("3×5=16。", [("prefix", "3×5=16。"), ("reflection", "等一下，让我重新算。"), ("correction", "3×5=15")]),
    ],
)
def test_a_trajectory_is_split_into_its_parts(prefix, parts):
    assert split_reconstruction("".join(text for _, text in parts), prefix) == parts


@pytest.mark.parametrize(
    "unit", [".", "!", "…", "。", "\n", " ", "a", "n", "m", "'", "wait. ", "not ", "let me re", ". "]
)
def test_splitting_takes_time_linear_in_any_text(unit):
    text = "Wait " + unit * (500_000 // len(unit))
    started = time.process_time()
    split_reconstruction(text, "")
    split_reconstruction(text + " Wait.", text[: len(text) // 2])
    assert time.process_time() - started < 2


@pytest.mark.parametrize("doubt", ["Hang on, ", "However, that should be ", "On second thought, ", "Let me go back: "])
def test_what_counts_as_a_doubt_is_shown_as_a_reflection(doubt):
    text = f"2x = 8, x = 3. {doubt}x is 4.\nx = 4"
    assert expresses_doubt(text[15:])
    assert split_reconstruction(text, text[:15])[1] == ("reflection", f"{doubt}x is 4.\n")


def test_a_prefix_that_is_none_is_not_shown_as_one():
    assert split_reconstruction("x = 4", "y") == [("correction", "x = 4")]


@given(st.text(alphabet="wait. Let me re-check\n!?x…", max_size=60), st.integers(0, 60))
def test_the_parts_make_up_the_text_in_their_order(text, cut):
    parts = split_reconstruction(text, text[:cut])
    assert "".join(part for _, part in parts) == text
    kinds = [kind for kind, _ in parts]
    assert kinds == [kind for kind in ("prefix", "bridge", "reflection", "correction") if kind in kinds]
    assert all(part for _, part in parts)


# --- room ---


def test_all_groups_keep_something_before_any_keeps_more():
    # Two of a, one of b and c: a's second comes last, and does not fit. What is too large alone makes room for others.
    assert choose("aabc", [10, 10, 10, 10], room=35) == {0, 2, 3}
    assert choose("aabc", [10, 10, 10, 10], room=40) == {0, 1, 2, 3}
    assert choose("aabc", [10, 10, 99, 10], room=35) == {0, 1, 3}
    assert choose("", [], room=0) == set()


def test_room_is_shared_only_where_there_are_both():
    assert share_out(3, True, True) == (2_000_000, 1_000_000)
    assert share_out(3, True, False) == (3_000_000, 0)
    assert share_out(3, False, True) == (0, 3_000_000)


def test_a_long_text_loses_its_middle_and_says_so():
    text = shorten_middle("a" * 30_000 + "b" * 30_000)
    assert len(text) < MAX_CHARACTERS + 60
    assert text.startswith("a" * 20_000 + "\n[… 30,000 characters left out …]\n") and text.endswith("b" * 10_000)
    assert shorten_middle("a" * MAX_CHARACTERS) == "a" * MAX_CHARACTERS


def test_what_was_kept_is_marked_as_far_as_it_is_shown():
    prefix, text = "a" * 25_000, "a" * 25_000 + "b" * 12_290
    shown = shorten_middle(text)
    assert shortened_prefix(text, prefix) == "a" * 20_000 and shown.startswith("a" * 20_000 + "\n[…")
    assert shortened_prefix(text, "a" * 500) == "a" * 500
    assert shortened_prefix("a" * 30_000, prefix) == prefix
    assert shortened_prefix("b", "a") == ""


@pytest.fixture
def evaluations(tmp_path):
    given = {("b", n): [("x" * 1000 + f" {n} {s}", s == 0) for s in range(10)] for n in range(20)}
    return [load_evaluation(write_evaluation(tmp_path / name, given)) for name in ("first", "second")]


def data_of(path):
    (block,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.DOTALL)
    return json.loads(block)


def test_a_small_page_has_all_numbers_and_the_first_texts_of_every_problem(evaluations, tmp_path):
    path = tmp_path / "report.html"
    write_report(path, evaluations, max_megabytes=0.1)
    responses = data_of(path)["responses"]
    assert len(responses) == 400
    # 100,000 bytes hold 99 texts of about 1,006 bytes: two of each of the 40 problems and models, and 19 more.
    with_text = [response for response in responses if "text" in response]
    assert len(with_text) == 99
    assert max(response["sample"] for response in with_text) == 2
    assert sum(response["sample"] < 2 for response in with_text) == 80
    small = path.stat().st_size
    write_report(path, evaluations)
    assert all("text" in response for response in data_of(path)["responses"])
    # The rest of the page is the same.
    assert path.stat().st_size - small == pytest.approx(301 * 1_006 + 301 * len(',"text":""'), rel=0.01)


def test_a_large_dump_keeps_attempts_of_every_step(tmp_path):
    dump = AttemptDump(tmp_path / "dump")
    for step in range(1, 11):
        for _ in range(step):
            dump.write(AttemptRecord(step, "u", "q" * 1000, "e", "c", reward=float("nan")))
    write_report(tmp_path / "report.html", [], tmp_path / "dump", max_megabytes=0.03)
    found = data_of(tmp_path / "report.html")["constructions"]
    assert (found["attempts"], found["steps"]) == (55, [1, 10])
    assert {record["step"] for record in found["records"]} == set(range(1, 11))
    assert 10 < len(found["records"]) < 55
    assert "reward" not in found["records"][0] or found["records"][0]["reward"] is None


# --- embedding ---


class Scripts(html.parser.HTMLParser):
    """Collects the script elements as a browser would find them."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)


@given(
    st.recursive(
        st.text() | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_embedded_json_has_no_markup_and_is_what_it_was(value):
    text = embed_json(value)
    assert text.isascii() and not set("<>&") & set(text)
    assert json.loads(text) == value


HOSTILE = "</script><script>x()</script><!--<script>\u2028\u2029{{script}} {{data}} \ud800 &lt;"


def test_hostile_texts_stay_inside_the_data(tmp_path):
    folder = write_evaluation(
        tmp_path / "<img src=x>", {(HOSTILE[:30], 0): [(HOSTILE, True)]}, question=lambda *_: HOSTILE, gold=HOSTILE
    )
    path = tmp_path / "report.html"
    write_report(path, [load_evaluation(folder)])
    page = path.read_text(encoding="utf-8")
    parser = Scripts()
    parser.feed(page)
    assert parser.tags.count("script") == 2 and "img" not in parser.tags
    data = data_of(path)
    assert data["responses"][0]["text"] == HOSTILE and data["problems"][0]["gold"] == HOSTILE


def test_the_page_refers_to_nothing_outside(evaluations, tmp_path):
    path = tmp_path / "report.html"
    write_report(path, evaluations)
    page = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["data:,"]


# --- what else is in it, and errors ---


def test_verdicts_reach_the_responses_they_belong_to(tmp_path):
    given = {("b", 0): [("right", True), ("wrong", False)]}
    folders = [write_evaluation(tmp_path / name, given, question=lambda *_: "Compute 1+3 mod 13") for name in "ab"]
    out = tmp_path / "reflection"
    tapo.run(["reflect", *map(str, folders), "--output", str(out), "--judge", "examples.arithmetic.step_judge:judge"])
    tapo.run(["report", *map(str, folders), "--reflection", str(out), "--output", str(tmp_path / "report.html")])
    data = data_of(tmp_path / "report.html")
    assert [response["verdict"]["reflection_attempted"] for response in data["responses"]] == ["no"] * 4
    assert data["reflection"]["pairs"][0]["benchmarks"]["b"]["dsr"][0]["value"] == 1.0


def test_verdicts_are_those_of_the_folder_and_not_of_another_one_of_its_name(tmp_path, monkeypatch):
    def judged(*folders, output):
        names = map(str, folders)
        tapo.run(["reflect", *names, "--output", str(output), "--judge", "examples.arithmetic.step_judge:judge"])

    given = {("b", 0): [("right", True), ("wrong", False)]}
    question = "Compute 1+3 mod 13"
    one, two, other = (
        write_evaluation(tmp_path / name, given, question=lambda *_: question) for name in ("x/a", "b", "y/a")
    )
    judged(one, two, output=tmp_path / "reflection")
    report = ["--reflection", str(tmp_path / "reflection"), "--output", str(tmp_path / "report.html")]
    with pytest.raises(InputError, match=r"y/a: is none of the folders that .*reflection judged"):
        tapo.run(["report", str(other), str(two), *report])
    # As after copying all of it from another machine, where the judged folder was.
    results = tmp_path / "reflection" / "reflection.json"
    moved = results.read_text().replace(str(one.resolve()), "/on/a/cluster/a")
    results.write_text(moved)
    tapo.run(["report", str(one), str(two), *report])
    assert all("verdict" in response for response in data_of(tmp_path / "report.html")["responses"])
    # With three models the two of one name are called otherwise than in the judge's results.
    judged(one, two, other, output=tmp_path / "reflection")
    monkeypatch.chdir(tmp_path)
    tapo.run(["report", "b", "x/a", *report])
    assert all("verdict" in response for response in data_of(tmp_path / "report.html")["responses"])


def test_a_benchmark_that_the_first_model_lacks_must_be_one_file_too(tmp_path):
    first = write_evaluation(tmp_path / "a", {("x", 0): [("", True)]})
    for change in ({"question": "{0} {1}, otherwise".format}, {"gold": "5"}):
        others = [
            write_evaluation(tmp_path / f"{next(iter(change))}{n}", {("b", 0): [("", True)]}, **options)
            for n, options in enumerate(({}, change))
        ]
        with pytest.raises(
            InputError, match=r"b: .*0 and .*1 were asked different problems; evaluate both on one file"
        ):
            write_report(tmp_path / "report.html", [load_evaluation(folder) for folder in (first, *others)])


def test_differences_are_by_problem(tmp_path):
    first = {("b", 0): [("", True), ("", False)], ("b", 1): [("", False), ("", False)]}
    second = {("b", 0): [("", True), ("", True)], ("b", 1): [("", True), ("", True)]}
    write_report(
        tmp_path / "report.html",
        [load_evaluation(write_evaluation(tmp_path / name, given)) for name, given in (("a", first), ("b", second))],
    )
    (difference,) = data_of(tmp_path / "report.html")["differences"]
    # Pass rates (1/2, 0) and (1, 1): differences 1/2 and 1, mean 3/4, standard error (1/4 * sqrt 2) / sqrt 2 = 1/4
    assert (difference["ks"][0]["unbiased"], difference["ks"][0]["unbiased_stderr"]) == (0.75, pytest.approx(0.25))
    assert [each["k"] for each in difference["ks"]] == [1, 2]
    assert (difference["better"], difference["worse"], difference["problems"]) == (2, 0, 2)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "nothing to report"),
        (["{tmp}/none"], "no such folder"),
        (["--constructions", "{tmp}/none"], "no such folder"),
        (["--constructions", "{tmp}/empty"], "holds no construction"),
        (["--constructions", "{tmp}/rollouts"], "is this trainer.rollout_data_dir?"),
        (["{tmp}/good", "--reflection", "{tmp}/empty"], "holds no reflection.json"),
        (["{tmp}/good", "{tmp}/good"], "given 2 times"),
        (["{tmp}/good", "--max_megabytes", "0"], "not above 0"),
    ],
)
def test_bad_input_ends_with_one_line_and_exit_code_2_and_leaves_the_old_file(tmp_path, capsys, arguments, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "rollouts").mkdir()
    (tmp_path / "rollouts" / "1.jsonl").write_text(
        '{"input": "q", "output": "o", "gts": "4", "score": 1.0, "step": 1}\n'
    )
    write_evaluation(tmp_path / "good", {("b", 0): [("x", True)]})
    output = tmp_path / "report.html"
    output.write_text("old")
    with pytest.raises(SystemExit) as end:
        run_command(lambda: tapo.run(["report", *(a.format(tmp=tmp_path) for a in arguments), "--output", str(output)]))
    assert end.value.code == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert output.read_text() == "old"


def test_nothing_to_report_is_said_by_the_function_too(tmp_path):
    with pytest.raises(InputError, match="nothing to report"):
        write_report(tmp_path / "report.html", [])


def test_a_long_attempt_takes_the_room_of_what_is_shown_of_it(tmp_path):
    AttemptDump(tmp_path).write(AttemptRecord(0, "u", "q", "e" * 200_000, "c"))
    (tmp_path / "2024_results.jsonl").write_text('{"of": "somebody else"}\n')
    assert len(constructions_data(tmp_path, 40_000)["records"]) == 1
    assert constructions_data(tmp_path, 20_000)["records"] == []


def test_the_attempts_of_a_preview_carry_their_variants(tmp_path):
    for variant, reason in (("a", None), ("b", "leak")):
        AttemptDump(tmp_path / variant).write(AttemptRecord(0, "u", "q", "e", "c", reconstruction="r", reason=reason))
    data = constructions_data(tmp_path, 10_000)
    assert [(r["variant"], r["trained"]) for r in data["records"]] == [("a", True), ("b", False)]


def test_an_attempt_that_was_sampled_anew_says_why(tmp_path):
    dump = AttemptDump(tmp_path)
    for retried in ([], ["leak", "too_little_new"]):
        dump.write(AttemptRecord(0, "u", "q", "e", "c", reconstruction="r", retried=retried))
    first, second = constructions_data(tmp_path, 10_000)["records"]
    assert "retried" not in first and second["retried"] == ["leak", "too_little_new"]
