"""SFT rows are tokenized as rollouts are, also where a chat template treats an assistant's turn as Qwen3's does."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf
from transformers import AutoTokenizer

from data_prep.joint_set import SFT_SCHEMA
from recipe_tapo.errors import InputError

CHECKPOINT = Path(__file__).resolve().parents[3] / "examples" / "cpu_demo" / "checkpoint"
# What matters of Qwen3's: the empty thinking block of an answer after a question, of an answer alone, of the prompt.
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.index0 > 0 %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
QUESTION, ANSWER = "Compute 9+5*4*2+3 mod 13", "9+5=1\n1*4=4\nFinal Answer: \\boxed{4}"


@pytest.fixture
def tokenizer():
    return AutoTokenizer.from_pretrained(CHECKPOINT)


@pytest.fixture
def dataset(tmp_path, tokenizer):
    """Makes a dataset of one row from messages, with verl's class or ours."""

    def make(cls, messages: list[dict], chat_template: str | None = None, **config):
        row = {"messages": messages, "format": "sft", "fill_up": False, "data_source": "test", "query": "q"}
        pq.write_table(pa.Table.from_pylist([row], schema=SFT_SCHEMA), tmp_path / "rows.parquet")
        if chat_template:
            tokenizer.chat_template = chat_template
        # The values of verl's own configuration file.
        defaults = {"pad_mode": "no_padding", "truncation": "right", "max_length": 1024}
        defaults |= {"enable_thinking_default": "none", "apply_chat_template_kwargs": {}}
        return cls(str(tmp_path / "rows.parquet"), tokenizer, OmegaConf.create({**defaults, **config}))

    return make


def chat(*texts: str) -> list[dict]:
    return [{"role": role, "content": text} for role, text in zip(("user", "assistant"), texts, strict=True)]


@pytest.fixture
def ours():
    from recipe_tapo.engine.sft_dataset import RolloutFormatSFTDataset

    return RolloutFormatSFTDataset


@pytest.fixture
def verls():
    from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset

    return MultiTurnSFTDataset


@pytest.mark.parametrize("template", [None, THINKING], ids=["plain", "thinking"])
def test_a_row_is_the_rollouts_prompt_the_answer_and_eos(dataset, ours, tokenizer, template):
    thinking = {"enable_thinking": False}
    row = dataset(ours, chat(QUESTION, ANSWER), template, apply_chat_template_kwargs=thinking)[0]
    rendered = tokenizer.apply_chat_template(
        chat(QUESTION, ANSWER)[:1], add_generation_prompt=True, tokenize=False, **thinking
    )
    prompt = tokenizer.encode(rendered, add_special_tokens=False)
    answer = [*tokenizer.encode(ANSWER, add_special_tokens=False), tokenizer.eos_token_id]
    assert row["input_ids"].tolist() == prompt + answer
    assert row["loss_mask"].tolist() == [0] * len(prompt) + [1] * len(answer)
    assert row["position_ids"].tolist() == list(range(len(prompt) + len(answer)))


def test_verls_own_class_would_refuse_or_mask_the_answer(dataset, verls, tokenizer):
    """Why there is a class of ours: when this fails, verl has mended it."""
    options = {"apply_chat_template_kwargs": {"enable_thinking": False}}
    with pytest.raises(AssertionError, match="ignore_input_ids_mismatch"):
        dataset(verls, chat(QUESTION, ANSWER), THINKING, **options)[0]
    row = dataset(verls, chat(QUESTION, ANSWER), THINKING, ignore_input_ids_mismatch=True, **options)[0]
    trained = tokenizer.decode(row["input_ids"][row["loss_mask"].bool()])
    assert not trained.startswith(ANSWER[:3])


def test_verls_own_class_and_ours_agree_where_the_template_is_plain(dataset, ours, verls):
    mine, theirs = (dataset(cls, chat(QUESTION, ANSWER))[0] for cls in (ours, verls))
    # verl's rows end with the line break after EOS, which no rollout has.
    assert mine["input_ids"].tolist() == theirs["input_ids"].tolist()[:-1]
    assert mine["loss_mask"].tolist() == theirs["loss_mask"].tolist()[:-1]


def test_another_thinking_mode_than_that_of_the_prompt_is_refused(dataset, ours):
    with pytest.raises(ValueError, match=r"enable_thinking=False of a row .* rendered with None; set data.apply_chat"):
        dataset(ours, chat(QUESTION, ANSWER), THINKING, enable_thinking_default=False)[0]
    same = {"enable_thinking_default": False, "apply_chat_template_kwargs": {"enable_thinking": False}}
    assert len(dataset(ours, chat(QUESTION, ANSWER), THINKING, **same)[0]["input_ids"])


def test_rows_that_are_not_one_prompt_and_one_answer_are_refused(dataset, ours):
    with pytest.raises(ValueError, match="expected a prompt and one answer"):
        dataset(ours, [*chat(QUESTION, ANSWER), {"role": "user", "content": "?"}])[0]
    with pytest.raises(ValueError, match="expected a prompt and one answer"):
        dataset(ours, [*chat(QUESTION, ANSWER), {"role": "assistant", "content": ANSWER}])[0]


def test_a_template_that_joins_messages_otherwise_is_refused(dataset, ours):
    counting = (
        "{% for m in messages %}{{ loop.length }}{{ m.content }}{% endfor %}{% if add_generation_prompt %}>{% endif %}"
    )
    messages = [{"role": "system", "content": "S"}, *chat(QUESTION, ANSWER)]
    with pytest.raises(ValueError, match="otherwise together than one by one"):
        dataset(ours, messages, counting)[0]


def test_a_model_of_images_is_refused(tmp_path, tokenizer, ours):
    class SomeProcessor:
        pass

    with pytest.raises(InputError, match="is for models of text alone, and this one has a SomeProcessor"):
        ours(str(tmp_path / "rows.parquet"), tokenizer, OmegaConf.create({}), processor=SomeProcessor())
