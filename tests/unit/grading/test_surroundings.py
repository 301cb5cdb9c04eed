"""What stands around a lone box and belongs to the answer."""

import pytest

from recipe_tapo.grading.extract import extract_answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        # A minus at the beginning of a formula or behind an equals sign; else it may be a difference or a bullet.
        (r"$-\boxed{5}$", "-5"),
        (r"$x = -\boxed{5}$", "-5"),
        (r"$-\boxed{a+b}$", "-(a+b)"),
        (r"$20-\boxed{5}=15$", "5"),
        ("- \\boxed{5}", "5"),
        # What multiplies it in the same formula.
        (r"$\boxed{50}\%$", r"50\%"),
        (r"$\boxed{5}\times 10^3$", r"5\times 10^3"),
        (r"$\boxed{12}\pi$", r"12\pi"),
        (r"\boxed{5} million", "5 million"),
        (r"$\boxed{7}$ dozens of eggs", "7"),
        (r"\boxed{5}!", "5"),
        # Another value behind an "or"; a restatement, a rounding and an equation are none.
        (r"\boxed{16} or 2", "16; 2"),
        (r"\boxed{16} or $2$.", "16; 2"),
        (r"\boxed{\frac{1}{3}} or 0.333", r"\frac{1}{3}"),
        (r"\boxed{16} or $2^4$", "16"),
        (r"\boxed{0.5} or 50%", "0.5"),
        (r"\boxed{120} or 2 hours", "120"),
        (r"$x=\boxed{16}$ or $x=2$", "16"),
        (r"\boxed{x+1} or $1-x$", "x+1"),
    ],
)
def test_surroundings(response, answer):
    assert extract_answer(response) == answer


def test_long_texts_around_a_box_are_left_alone():
    for noise in ("0." + "3" * 100_000, "$" + "1" * 100_000 + "$", " $" * 50_000, "\\," * 50_000):
        assert extract_answer(f"\\boxed{{6}} or {noise}") == "6"
