"""The CPU demo's task, tokenizer, data and bundled checkpoint."""

import json
import random

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.arithmetic.problems import (
    CHAINS,
    REFLECTION,
    ChainProblem,
    apply,
    first_wrong_line,
    is_right,
    random_problem,
    write_solution,
)
from examples.cpu_demo import questions
from examples.cpu_demo.cold_start_examples import (
    ift_example,
    micro_reflective,
    sft_example,
    tagged_output,
    wrong_and_right,
)
from examples.cpu_demo.cold_start_training import IGNORE, example_rows, fact_rows
from examples.cpu_demo.quality import is_formatted, prefix_kind, reconstruction_of
from examples.cpu_demo.regime import REGIMES
from examples.cpu_demo.teacher import Teacher
from examples.cpu_demo.tokenizer import build_tokenizer, template_chunks
from examples.runs.places import CHECKPOINT
from recipe_tapo.algorithm.parsing import parse_reconstruction
from recipe_tapo.algorithm.prompts import REWRITING_MODES

EXAMPLE = ChainProblem(9, (("+", 5), ("*", 4), ("*", 2), ("+", 3)))


TOKENIZER = build_tokenizer()


WRONG = "9+5=1\n1*4=5\n5*2=10\n10+3=0\nFinal Answer: \\boxed{0}"


needs_checkpoint = pytest.mark.skipif(not CHECKPOINT.is_dir(), reason="no bundled checkpoint")


@pytest.fixture(scope="module")
def tokenizer():
    return TOKENIZER


@pytest.fixture(scope="module")
def teacher():
    return Teacher()


def test_teacher_is_noisy_consistent_and_self_correcting(teacher):
    rng, right, flagged = random.Random(0), 0, 0
    for _ in range(2000):
        problem = random_problem(rng)
        text = teacher.solve(problem, rng)
        assert is_formatted(text)
        right += is_right(problem, text)
        flagged += REFLECTION in text
        if not is_right(problem, text):
            assert first_wrong_line(problem, text) is not None
    assert 0.3 < right / 2000 < 0.7
    assert 0.1 < flagged / 2000 < 0.4
    assert all(teacher.distractors[fact][0] != apply(*fact, 13) for fact in CHAINS.facts)
    assert Teacher().reliability == teacher.reliability


def test_micro_reflective_target_by_hand():
    target = f"9+5=1\n1*4=5\n{REFLECTION}\n1*4=4\n4*2=8\n8+3=11\nFinal Answer: \\boxed{{11}}"
    assert micro_reflective(EXAMPLE, WRONG) == target
    output = tagged_output(EXAMPLE, WRONG)
    expected = "<analysis>\nStep 2: wrong product.\n</analysis>\n<reconstruction>\n" + target + "\n</reconstruction>"
    assert output == expected
    assert reconstruction_of(output, WRONG, TOKENIZER, REGIMES["demo"]) == target
    assert reconstruction_of("no tags", WRONG, TOKENIZER, REGIMES["demo"]) is None
    assert prefix_kind(EXAMPLE, WRONG, target) == "exact"
    early = target.replace("1*4=5\n", "")
    assert prefix_kind(EXAMPLE, WRONG, early) == "verbatim"
    assert prefix_kind(EXAMPLE, WRONG, "9+5=2\n" + target) == "none"
    with pytest.raises(ValueError, match="no wrong step"):
        micro_reflective(EXAMPLE, write_solution(EXAMPLE.right_lines(), 11))


@pytest.mark.parametrize("mode", REWRITING_MODES)
def test_ift_targets_parse_and_keep_the_wrong_prefix(teacher, mode):
    rng = random.Random(1)
    for _ in range(200):
        problem, wrong, right = wrong_and_right(rng, teacher, tries=8)
        assert is_right(problem, right)
        assert problem.split == "train"
        parsed = parse_reconstruction(tagged_output(problem, wrong, mode))
        assert parsed.reason is None
        assert is_right(problem, parsed.reconstruction)
        index, _ = first_wrong_line(problem, wrong)
        prefix = "\n".join([*wrong.split("\n")[: index + 1], REFLECTION]) + "\n"
        assert parsed.reconstruction.startswith(prefix) == (mode == "micro_reflective")


@pytest.mark.parametrize("mode", REWRITING_MODES)
def test_task_texts_round_trip_and_prompts_stay_short(tokenizer, teacher, mode):
    rng = random.Random(2)
    bytes_from = tokenizer.convert_tokens_to_ids("<0x00>")
    for _ in range(50):
        ift, sft = ift_example(rng, teacher, mode), sft_example(rng, teacher)
        for text in (ift.prompt, ift.response, sft.prompt, sft.response):
            ids = tokenizer(text)["input_ids"]
            assert tokenizer.decode(ids) == text
            assert tokenizer.decode(ids, skip_special_tokens=True) == text
            assert max(ids) < bytes_from
        assert len(tokenizer(ift.prompt)["input_ids"]) < 300
    assert len(tokenizer(EXAMPLE.question)["input_ids"]) == 11
    assert len(tokenizer(write_solution(EXAMPLE.right_lines(), 11) + tokenizer.eos_token)["input_ids"]) == 28


@given(st.lists(st.one_of(st.text(), st.sampled_from(["\n", "12", "Wait", REFLECTION, *template_chunks()]))))
@settings(max_examples=200, deadline=None)
def test_any_text_round_trips(parts):
    text = "".join(parts)
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    assert TOKENIZER.decode(ids) == text


def test_chat_template(tokenizer):
    messages = [{"role": "user", "content": EXAMPLE.question}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == f"<|im_start|>user\n{EXAMPLE.question}<|im_end|>\n<|im_start|>assistant\n"
    answer = [*messages, {"role": "assistant", "content": "9+5=1"}]
    whole = tokenizer.apply_chat_template(answer, tokenize=False)
    assert whole == text + "9+5=1<|im_end|>\n"
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token != tokenizer.eos_token


def test_only_responses_and_results_are_labelled(tokenizer, teacher):
    example = sft_example(random.Random(0), teacher)
    [(ids, labels)] = example_rows(tokenizer, [example])
    kept = [label for label in labels if label != IGNORE]
    assert tokenizer.decode(kept) == example.response + "<|im_end|>"
    assert ids[-len(kept) :] == kept
    [(ids, labels)] = fact_rows(tokenizer, ["9+5=1\n12*6=7\n"])
    assert len(ids) == len(labels)
    assert tokenizer.convert_ids_to_tokens([label for label in labels if label != IGNORE]) == ["1", "7"]


def test_parquet_schema(tmp_path):
    args = ["--output_dir", str(tmp_path / "new"), "--train_size", "20", "--val_size", "5", "--seed", "4"]
    questions.main(args)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["train.parquet", "val.parquet"]
    for split, size in (("train", 20), ("val", 5)):
        rows = pq.read_table(tmp_path / "new" / f"{split}.parquet").to_pylist()
        assert len(rows) == size
        for index, row in enumerate(rows):
            question = row["extra_info"]["question"]
            problem = ChainProblem.parse(question)
            assert problem.split == split
            assert row == {
                "data_source": "tapo_demo/arithmetic",
                "prompt": [{"role": "user", "content": question}],
                "ability": "math",
                "reward_model": {"style": "rule", "ground_truth": str(problem.answer)},
                "extra_info": {"split": split, "index": index, "question": question},
            }


@needs_checkpoint
def test_checkpoint_loads_and_knows_the_templates(tokenizer):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) < 5e6
    bundled = AutoTokenizer.from_pretrained(CHECKPOINT)
    # A template edited after the cold start would silently become hundreds of byte tokens.
    assert bundled.get_vocab() == tokenizer.get_vocab()
    assert bundled.chat_template == tokenizer.chat_template
    model = AutoModelForCausalLM.from_pretrained(CHECKPOINT)
    assert model.get_input_embeddings().num_embeddings == len(bundled)
    assert model.generation_config.eos_token_id == bundled.eos_token_id
    assert model.generation_config.pad_token_id == bundled.pad_token_id
    inputs = bundled.apply_chat_template(
        [{"role": "user", "content": EXAMPLE.question}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    output = model.generate(**inputs, max_new_tokens=64, do_sample=False)
    text = bundled.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert is_formatted(text)
    assert json.loads((CHECKPOINT / "config.json").read_text())["model_type"] == "qwen3"
