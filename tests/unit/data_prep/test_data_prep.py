"""data_prep: from data as users have it to files that verl loads; on the real files where they are present."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_prep import benchmarks, decontaminate, deepscaler, gold, hub
from data_prep.overlap import OverlapIndex
from data_prep.schema import RL_SCHEMA
from data_prep.sources import BENCHMARKS, DEEPSCALER_DATA_SOURCE
from data_prep.text import normalise_white_space
from recipe_tapo.errors import InputError

REPO = Path(__file__).resolve().parents[3]
REAL = REPO.parent / "shared" / "data"
SAMPLES = REPO / "tests" / "data"
NAMES = [benchmark.name for benchmark in BENCHMARKS]

needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not on this machine")


@pytest.fixture(scope="module")
def raw_benchmarks(tmp_path_factory) -> Path:
    """A folder with the raw benchmarks: the real ones, or samples filled up to 30 problems."""
    if REAL.is_dir():
        return REAL
    folder = tmp_path_factory.mktemp("raw")
    for name in NAMES:
        lines = (SAMPLES / f"sample_{name}.jsonl").read_text().splitlines()
        lines += [
            json.dumps({"problem": f"Made-up: add {n} to {n}.", "answer": str(2 * n)}) for n in range(len(lines), 30)
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def prepared(raw_benchmarks, tmp_path_factory) -> Path:
    """A folder with the three benchmark parquets."""
    folder = tmp_path_factory.mktemp("prepared")
    benchmarks.main(["--local_dataset_path", str(raw_benchmarks), "--local_save_dir", str(folder), "--no-check_gold"])
    return folder


def save(path: Path, rows: list) -> Path:
    """Writes rows as jsonl or json, as the suffix says."""
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) if path.suffix == ".jsonl" else json.dumps(rows))
    return path


def prepare(source: Path, folder: Path, *options: str) -> list[dict]:
    """Runs ``deepscaler`` without the gold check and returns the rows of train.parquet."""
    deepscaler.main(["--local_dataset_path", str(source), "--local_save_dir", str(folder), "--no-check_gold", *options])
    return pq.read_table(folder / "train.parquet").to_pylist()


def jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run_cli(module: str, *args: str, **env: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", f"data_prep.{module}", *map(str, args)]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, env=os.environ | env, timeout=120)


# --- deepscaler ---


def test_row_has_verls_schema(tmp_path):
    question = "What is  $1+1$?\r\n"
    rows = prepare(save(tmp_path / "in.json", [{"problem": question, "answer": " 2 ", "solution": "s"}]), tmp_path)
    assert pq.read_schema(tmp_path / "train.parquet").equals(RL_SCHEMA)
    assert rows == [
        {
            "data_source": DEEPSCALER_DATA_SOURCE,
            "prompt": [
                {
                    "role": "user",
                    "content": "What is $1+1$? Please think step by step, and put your final answer within \\boxed{}.",
                }
            ],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": "2"},
            "extra_info": {"split": "train", "index": 0, "source": "in.json", "question": question},
        }
    ]


def test_prompt_suffix_and_data_source_are_settable(tmp_path):
    source = save(tmp_path / "in.json", [{"problem": "Q", "answer": "1"}])
    (row,) = prepare(source, tmp_path, "--prompt_suffix", "", "--data_source", "mine")
    assert row["prompt"][0]["content"] == "Q"
    assert row["data_source"] == "mine"


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".parquet"])
def test_every_file_kind_and_folders_give_the_same_rows(tmp_path, suffix):
    data = [{"problem": f"Q{n}\u2028", "answer": str(n), "solution": ""} for n in range(4)]
    folder = tmp_path / "in" / "sub"
    folder.mkdir(parents=True)
    path = folder / f"part{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(data), path)
    else:
        save(path, data)
    from_file = prepare(path, tmp_path / "a")
    assert [row["reward_model"]["ground_truth"] for row in from_file] == ["0", "1", "2", "3"]
    assert prepare(tmp_path / "in", tmp_path / "b") == from_file


def test_sample_loses_rows_for_the_right_reasons(tmp_path, capsys):
    rows = prepare(SAMPLES / "sample_deepscaler.json", tmp_path)
    rejected = jsonl(tmp_path / "rejected.jsonl")
    assert Counter(row["reason"] for row in rejected) == {"answer_null": 1, "answer_empty": 1, "duplicate": 1}
    assert len(rows) == 5
    assert [row["extra_info"]["index"] for row in rows] == [2, 4, 5, 6, 7]
    table = capsys.readouterr().out
    for reason, count in (("answer_null", 1), ("answer_empty", 1), ("duplicate", 1), ("contaminated", 0)):
        assert any(reason in line and f" {count} " in line for line in table.splitlines()), reason


@needs_real_data
def test_full_math_part(tmp_path):
    rows = prepare(REAL / "deepscaler_math.json", tmp_path, "--benchmarks", str(REAL))
    rejected = jsonl(tmp_path / "rejected.jsonl")
    # Four rows have no answer: in two of them it is null (no string), in two the empty string.
    assert Counter(row["reason"] for row in rejected) == {"answer_null": 2, "answer_empty": 2, "duplicate": 1}
    assert len(rows) + len(rejected) == 7474
    assert {row["extra_info"]["index"] for row in rows} | {row["index"] for row in rejected} == set(range(7474))


@needs_real_data
def test_folder_of_parts_leaves_the_benchmarks_out(tmp_path, prepared):
    rows = prepare(REAL, tmp_path, "--benchmarks", str(prepared))
    assert {row["extra_info"]["source"] for row in rows} == {"deepscaler_aime.json", "deepscaler_math.json"}
    # 288 AIME problems are in both parts; their answers differ at most in notation ("97" and "097").
    reasons = Counter(row["reason"] for row in jsonl(tmp_path / "rejected.jsonl"))
    assert reasons == {"answer_null": 2, "answer_empty": 2, "duplicate": 289}


def test_unusable_answers_and_problems(tmp_path):
    answers = [None, "", " \n", [1], {"a": 1}, True, float("nan"), float("inf"), "\ud83d", 7, 2.5, 3.0, "x"]
    data = [{"problem": f"Q{n}", "answer": answer} for n, answer in enumerate(answers)]
    data += [{"problem": " ", "answer": "1"}, {"problem": None, "answer": "1"}, {"problem": "no answer key"}]
    rows = prepare(save(tmp_path / "in.jsonl", data), tmp_path)
    assert [row["reward_model"]["ground_truth"] for row in rows] == ["7", "2.5", "3", "x"]
    assert Counter(row["reason"] for row in jsonl(tmp_path / "rejected.jsonl")) == {
        "answer_null": 2,
        "answer_empty": 2,
        "answer_wrong_type": 5,
        "bad_unicode": 1,
        "no_problem": 2,
    }


CONFLICTING = [
    {"problem": "Add  one half to zero.", "answer": "\\frac12"},
    {"problem": "Add one half\nto zero.", "answer": "\\frac{1}{2}"},
    {"problem": "What is it?", "answer": "3"},
    {"problem": "What is it?", "answer": "4"},
    {"problem": "What is it?", "answer": "3"},
    {"problem": "Other", "answer": "5"},
]


@pytest.mark.parametrize(
    ("choice", "kept", "reasons"),
    [
        ("drop", [0, 5], {"duplicate": 2, "conflicting_answers": 2}),
        ("keep", [0, 2, 3, 5], {"duplicate": 2}),
        ("report", [0, 2, 3, 5], {"duplicate": 2}),
    ],
)
def test_conflicts(tmp_path, capsys, choice, kept, reasons):
    rows = prepare(save(tmp_path / "in.json", CONFLICTING), tmp_path, "--conflicts", choice)
    assert [row["extra_info"]["index"] for row in rows] == kept
    assert Counter(row["reason"] for row in jsonl(tmp_path / "rejected.jsonl")) == reasons
    findings = jsonl(tmp_path / "findings.jsonl")
    assert findings == [{"finding": "conflict", "indices": [2, 3], "answers": ["3", "4"], "question": "What is it?"}]
    assert ("Problems with conflicting answers" in capsys.readouterr().out) == (choice == "report")


def test_gold_check_reports_and_keeps(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gold, "score_all", lambda pairs: ({"acc": float(answer != "odd")} for _, answer in pairs))
    source = save(tmp_path / "in.json", [{"problem": "A", "answer": "1"}, {"problem": "[asy] B", "answer": "odd"}])
    deepscaler.main(["--local_dataset_path", str(source), "--local_save_dir", str(tmp_path)])
    assert pq.read_metadata(tmp_path / "train.parquet").num_rows == 2
    assert [row["answer"] for row in jsonl(tmp_path / "findings.jsonl")] == ["odd"]
    out = capsys.readouterr().out
    assert "1 gold answers do not verify" in out
    assert "[asy] B" in out


def test_gold_check_uses_the_projects_grader(tmp_path, capsys):
    deepscaler.main(
        ["--local_dataset_path", str(SAMPLES / "sample_deepscaler.json"), "--local_save_dir", str(tmp_path)]
    )
    assert "0 gold answers do not verify" in capsys.readouterr().out
    assert gold.verifies("25", "025")
    assert not gold.verifies("26", "025")
    # An unclosed brace never leaves its box, so nothing can match it.
    assert not gold.verifies("\\frac{1}{2", "\\frac{1}{2")


def test_rerun_gives_the_same_bytes_and_no_leftovers(tmp_path):
    # Input and output folder are one: the first run's output must not become the second one's input.
    save(tmp_path / "in.json", CONFLICTING)
    prepare(tmp_path, tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(first) == {"in.json", "train.parquet", "rejected.jsonl", "findings.jsonl"}
    prepare(tmp_path, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_line_breaks_survive_white_space_normalisation():
    assert normalise_white_space(" a\u00a0\t b \r\n\n\n\n // c\n\nd ") == "a b\n\n// c\n\nd"


# --- benchmarks ---


def test_benchmarks_have_30_rows_and_names_no_verl_scorer_claims(prepared):
    from verl.utils.reward_score import default_compute_score

    for benchmark in BENCHMARKS:
        table = pq.read_table(prepared / f"{benchmark.name}.parquet")
        assert table.schema.equals(RL_SCHEMA)
        assert table.num_rows == 30
        assert set(table["data_source"].to_pylist()) == {benchmark.data_source}
        with pytest.raises(NotImplementedError):
            default_compute_score(benchmark.data_source, "\\boxed{1}", "1")
    with pytest.raises(NotImplementedError):
        default_compute_score(DEEPSCALER_DATA_SOURCE, "\\boxed{1}", "1")


def test_benchmark_answers(prepared):
    golds = {
        name: [row["ground_truth"] for row in pq.read_table(prepared / f"{name}.parquet")["reward_model"].to_pylist()]
        for name in NAMES
    }
    assert golds["aime_2024"][:2] == ["204", "25"]
    assert not any(answer.startswith("0") and answer != "0" for answer in golds["aime_2024"])
    assert {"\\frac{1}{576}", "\\sqrt{\\frac{95}{24}}"} <= set(golds["hmmt_feb_2025"])
    assert "\\frac{-1+\\sqrt{17}}{2}, \\frac{-1-\\sqrt{17}}{2}" in golds["hmmt_feb_2025"]


def test_other_copies_of_a_benchmark_give_the_same_answers(tmp_path, raw_benchmarks, prepared):
    rows = jsonl(raw_benchmarks / "aime_2024.jsonl")
    copy = save(tmp_path / "copy.json", [{"Problem": row["problem"], "Answer": int(row["answer"])} for row in rows])
    options = ["--aime_2024", str(copy), "--only", "aime_2024", "--local_save_dir", str(tmp_path), "--no-check_gold"]
    benchmarks.main(options)
    mine, theirs = (pq.read_table(folder / "aime_2024.parquet") for folder in (tmp_path, prepared))
    assert mine["reward_model"].equals(theirs["reward_model"])
    assert not (tmp_path / "aime_2025.parquet").exists()


def test_all_benchmark_golds_verify(raw_benchmarks, tmp_path, capsys):
    benchmarks.main(["--local_dataset_path", str(raw_benchmarks), "--local_save_dir", str(tmp_path)])
    assert "gold check: 0 gold" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:29], "29 in 29 rows"),
        (lambda rows: [*rows[:29], rows[0]], "29 in 30 rows"),
        (lambda rows: [*rows[:29], {**rows[29], "answer": ""}], "row 30: the answer is an empty string"),
        (lambda rows: [*rows[:29], {**rows[29], "answer": "1000"}], "row 30: '1000' is no integer from 0 to 999"),
        (lambda rows: [*rows[:29], {**rows[29], "answer": "²"}], "no integer from 0 to 999"),
    ],
)
def test_incomplete_benchmark_is_refused(tmp_path, raw_benchmarks, change, message):
    path = save(tmp_path / "in.jsonl", change(jsonl(raw_benchmarks / "aime_2024.jsonl")))
    with pytest.raises(InputError, match=message):
        benchmarks.main(["--aime_2024", str(path), "--only", "aime_2024", "--local_save_dir", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


# --- hub ---


def test_hub_rows_of_all_splits(tmp_path, monkeypatch):
    import datasets

    split = datasets.Dataset.from_list([{"problem": "Q", "answer": 3}])
    monkeypatch.setattr(datasets, "load_dataset", lambda name: datasets.DatasetDict(train=split))
    deepscaler.main(["--local_save_dir", str(tmp_path), "--no-check_gold"])
    (row,) = pq.read_table(tmp_path / "train.parquet").to_pylist()
    assert row["extra_info"]["source"] == "agentica-org/DeepScaleR-Preview-Dataset"
    assert row["reward_model"]["ground_truth"] == "3"
    assert hub.read_hub_rows("any/name") == [{"problem": "Q", "answer": 3}]


@pytest.mark.parametrize("module", ["deepscaler", "benchmarks"])
def test_no_network_is_one_line(tmp_path, module):
    result = run_cli(
        module, "--local_save_dir", tmp_path / "out", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "empty_cache")
    )
    assert_one_line(result, "from the Hugging Face hub")
    assert not (tmp_path / "out").exists()


# --- bad input ---


def assert_one_line(result: subprocess.CompletedProcess, message: str) -> None:
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


GOOD = '{"problem": "Q", "answer": "1"}'
BAD_FILES = [
    ("empty.json", b"", "the file is empty"),
    ("blank.jsonl", b" \n\n", "the file has no rows"),
    ("no_rows.json", b"[]", "the file has no rows"),
    ("broken.jsonl", f'{GOOD}\n{GOOD}\n{{"problem": "Q", \n'.encode(), "line 3: broken json"),
    ("broken.json", b'[{"problem": "Q"', "broken json"),
    ("deep.json", b"[" * 100_000, "broken json"),
    ("long_number.json", b'[{"problem": "Q", "answer": ' + b"9" * 5000 + b"}]", "broken json"),
    ("column.json", b'[{"problem": "Q", "solution": "1"}]', "no column 'answer'; found problem, solution"),
    ("column2.jsonl", b'{"text": "Q", "answer": "1"}', "no column 'problem'"),
    ("type.json", b'[{"problem": ["Q"], "answer": "1"}]', "row 1: 'problem' is of type list"),
    ("type2.json", b'[{"problem": "Q", "answer": ["1"]}]', "'answer' is of type list"),
    ("type3.jsonl", f"{GOOD}\n[1]\n".encode(), "row 2 is of type list"),
    ("nulls.json", b'[{"problem": null, "answer": "1"}]', "has no text in any row"),
    ("unusable.json", b'[{"problem": "Q", "answer": ""}]', "no row is left"),
    ("latin.json", '[{"problem": "é", "answer": "1"}]'.encode("latin-1"), "not UTF-8"),
    ("fake.parquet", b"PAR1 no parquet", "not a readable parquet file"),
    ("table.csv", b"problem,answer\n", "unknown kind of file"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES, ids=[case[0] for case in BAD_FILES])
def test_bad_file(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        prepare(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_parquet_columns(tmp_path):
    pq.write_table(pa.table({"question_text": ["Q"], "answer": ["1"]}), tmp_path / "in.parquet")
    with pytest.raises(InputError, match="no column 'problem'; found question_text, answer"):
        prepare(tmp_path / "in.parquet", tmp_path / "out")


def test_bad_paths(tmp_path):
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    good = save(tmp_path / "good.json", [{"problem": "Q", "answer": "1"}])
    for path, message in (
        (tmp_path / "missing.json", "no such file or folder"),
        (tmp_path / "empty", "in this folder"),
        (tmp_path / "pipe", "neither a regular file nor a folder"),
    ):
        with pytest.raises(InputError, match=message):
            prepare(path, tmp_path / "out")
    with pytest.raises(InputError, match="is not a folder"):
        prepare(good, good)
    with pytest.raises(InputError, match="none of aime_2024"):
        prepare(good, tmp_path / "out", "--benchmarks", str(tmp_path / "empty"))
    with pytest.raises(InputError, match="no such file"):
        prepare(good, tmp_path / "out", "--benchmarks", str(tmp_path / "missing.parquet"))


def test_bad_input_leaves_the_last_good_output(tmp_path):
    source, folder = tmp_path / "in.jsonl", tmp_path / "out"
    prepare(save(source, [{"problem": "Q", "answer": "1"}]), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    source.write_text("{")
    result = run_cli("deepscaler", "--local_dataset_path", source, "--local_save_dir", folder)
    assert_one_line(result, "line 1: broken json")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_failing_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def full_disk(path, _):
        path.write_text("half")
        raise OSError("no space left on device")

    monkeypatch.setattr(deepscaler, "write_jsonl", full_disk)
    with pytest.raises(OSError, match="no space left"):
        prepare(save(tmp_path / "in.json", [{"problem": "Q", "answer": "1"}]), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_threshold_out_of_range_is_a_usage_error(tmp_path):
    for value in ("0", "1.5", "nan", "many"):
        with pytest.raises(SystemExit) as stop:
            decontaminate.main(["--train", str(tmp_path), "--overlap_threshold", value])
        assert stop.value.code == 2


@pytest.mark.parametrize("module", [benchmarks, decontaminate, deepscaler])
def test_help(module, capsys):
    with pytest.raises(SystemExit) as stop:
        module.parse_args(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "default: None" not in out
    assert module is benchmarks or "13 consecutive characters" in " ".join(out.split())


# --- decontamination ---


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


def test_decontaminate_refuses_what_is_no_training_file(tmp_path, prepared):
    pq.write_table(pa.table({"text": ["Q"]}), tmp_path / "text.parquet")
    (tmp_path / "fake.parquet").write_text("no parquet")
    result = run_cli("decontaminate", "--train", tmp_path / "text.parquet", "--benchmarks", prepared)
    assert_one_line(result, "found the columns text")
    for name, message in (("fake.parquet", "not a readable parquet"), ("none.parquet", "no such file")):
        with pytest.raises(InputError, match=message):
            decontaminate.main(["--train", str(tmp_path / name), "--benchmarks", str(prepared)])


# --- verl ---


def test_verls_dataset_loads_every_file(tmp_path, prepared, monkeypatch):
    import datasets
    from omegaconf import OmegaConf
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from verl.utils.dataset.rl_dataset import RLHFDataset

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    words = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    config = OmegaConf.create({"max_prompt_length": 4096, "filter_overlong_prompts_workers": 1})

    trained = prepare(SAMPLES / "sample_deepscaler.json", tmp_path)
    files = {tmp_path / "train.parquet": len(trained), **{prepared / f"{name}.parquet": 30 for name in NAMES}}
    for path, size in files.items():
        dataset = RLHFDataset(str(path), tokenizer, config)
        assert len(dataset) == size
        row = dataset[size - 1]
        assert row["raw_prompt"] == pq.read_table(path)["prompt"].to_pylist()[-1]
        assert isinstance(row["reward_model"]["ground_truth"], str)
        assert row["index"] == row["extra_info"]["index"]
    # Training on one file and validating on another, as one data set: the schemas must be equal.
    assert len(RLHFDataset([str(path) for path in files], tokenizer, config)) == sum(files.values())
