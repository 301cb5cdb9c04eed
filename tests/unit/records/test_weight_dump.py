import logging

import torch
from hypothesis import given
from hypothesis import strategies as st
from small_tokenizer import EOS, TOKENIZER, encode, letters

from recipe_tapo.algorithm.tokens import decode
from recipe_tapo.records.attempts import AttemptDump, AttemptRecord, read_dump
from recipe_tapo.records.token_texts import TokenTexts
from recipe_tapo.records.token_weights import join_weights, read_weights, write_weights


def jagged(*rows):
    return torch.nested.nested_tensor([torch.tensor(row) for row in rows], layout=torch.jagged)


IDS = st.lists(st.integers(0, len(TOKENIZER) - 1), max_size=40)
# Bytes of characters that several bytes make up, so that whole characters, halves of them and garbage come about.
BYTES = st.lists(st.sampled_from([*encode("é😀語"), *letters("ok "), EOS]), max_size=40)


@given(IDS | BYTES)
def test_whatever_was_sampled_its_tokens_texts_joined_are_the_decoded_row(ids):
    texts = TokenTexts(TOKENIZER).of(ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == decode(TOKENIZER, ids)


class Counted:
    """What tokens say together is not what they say apart, and none is a text by itself; counts what it decodes."""

    def __init__(self):
        self.decoded = 0

    def decode(self, ids, **_):
        self.decoded += len(ids)
        return "".join(f"\ufffd{id_}" for id_ in ids).replace("1\ufffd1", "11") + ("." if len(ids) % 2 else "")


def test_a_tokenizer_of_any_kind_costs_time_linear_in_the_row():
    costs = []
    for length in (500, 1000):
        tokenizer = Counted()
        ids = [1, 1, 2] * length
        assert "".join(TokenTexts(tokenizer).of(ids)) == decode(tokenizer, ids)
        costs.append(tokenizer.decoded)
    assert costs[1] <= 2.1 * costs[0]


def test_half_a_character_before_a_letter_belongs_to_its_own_last_token():
    half = encode("😀")[:2]  # decoded together they are one replacement character, each alone is one too
    assert TokenTexts(TOKENIZER).of([*letters("x"), *half, *letters("ok")]) == ["x", "", "\ufffd", "o", "k"]


def test_a_tokenizer_that_drops_a_texts_first_space_keeps_it_within_the_row():
    class DropsFirstSpace:
        words = ("\u2581So", "\u2581x", "=4")

        def decode(self, ids, **_):
            return "".join(self.words[id_] for id_ in ids).replace("\u2581", " ").removeprefix(" ")

    assert TokenTexts(DropsFirstSpace()).of([0, 1, 2, 1]) == ["So", " x", "=4", " x"]


@given(st.text(max_size=30))
def test_the_tokens_texts_make_up_the_text(text):
    ids = encode(text)
    texts = TokenTexts(TOKENIZER).of([*ids, EOS])
    assert len(texts) == len(ids) + 1
    assert "".join(texts) == decode(TOKENIZER, ids)
    assert texts[-1] == ""  # EOS


def test_the_last_token_of_a_character_has_it():
    # "é" is two bytes and "😀" four, each byte a token of its own.
    assert TokenTexts(TOKENIZER).of(letters("x") + encode("é😀")) == ["x", "", "é", "", "", "", "😀"]


def test_tokens_that_are_no_characters_do_not_hold_back_the_rest():
    broken = encode("😀")[:1] * 40
    texts = TokenTexts(TOKENIZER).of([*broken, *letters("ok")])
    assert "".join(texts) == "\ufffd" * 40 + "ok"
    assert texts[-2:] == ["o", "k"]


def test_weights_are_joined_to_their_attempts_by_key(tmp_path):
    attempts = AttemptDump(tmp_path)
    for key, step in (("a_8_0", 10), (None, 10), ("b_8_0", 9)):
        attempts.write(AttemptRecord(step, "a", "q", "e", "c", key=key))
    ids = letters("x=4")
    write_weights(tmp_path, TOKENIZER, 10, ["a_8_0"], ["a"], jagged(ids), jagged([0.01, 1.23456, 10.0]))
    write_weights(tmp_path, TOKENIZER, 9, ["c_8_0"], ["c"], jagged(ids), jagged([1.0, 1.0, 1.0]))
    with open(tmp_path / "weights-10.jsonl", "a") as file:
        file.write('{"key": "b_8_0", "wei')

    assert [row["step"] for row in read_weights(tmp_path)] == [9, 10]
    joined = join_weights(list(read_dump(tmp_path)), tmp_path)
    assert [(record["key"], record["tokens"], record["weights"]) for record in joined] == [
        ("b_8_0", None, None),
        ("a_8_0", ["x", "=", "4"], [0.01, 1.23, 10.0]),
        (None, None, None),
    ]


def test_a_disk_that_cannot_be_written_is_logged(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.ERROR):
        write_weights(tmp_path / "file", TOKENIZER, 7, ["a_8_0"], ["a"], jagged([5]), jagged([1.0]))
    (record,) = caplog.records
    assert "step 7" in record.getMessage() and "tapo.dump_dir" in record.getMessage()
