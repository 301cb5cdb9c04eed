"""Where a wrong rollout first goes wrong, by the policy's own scores."""

import pytest
from small_tokenizer import EOS, TOKENIZER, encode
from tokenizers_of_models import tokenizer_of

from recipe_tapo.algorithm.locate import evenly, fork, largest_fall, largest_gain, numbered, token_ends
from recipe_tapo.algorithm.steps import split_steps

TEXT = "2x = 8\nx = 3\nSo x = 3."


def test_the_step_whose_token_falls_most_is_the_first_wrong_one():
    # Falls by token: -0.5 -0.5 | -0.1 -6 | -2: the sum would say step 2 too, but of [-3 -3] | [-5] it would say step 1.
    assert largest_fall([-1, -1, -1, -0.1, -1], [-1.5, -1.5, -1.1, -6.1, -3], [2, 4, 5]) == 1
    assert largest_fall([0, 0, 0], [-3, -3, -5], [2, 3]) == 1


def test_where_nothing_falls_there_is_no_wrong_step():
    assert largest_fall([-2.0, -2.0], [-1.0, -2.0], [1, 2]) is None
    assert largest_fall([], [], []) is None


def test_a_step_without_tokens_of_its_own_is_never_chosen():
    assert largest_fall([0.0, 0.0], [-1.0, -4.0], [1, 1, 2]) == 2


def test_the_ends_of_steps_in_tokens_leave_eos_out():
    ids = [*encode("2x = 8\n"), *encode("x = 3\n"), *encode("So x = 3."), EOS]
    ends = token_ends(ids, split_steps(TEXT), TOKENIZER)
    assert ends == [len(encode("2x = 8\n")), len(encode("2x = 8\n")) + len(encode("x = 3\n")), len(ids) - 1]


def test_steps_are_numbered_from_one():
    assert numbered(TEXT, split_steps(TEXT)) == "[1] 2x = 8\n[2] x = 3\n[3] So x = 3."


@pytest.mark.parametrize(
    ("odds", "stretch"),
    [
        ([-2.0, -1.0, 3.0, 2.5], 1),  # gains 1, 4, -0.5
        ([-1.0, 1.0, 3.0], 0),  # 2 and 2: the first
        # From 5 to 20 the policy was certain before; from -1 to 5 it comes to be so.
        ([-1.0, 5.0, 20.0], 0),
        ([4.0, 3.0, 1.0], None),
        ([9.0, 8.5, 7.0, 12.0], None),  # certain all along
    ],
)
def test_the_step_that_raises_the_odds_most_decides_the_answer(odds, stretch):
    assert largest_gain(odds) == stretch


@pytest.mark.parametrize(
    ("count", "most", "numbers"),
    [(3, 64, [1, 2, 3]), (10, 4, [3, 5, 8, 10]), (5, 5, [1, 2, 3, 4, 5]), (1, 64, [1]), (130, 64, None)],
)
def test_many_steps_are_asked_about_evenly_and_the_last_one_always(count, most, numbers):
    chosen = evenly(count, most)
    assert chosen[-1] == count and len(chosen) == min(count, most) == len(set(chosen))
    assert max(b - a for a, b in zip([0, *chosen], chosen, strict=False)) == -(-count // most)
    assert numbers in (None, chosen)


@pytest.mark.parametrize("kind", ["byte_level", "metaspace:first"])
def test_two_answers_part_where_their_tokens_do(kind):
    tokenizer = tokenizer_of(kind)
    lead, first, second = fork("So \\boxed{", "x = 3}", "x = 4}", tokenizer)
    whole = tokenizer.encode("So \\boxed{x = 3}", add_special_tokens=False)
    assert whole[: len(lead) + 1] == [*lead, first]
    assert tokenizer.encode("So \\boxed{x = 4}", add_special_tokens=False)[len(lead)] == second != first
    # "1}" against "12}": they part at the brace.
    assert fork("So ", "1}", "12}", tokenizer) is not None
    assert fork("So ", "1}", "1}", tokenizer) is None
