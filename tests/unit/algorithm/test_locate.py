"""Where a wrong rollout first goes wrong, by the self-teacher's scores."""

from small_tokenizer import EOS, TOKENIZER, encode

from recipe_tapo.algorithm.locate import largest_fall, numbered, token_ends
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
