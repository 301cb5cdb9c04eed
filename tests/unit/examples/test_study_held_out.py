"""What the study measures of a model on held-out questions, by hand."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from examples.arithmetic.problems import REFLECTION
from examples.runs.places import CHECKPOINT
from examples.study import held_out

QUESTIONS = (("Compute 1+2*3+4 mod 13", "0"), ("Compute 2*5+1 mod 13", "11"))
DIRECT = "1+2=3\n3*3=9\n9+4=0\nFinal Answer: \\boxed{0}"
WRONG = "1+2=4\n4*3=12\n12+4=3\nFinal Answer: \\boxed{3}"
MENDED = f"1+2=4\n{REFLECTION}\n{DIRECT}"
RIGHT_OF_SECOND = "2*5=10\n10+1=11\nFinal Answer: \\boxed{11}"
WRONG_OF_SECOND = "2*5=11\n11+1=12\nFinal Answer: \\boxed{12}"
IN_VAIN = f"2*5=10\n10+1=12\n{REFLECTION}\n10+1=12\nFinal Answer: \\boxed{{12}}"


def test_every_number_by_hand(tmp_path, monkeypatch):
    rows = [
        {"prompt": [{"role": "user", "content": question}], "reward_model": {"ground_truth": gold}}
        for question, gold in QUESTIONS
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "val.parquet")
    sampled = [DIRECT, MENDED, WRONG, IN_VAIN, WRONG_OF_SECOND, RIGHT_OF_SECOND]
    answers = {True: [DIRECT, WRONG_OF_SECOND], False: sampled}
    lengths = []

    def generate(model, tokenizer, prompts, max_tokens, greedy):
        assert [question for question, _ in QUESTIONS for _ in range(1 if greedy else 3)] == [
            next(question for question, _ in QUESTIONS if question in prompt) for prompt in prompts
        ]
        ids = [tokenizer.encode(text, add_special_tokens=False) + [tokenizer.eos_token_id] for text in answers[greedy]]
        lengths[:] = map(len, ids)
        return ids

    monkeypatch.setattr(held_out, "generate", generate)
    found = held_out.evaluate(CHECKPOINT, tmp_path / "val.parquet", max_tokens=64, samples=3)
    assert (found.questions, found.samples, found.greedy_accuracy) == (2, 3, 0.5)
    assert found.sampled_accuracy == 0.5  # 2 of 3 and 1 of 3
    # Two of the three samples drawn: 1 - C(1,2)/C(3,2) = 1 with two right ones, 1 - C(2,2)/C(3,2) = 2/3 with one.
    assert found.pass_at == {"1": pytest.approx(0.5), "2": pytest.approx((1 + 2 / 3) / 2)}
    assert found.reflecting == pytest.approx(2 / 6)  # MENDED and IN_VAIN
    assert found.direct_solution_rate == pytest.approx(2 / 3)  # of the three right ones MENDED reflects
    assert found.effective_reflection_rate == pytest.approx(1 / 2)
    assert found.response_length == sum(lengths) / 6
    assert 0 < found.entropy < 5
