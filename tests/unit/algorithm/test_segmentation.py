r"""Where y⁻'s own tokens end and others begin, in tokenizers of all kinds: never where the tokenizer would end none.

Twelve thousand texts. What the tokenizer's own boundaries are is taken from the offsets that it reports, which the code
under test does not use.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, normalizers
from tokenizers_of_models import EOS, KINDS, tokenizer_of
from transformers import PreTrainedTokenizerFast

from recipe_tapo.algorithm.splice import clean_steps, cut, join, splice
from recipe_tapo.algorithm.steps import split_steps
from recipe_tapo.algorithm.tokens import decode, token_places

TEXTS = 2000

PIECES = st.sampled_from(
    ["So x = 3.", "\n", "\n\n", ".\n\n", " ", "  ", "Wait", ", let me double-check that.", "\\[ x = \\frac{1}{2} \\]",
     "3*3=9\n", "Final Answer: \\boxed{4}", "}", "```\ncode\n```\n", "推理", "。", "🤔", "é", "- x\n", "\t", "▁", "##"]
)  # fmt: skip
TEXT = st.lists(PIECES | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=3), max_size=7).map("".join)


def ids_of(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False)


def sampled_ids(tokenizer, text, at):
    """Ids that a policy may sample: the text in two parts, which the tokenizer would not always cut there."""
    ids = ids_of(tokenizer, text)
    at %= len(ids) + 1
    return [*ids[:at], *ids_of(tokenizer, decode(tokenizer, ids[at:])), tokenizer.eos_token_id]


def boundaries(tokenizer, text):
    """Where the tokenizer ends a token, in characters, the beginning of the text among them."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return {0, *(end for _, end in offsets)}


def round_trips(tokenizer, text):
    return decode(tokenizer, ids_of(tokenizer, text)) == text


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=TEXTS // 2, deadline=None, derandomize=True)
@given(TEXT, TEXT, TEXT, st.integers(0, 100))
def test_a_splice_keeps_y_minus_own_tokens_up_to_a_boundary_of_the_whole_text(kind, shared, error_rest, rest, at):
    tokenizer = tokenizer_of(kind)
    error, text = shared + error_rest, (shared + rest).strip()
    if not round_trips(tokenizer, text):
        return
    sampled = sampled_ids(tokenizer, error, at)
    row = splice(text, sampled, tokenizer)
    assert row.ids[: row.prefix_length] == sampled[: row.prefix_length]
    whole = decode(tokenizer, row.ids)
    assert whole.strip() == text
    kept = decode(tokenizer, row.ids[: row.prefix_length])
    assert whole.startswith(kept)
    assert len(kept) in boundaries(tokenizer, whole)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=TEXTS // 2, deadline=None, derandomize=True)
@given(TEXT, TEXT, TEXT, st.integers(0, 100))
def test_a_cut_and_what_is_joined_behind_it_are_the_text_and_end_tokens_where_the_tokenizer_does(
    kind, kept, error_rest, behind, at
):
    tokenizer = tokenizer_of(kind)
    sampled = sampled_ids(tokenizer, kept + error_rest, at)
    error = decode(tokenizer, sampled)
    count = cut(sampled, min(len(kept), len(error)), tokenizer)
    if count is None:
        return
    text = decode(tokenizer, sampled[:count])
    assert text == error[: len(kept)]
    assert len(text) in boundaries(tokenizer, error)
    row = join(sampled[:count], behind, tokenizer)
    if not round_trips(tokenizer, text + behind):
        return
    assert row is not None
    assert row.prefix_length <= count and row.ids[: row.prefix_length] == sampled[: row.prefix_length]
    assert decode(tokenizer, row.ids) == text + behind
    assert len(decode(tokenizer, row.ids[: row.prefix_length])) in boundaries(tokenizer, text + behind)


# Beginnings of lines that no token of these vocabularies holds: with byte fallback a line break is a byte as well.
LINES = st.sampled_from(["∴ y = 4.", "首先 x = 3。", "🤔", "✅ done", "So x = 3.", "é", "综上，", "\n", "Wait"])


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=TEXTS // 10, deadline=None, derandomize=True)
@given(st.lists(TEXT | LINES, min_size=1, max_size=4), st.lists(TEXT | LINES, max_size=4))
def test_a_text_can_be_cut_wherever_the_tokenizer_ends_a_token(kind, first, rest):
    tokenizer = tokenizer_of(kind)
    kept, text = "\n".join([*first, ""]), "\n".join([*first, *rest])
    at = min(len(kept), len(text))
    if not round_trips(tokenizer, text) or "\ufffd" in text or at not in boundaries(tokenizer, text):
        return
    ids = ids_of(tokenizer, text)
    count = cut(ids, at, tokenizer)
    assert count is not None and decode(tokenizer, ids[:count]) == text[:at]


@pytest.mark.parametrize("kind", KINDS)
def test_before_a_line_of_unknown_characters_there_is_a_cut(kind):
    tokenizer = tokenizer_of(kind)
    text = "So x = 3.\n∴ y = 4.\n首先 z = 5.\n✅ done.\nFinal Answer: \\boxed{4}\n"
    if not round_trips(tokenizer, text):
        return
    ids = ids_of(tokenizer, text)
    steps = split_steps(text)
    assert clean_steps(steps, ids, tokenizer) == steps and len(steps) == 5
    assert [decode(tokenizer, ids[: cut(ids, step.end, tokenizer)]) for step in steps] == [
        text[: step.end] for step in steps
    ]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=TEXTS // 10, deadline=None, derandomize=True)
@given(st.lists(TEXT | LINES, min_size=1, max_size=4).map("\n".join), st.integers(0, 100))
def test_the_steps_that_are_named_are_those_that_can_be_cut(kind, text, at):
    tokenizer = tokenizer_of(kind)
    ids = sampled_ids(tokenizer, text, at)
    text = decode(tokenizer, ids)
    if not round_trips(tokenizer, text) or "\ufffd" in text:
        return
    steps = split_steps(text)
    named = clean_steps(steps, ids, tokenizer)
    assert "".join(text[step.start : step.end] for step in named) == text
    ends = [step.end for step in steps if cut(ids, step.end, tokenizer) is not None or step == steps[-1]]
    assert [step.end for step in named] == ends


def test_many_places_are_found_in_time_linear_in_the_tokens(monkeypatch):
    tokenizer = tokenizer_of("byte_level")
    line, decoded = "So x = 3 and so on.\n", []
    decode_ids = tokenizer.decode

    def counting(ids, **options):
        decoded.append(len(ids))
        return decode_ids(ids, **options)

    monkeypatch.setattr(tokenizer, "decode", counting)
    work = []
    for lines in (100, 200):
        text = line * lines
        ids = ids_of(tokenizer, text)
        places = token_places(ids, [step.end for step in split_steps(text)], tokenizer)
        assert places == [(len(ids) * i // lines, len(line) * i) for i in range(1, lines + 1)]
        work.append(sum(decoded))
        decoded.clear()
    assert work[1] < 2.2 * work[0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_repeated_is_preserved_whatever_the_tokenizer_does_with_a_first_space(kind):
    tokenizer = tokenizer_of(kind)
    error = "3*3=9\n9+4=0\nFinal Answer: \\boxed{0}"
    sampled = [*ids_of(tokenizer, error), tokenizer.eos_token_id]
    row = splice("3*3=9\n9+4=0\nWait, 9+4=13.", sampled, tokenizer)
    assert decode(tokenizer, row.ids[: row.prefix_length]) == "3*3=9\n9+4=0\n"


def test_a_paragraphs_end_is_one_token_where_the_tokenizer_has_one():
    tokenizer = tokenizer_of("byte_level")
    paragraph = ids_of(tokenizer, ".\n\n")
    assert len(paragraph) == 1
    sampled = ids_of(tokenizer, "So x = 3.\nFinal")
    row = splice("So x = 3.\n\nWait", sampled, tokenizer)
    assert row.prefix_length == len(ids_of(tokenizer, "So x = 3"))  # ".\n" is given back
    assert row.ids[row.prefix_length] == paragraph[0]
    row = join(ids_of(tokenizer, "So x = 3."), "\n\nWait", tokenizer)
    assert row.ids[row.prefix_length] == paragraph[0]


def test_nothing_is_joined_behind_as_it_is():
    tokenizer = tokenizer_of("metaspace:always")
    ids = ids_of(tokenizer, "So x = 3.\n")
    assert join(ids, "", tokenizer).ids == ids
    # Text by itself would begin with a dummy space.
    assert decode(tokenizer, join(ids, "Wait", tokenizer).ids) == "So x = 3.\nWait"


def decomposed():
    """A tokenizer that writes composed characters, as Qwen's does, and a rollout with one that is not."""
    backend = Tokenizer.from_str(tokenizer_of("byte_level").backend_tokenizer.to_str())
    plain = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=EOS, clean_up_tokenization_spaces=False)
    text = "The cafe\u0301 sells 3.\nSo x = 3.\nThen y = 4.\n"
    ids = ids_of(plain, text)
    backend = Tokenizer.from_str(backend.to_str())
    backend.normalizer = normalizers.NFC()
    return (
        PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=EOS, clean_up_tokenization_spaces=False),
        text,
        ids,
    )


def test_a_character_that_the_tokenizer_writes_otherwise_hinders_no_cut_behind_it():
    tokenizer, text, ids = decomposed()
    assert not round_trips(tokenizer, text) and decode(tokenizer, ids) == text
    for step in split_steps(text):
        count = cut(ids, step.end, tokenizer)
        row = join(ids[:count], "Wait, this", tokenizer)
        assert row.ids[: row.prefix_length] == ids[:count]
        assert decode(tokenizer, row.ids) == text[: step.end] + "Wait, this"


@pytest.mark.parametrize("kind", KINDS)
def test_sentences_with_spaces_between_them_can_be_cut(kind):
    tokenizer = tokenizer_of(kind)
    text = "2x=8이다. So x=3이다. y=4."
    ids = ids_of(tokenizer, text)
    assert [text[step.start : step.end] for step in clean_steps(split_steps(text), ids, tokenizer)] == [
        "2x=8이다.",
        " So x=3이다.",
        " y=4.",
    ] or not round_trips(tokenizer, text)
