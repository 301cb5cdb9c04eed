"""The three benchmarks as files, and verl's own data set on every file."""

import pyarrow.parquet as pq
import pytest
from raw_data import NAMES, SAMPLES, jsonl, prepare, save

from data_prep import benchmarks
from data_prep.schema import RL_SCHEMA
from data_prep.sources import BENCHMARKS, DEEPSCALER_DATA_SOURCE
from recipe_tapo.errors import InputError


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


def test_benchmarks_keep_the_numbers_of_their_files(prepared, raw_benchmarks, tmp_path):
    for name in NAMES:
        infos = pq.read_table(prepared / f"{name}.parquet")["extra_info"].to_pylist()
        assert [info["id"] for info in infos] == [
            str(row["problem_idx"]) for row in jsonl(raw_benchmarks / f"{name}.jsonl")
        ]
    rows = [
        {"ID": f"2024-{n}", "Problem": row["problem"], "Answer": row["answer"]}
        for n, row in enumerate(jsonl(raw_benchmarks / "aime_2024.jsonl"))
    ]
    rows[3]["ID"] = None
    source = save(tmp_path / "in.json", rows)
    options = ["--aime_2024", str(source), "--only", "aime_2024", "--local_save_dir", str(tmp_path), "--no-check_gold"]
    benchmarks.main(options)
    ids = [info["id"] for info in pq.read_table(tmp_path / "aime_2024.parquet")["extra_info"].to_pylist()]
    assert ids[:5] == ["2024-0", "2024-1", "2024-2", None, "2024-4"]


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


def test_a_folder_may_be_input_and_output_also_for_a_second_run(tmp_path, raw_benchmarks):
    folder = tmp_path / "both"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.jsonl").write_bytes((raw_benchmarks / f"{name}.jsonl").read_bytes())
    options = ["--local_dataset_path", str(folder), "--local_save_dir", str(folder), "--no-check_gold"]
    benchmarks.main(options)
    first = [(folder / f"{name}.parquet").read_bytes() for name in NAMES]
    benchmarks.main(options)
    assert [(folder / f"{name}.parquet").read_bytes() for name in NAMES] == first


@pytest.mark.parametrize("answer", ["9" * 5000, "1000", "-1", "²", "3.5"])
def test_what_is_no_answer_of_the_aime_is_refused_in_one_short_line(tmp_path, raw_benchmarks, answer):
    rows = jsonl(raw_benchmarks / "aime_2024.jsonl")
    rows[2]["answer"] = answer
    source = save(tmp_path / "in.json", rows)
    with pytest.raises(InputError, match=r"row 3: .* is no integer from 0 to 999") as error:
        benchmarks.main(["--aime_2024", str(source), "--only", "aime_2024", "--local_save_dir", str(tmp_path)])
    assert len(str(error.value)) < 300 + len(str(source))
