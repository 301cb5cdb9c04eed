import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizer import EOS, TOKENIZER, encode, letters
from tokenizers_of_models import tokenizer_of

from recipe_tapo.algorithm.chats import question_text, teacher_chat
from recipe_tapo.algorithm.splice import join, splice
from recipe_tapo.algorithm.tokens import choose_eos, decode
from recipe_tapo.algorithm.trajectory import Trajectory, build_trajectory
from recipe_tapo.reasons import RejectReason


def test_the_repeated_part_keeps_its_sampled_ids_even_where_the_tokenizer_would_segment_otherwise():
    error = "2x = 8\nDivide by 2: x = 3\nSo x = 3."
    sampled = [*letters("2x = 8\n"), *encode("Divide by 2: x = 3\n"), *encode("So x = 3."), EOS]
    assert letters("2x = 8\n") != encode("2x = 8\n")
    reconstruction = "2x = 8\nDivide by 2: x = 3\nWait, let me double-check.\nSo x = 4."

    row = splice(reconstruction, sampled, TOKENIZER)

    shared = len(letters("2x = 8\n")) + len(encode("Divide by 2: x = 3\n"))
    assert error.startswith("2x = 8\nDivide by 2: x = 3\n")
    assert row.prefix_length == shared
    assert row.ids[:shared] == sampled[:shared]
    assert decode(TOKENIZER, row.ids) == reconstruction


def test_eos_is_never_part_of_the_prefix():
    sampled = [*encode("x = 3"), EOS]
    row = splice("x = 3", sampled, TOKENIZER)
    assert row.ids == sampled[:-1]
    assert row.prefix_length == len(sampled) - 1


def test_a_rollouts_leading_white_space_is_kept_and_the_reconstructions_ignored():
    sampled = encode("\n x = 3\n")
    row = splice("\n\nx = 3\nWait", sampled, TOKENIZER)
    assert row.prefix_length > 0
    assert decode(TOKENIZER, row.ids) == "\n x = 3\nWait"


def test_a_prefix_never_ends_inside_a_character():
    # Two emoji that share their first three UTF-8 bytes: those byte tokens must not be kept.
    sampled = encode("x 🤔")
    row = splice("x 🤐 y", sampled, TOKENIZER)
    assert decode(TOKENIZER, row.ids) == "x 🤐 y"
    assert "\ufffd" not in decode(TOKENIZER, row.ids[: row.prefix_length])


def test_without_a_common_beginning_the_text_is_tokenised_as_it_is():
    row = splice("So x = 4.", encode("2x = 8"), TOKENIZER)
    assert (row.prefix_length, row.ids) == (0, encode("So x = 4."))
    assert splice("x", [], TOKENIZER).prefix_length == 0


PIECES = ["2x = 8", "\n", " ", "x = 3", "Wait", "🤔", "🤐", "é", "推理", "\\boxed{", "}", "\ufffd"]
TEXT = st.lists(
    st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=8
).map("".join)


@settings(max_examples=1_000, deadline=None)
@given(TEXT, TEXT, TEXT, st.integers(0, 2**32))
def test_the_decoded_splice_is_the_text_it_stands_for(shared, error_rest, rest, seed):
    check_splice(shared, error_rest, rest, seed)


def test_the_decoded_splice_is_the_text_it_stands_for_ten_thousand_times():
    random = Random(0)
    for _ in range(10_000):
        shared, error_rest, rest = ("".join(random.choices(PIECES, k=random.randrange(9))) for _ in range(3))
        check_splice(shared, error_rest, rest, random.randrange(2**32))


def check_splice(shared, error_rest, rest, seed):
    error = shared + error_rest
    cut = seed % (len(error) + 1)
    sampled = encode(error[:cut]) + encode(error[cut:]) + [EOS]  # a segmentation the tokenizer need not choose
    row = splice(shared + rest, sampled, TOKENIZER)
    assert decode(TOKENIZER, row.ids).strip() == (shared + rest).strip()
    assert row.ids[: row.prefix_length] == sampled[: row.prefix_length]


BUILD = {"truncated": False, "tokenizer": TOKENIZER, "eos_token_id": EOS, "max_response_length": 64}
OUTPUT = "<reconstruction>\n2x = 8\nx = 3\nWait, x = 4\nFinal Answer: \\boxed{4}\n</reconstruction>"


def test_a_row_ends_with_eos_and_trains_on_every_token():
    row = build_trajectory(OUTPUT, error_ids=[*encode("2x = 8\nx = 3\nFinal"), EOS], **BUILD)
    assert isinstance(row, Trajectory)
    assert row.response_ids[-1] == EOS
    assert row.response_mask == [1] * len(row.response_ids)
    assert row.text == "2x = 8\nx = 3\nWait, x = 4\nFinal Answer: \\boxed{4}"


def test_the_mask_prefix_leaves_the_preserved_tokens_out():
    row = build_trajectory(OUTPUT, error_ids=encode("2x = 8\nx = 3\nFinal"), mask="prefix", **BUILD)
    assert row.prefix_length > 0
    assert row.response_mask == [0] * row.prefix_length + [1] * (len(row.response_ids) - row.prefix_length)


@pytest.mark.parametrize("turn", ["Wait, x = 4", "Let me double-check: x = 4"])
def test_the_masked_mistake_is_a_step_of_the_rollout_however_the_turn_begins(turn):
    """ "Let" is how both the turn and the rollout's next step begin, so that it belongs to the common prefix."""
    error_ids = encode("2x = 8\nx = 3\nLet us write it down.\nFinal Answer: \\boxed{3}")
    output = OUTPUT.replace("Wait, x = 4", turn)
    row = build_trajectory(output, error_ids=error_ids, mask="mistake", **BUILD)
    right, mistake = len(encode("2x = 8\n")), len(encode("2x = 8\nx = 3\n"))
    assert row.prefix_length >= mistake - 1
    assert row.response_mask[:right] == [1] * right
    assert row.response_mask[right : row.prefix_length] == [0] * (row.prefix_length - right)
    assert row.response_mask[row.prefix_length :] == [1] * (len(row.response_ids) - row.prefix_length)


@pytest.mark.parametrize("gap", ["\n", "\n\n", " "])
def test_the_masked_mistake_is_the_last_step_repeated_whatever_stands_behind_it(gap):
    """Of ".\\n", one token of y⁻, a trajectory that goes on otherwise keeps nothing; but it repeats the step."""
    tokenizer = tokenizer_of("byte_level")
    right, mistake = "So 2x = 8.\n", "Divide by 2, so x = 3.\n"
    error_ids = tokenizer.encode(f"{right}{mistake}Final Answer: \\boxed{{3}}")
    output = OUTPUT.replace("2x = 8\nx = 3\nWait, x = 4", f"{right}{mistake.strip()}{gap}Wait, x = 4")
    row = build_trajectory(output, error_ids=error_ids, mask="mistake", **(BUILD | {"tokenizer": tokenizer}))
    shown = [i for i, trained in zip(row.response_ids, row.response_mask, strict=True) if not trained]
    assert tokenizer.decode(shown).startswith("Divide by 2, so x = 3")
    assert row.response_mask.index(0) == len(tokenizer.encode(right))


def test_the_teachers_chat_is_the_students_with_a_right_solution_in_it():
    template = "{question} | {correct_rollout}"
    student = [
        {"role": "system", "content": "Think in <think>."},
        {"role": "user", "content": [{"type": "text", "text": "2x=8? Box it."}]},
    ]
    asked = {"role": "user", "content": "2x=8? Box it. | x=4"}
    assert teacher_chat(template, student, "2x=8?", "x=4") == [student[0], asked]
    assert student[1]["content"] == [{"type": "text", "text": "2x=8? Box it."}]
    assert teacher_chat(template, [], "2x=8? Box it.", "x=4") == [asked]


def test_a_text_that_does_not_survive_encoding_is_given_up_soon(monkeypatch):
    """An ohm sign becomes an omega: no ids behind the prefix decode to it, however many of its own are given back."""
    tokenizer = tokenizer_of("byte_level")
    ids = tokenizer.encode("x = 1 and so on. " * 100, add_special_tokens=False)
    decoded = []
    decode = tokenizer.decode

    def counting(ids, **settings):
        decoded.append(len(ids))
        return decode(ids, **settings).replace("\u2126", "\u03a9")

    monkeypatch.setattr(tokenizer, "decode", counting)
    assert join(ids, "R = 3 \u2126", tokenizer) is None  # at the first seam already
    assert len(decoded) < 10 * math.log2(len(ids))


def test_a_required_prefix_that_is_missing_rejects():
    required = {**BUILD, "min_prefix_fraction": 0.5}
    assert build_trajectory(OUTPUT, error_ids=encode("y = 1"), **required) is RejectReason.PREFIX_TOO_SHORT
    assert isinstance(build_trajectory(OUTPUT, error_ids=encode("2x = 8\nx = 3\n"), **required), Trajectory)


def test_rows_longer_than_a_response_may_be_and_unfaithful_tokens_are_rejected():
    assert build_trajectory(OUTPUT, error_ids=[], **{**BUILD, "max_response_length": 5}) is RejectReason.TOO_LONG
    typed_eos = OUTPUT.replace("Wait", "Wait <|im_end|>")
    assert build_trajectory(typed_eos, error_ids=[], **BUILD) is RejectReason.NOT_TOKENIZABLE


def test_the_eos_is_the_one_the_policy_emits():
    assert choose_eos([[5, 7], [5, 9]], stop_ids={7, 9}, default=0) == 7
    assert choose_eos([[5, 6], [5, 9]], stop_ids={7, 9}, default=0) == 9  # the first was cut at the limit
    assert choose_eos([[], [5]], stop_ids={7}, default=7) == 7
    assert choose_eos([[5]], stop_ids={9, 7}, default=None) == 7  # a tokenizer without one


@pytest.mark.parametrize(
    ("raw_prompt", "extra_info", "expected"),
    [
        ([{"role": "user", "content": "1+1? Put it in a box."}], {"question": "1+1?"}, "1+1?"),
        ([{"role": "user", "content": " 1+1? "}], {}, "1+1?"),
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], None, "a"),
        ([{"role": "user", "content": [{"type": "text", "text": "1+1?"}]}], {"question": 7}, "1+1?"),
        ([], None, ""),
    ],
)
def test_the_question_of_the_synthesis_prompt(raw_prompt, extra_info, expected):
    assert question_text(raw_prompt, extra_info) == expected
