"""Training problems that overlap a benchmark."""

import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_data import NAMES, SAMPLES, assert_one_line, jsonl, prepare, run_cli, save

from data_prep import benchmarks, decontaminate, deepscaler
from data_prep.contamination import load_index, without_instruction
from data_prep.overlap import OverlapIndex
from recipe_tapo.errors import InputError


def disguise(problem: str) -> str:
    """A benchmark problem as another copy would have it: other case, spacing and LaTeX layout."""
    return problem.upper().replace(" ", "   ").replace("=", " = ").replace("\\FRAC", "\\dfrac").replace("$", " $ ")


def test_planted_problems_are_found_and_clean_ones_are_not(tmp_path, raw_benchmarks, prepared, capsys):
    planted = [disguise(row["problem"]) for name in NAMES for row in jsonl(raw_benchmarks / f"{name}.jsonl")[:3]]
    clean = json.loads((SAMPLES / "sample_deepscaler.json").read_text())[2:]
    data = clean + [{"problem": f"Exercise 7. {problem} Explain!", "answer": "1"} for problem in planted]
    rows = prepare(save(tmp_path / "in.json", data), tmp_path, "--benchmarks", str(prepared))
    assert len(rows) == len(clean) - 1
    found = [row for row in jsonl(tmp_path / "findings.jsonl") if row["finding"] == "contaminated"]
    assert [row["index"] for row in found] == list(range(len(clean), len(data)))
    assert [row["benchmark"] for row in found] == [name for name in NAMES for _ in range(3)]
    assert [row["number"] for row in found] == [0, 1, 2] * 3
    assert Counter(row["reason"] for row in jsonl(tmp_path / "rejected.jsonl"))["contaminated"] == len(planted)
    assert "Contaminated problems" in capsys.readouterr().out

    rows = prepare(tmp_path / "in.json", tmp_path, "--benchmarks", str(prepared), "--contaminated", "report")
    assert len(rows) == len(data) - 1


def test_benchmarks_in_the_save_dir_are_used_by_default(tmp_path, raw_benchmarks, capsys):
    options = ["--local_save_dir", str(tmp_path), "--no-check_gold"]
    benchmarks.main(["--local_dataset_path", str(raw_benchmarks), *options])
    problem = jsonl(raw_benchmarks / "hmmt_feb_2025.jsonl")[0]["problem"]
    source = save(tmp_path / "in.json", [{"problem": problem, "answer": "1"}, {"problem": "clean", "answer": "1"}])
    assert len(prepare(source, tmp_path)) == 1
    capsys.readouterr()
    prepare(source, tmp_path / "elsewhere")
    assert "contamination: not checked" in capsys.readouterr().out


def test_overlap_is_the_share_of_the_benchmark_problem():
    # 26 letters have 14 pieces of 13; the first half and the letter n share the pieces that begin at a and b.
    index = OverlapIndex([("letters", 0, "abcdefghijklm nopqrstuvwxyz")])
    assert index.nearest("ABCDEFGHIJKLMN!").overlap == pytest.approx(2 / 14)
    assert index.nearest("before a.b.c defghijklmnopqrstuvwxyz after").overlap == 1.0
    assert index.nearest("abcdefghijkl") is None
    assert index.nearest("$$") is None


def test_decontaminate_alone_on_sft_rows(tmp_path, raw_benchmarks, prepared, capsys):
    problem = jsonl(raw_benchmarks / "aime_2025.jsonl")[0]["problem"]
    chats = [[{"role": "user", "content": text}, {"role": "assistant", "content": "4"}] for text in ("2+2?", problem)]
    table = pa.table({"messages": chats, "weight": [1.0, 2.0]})
    pq.write_table(table, tmp_path / "sft.parquet")
    decontaminate.main(
        ["--train", str(tmp_path / "sft.parquet"), "--benchmarks", str(prepared)]
        + ["--output", str(tmp_path / "clean.parquet"), "--findings", str(tmp_path / "findings.jsonl")]
    )
    assert pq.read_table(tmp_path / "clean.parquet").equals(table.slice(0, 1))
    (finding,) = jsonl(tmp_path / "findings.jsonl")
    assert (finding["index"], finding["benchmark"], finding["overlap"]) == (1, "aime_2025", 1.0)
    assert "1 training problems overlap one of 90" in capsys.readouterr().out


def test_a_benchmarks_instruction_is_no_part_of_its_problems(tmp_path, raw_benchmarks):
    """Else a leaked problem shares too little with its prompt, and every row with the same instruction too much."""
    before = "Solve the following math problem step by step, and end with a line of its own that says the answer.\n\n"
    behind = '\n\nRemember to put your answer on its own line after "Answer:".'
    problems = [row["problem"] for row in jsonl(raw_benchmarks / "aime_2024.jsonl")]
    chats = [[{"role": "user", "content": before + problem + behind}] for problem in problems]
    questions = [{"index": number, "question": " "} for number in range(len(chats))]  # none
    pq.write_table(pa.table({"prompt": chats, "extra_info": questions}), tmp_path / "dapo.parquet")
    index = load_index([tmp_path / "dapo.parquet"])
    assert min(index.nearest(problem).overlap for problem in problems) == 1.0
    assert index.nearest(before + "How many apples are left?" + behind) is None


def test_what_few_or_empty_prompts_share_stays():
    assert without_instruction(["Find x in 2x=4.", "Find x in 3x=9."]) == ["Find x in 2x=4.", "Find x in 3x=9."]
    prompts = [f"Find {name} now." for name in ("", *"abcd")]
    assert without_instruction(prompts) == prompts
    assert without_instruction(prompts[1:] + ["Find e now."]) == list("abcde")


def test_decontaminate_refuses_what_is_no_training_file(tmp_path, prepared):
    pq.write_table(pa.table({"text": ["Q"]}), tmp_path / "text.parquet")
    (tmp_path / "fake.parquet").write_text("no parquet")
    result = run_cli("decontaminate", "--train", tmp_path / "text.parquet", "--benchmarks", prepared)
    assert_one_line(result, "found the columns text")
    for name, message in (("fake.parquet", "not a readable parquet"), ("none.parquet", "no such file")):
        with pytest.raises(InputError, match=message):
            decontaminate.main(["--train", str(tmp_path / name), "--benchmarks", str(prepared)])


@pytest.mark.parametrize(("begin", "end"), [("\\begin{asy}", "\\end{asy}"), ("[asy]", "[/asy]"), ("[ASY]", "[/ASY]")])
def test_a_drawing_is_no_part_of_a_problem(begin, end):
    problem = "Find the area of the triangle with sides three, four and five."
    drawn = f"{problem}\n{begin}\ndraw((0,0)--(3,0)--(3,4)--cycle); label('A', (0,0), SW); // and much more\n{end}"
    assert OverlapIndex([("b", 0, drawn)]).nearest(problem).overlap == 1.0
    assert OverlapIndex([("b", 0, problem)]).nearest(drawn).overlap == 1.0
    only = f"{begin} draw((0,0)--(3,4)); {end}"
    assert OverlapIndex([("b", 0, only)]).nearest(only).overlap == 1.0
    # What is never closed is no drawing, however often it begins.
    assert OverlapIndex([("b", 0, f"{begin} {problem}")]).nearest(f"{begin * 9999} {problem}").overlap > 0.8


def test_a_problem_shorter_than_a_piece_is_found_behind_an_instruction(tmp_path, capsys):
    save(tmp_path / "bench.json", [{"problem": "What is 2+2?", "answer": "4"}])
    texts = ["What is 2+2?", "What is 12+2?", "Is 5 prime?", "Solve x+1=3.", "Name a cube."]
    chats = [[{"role": "user", "content": f"{text} Please put your final answer within a box."}] for text in texts]
    pq.write_table(pa.table({"prompt": chats}), tmp_path / "train.parquet")
    options = ["--benchmarks", str(tmp_path / "bench.json"), "--findings", str(tmp_path / "findings.jsonl")]
    decontaminate.main(["--train", str(tmp_path / "train.parquet"), *options])
    assert [row["index"] for row in jsonl(tmp_path / "findings.jsonl")] == [0]


def test_a_flag_given_again_adds_its_values():
    again = ["--benchmarks", "a", "--benchmarks", "b", "c"]
    assert [path.name for path in decontaminate.parse_args(["--train", "t", *again]).benchmarks] == ["a", "b", "c"]
    args = deepscaler.parse_args([*again, "--local_dataset_path", "d", "--local_dataset_path", "e"])
    assert [path.name for path in args.benchmarks + args.local_dataset_path] == ["a", "b", "c", "d", "e"]
    assert benchmarks.parse_args(["--only", "aime_2024", "--only", "aime_2025"]).only == ["aime_2024", "aime_2025"]
