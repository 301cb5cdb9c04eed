import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_tapo.algorithm.parsing import parse_reconstruction
from recipe_tapo.reasons import RejectReason

INNER = "1+1=3\nWait. 1+1=2\nFinal Answer: \\boxed{2}"
GOOD = f"<analysis>\nStep 2.\n</analysis>\n<reconstruction>\n{INNER}\n</reconstruction>"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD + "\nSome closing words.",
        f"<reconstruction>{INNER}</reconstruction>",  # no analysis
        f"<ANALYSIS>a</ANALYSIS><Reconstruction >{INNER}< / reconstruction>",
        f"<analysis>I will write the <reconstruction> block now.</analysis><reconstruction>{INNER}</reconstruction>",
        f"<analysis>never closed <reconstruction>{INNER}</reconstruction>",
    ],
)
def test_the_reconstruction_is_found(text):
    assert parse_reconstruction(text).reconstruction == INNER


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", RejectReason.EMPTY_OUTPUT),
        (" \n\t", RejectReason.EMPTY_OUTPUT),
        ("The answer is \\boxed{2}.", RejectReason.MISSING_TAG),
        ("<analysis>only</analysis>", RejectReason.MISSING_TAG),
        (f"</reconstruction>{INNER}", RejectReason.MISSING_TAG),
        (f"<reconstruction>{INNER}", RejectReason.UNCLOSED_TAG),
        (f"</reconstruction><reconstruction>{INNER}", RejectReason.UNCLOSED_TAG),
        (f"<reconstruction>{INNER}<reconstruction>{INNER}</reconstruction></reconstruction>", RejectReason.NESTED_TAG),
        (f"<reconstruction><analysis>x</reconstruction>{INNER}", RejectReason.NESTED_TAG),
        (
            f"<reconstruction>{INNER}</reconstruction><reconstruction>{INNER}</reconstruction>",
            RejectReason.REPEATED_TAG,
        ),
        (f"<reconstruction>{INNER}</reconstruction></reconstruction>", RejectReason.REPEATED_TAG),
        ("<reconstruction>\n \n</reconstruction>", RejectReason.EMPTY_RECONSTRUCTION),
        ("<reconstruction>1+1=2, done.</reconstruction>", RejectReason.NO_FINAL_ANSWER),
        ("<reconstruction>1+1=2\nFinal Answer:</reconstruction>", RejectReason.NO_FINAL_ANSWER),
        ("<reconstruction>1+1=2\nFinal Answer: \\boxed{}</reconstruction>", RejectReason.NO_FINAL_ANSWER),
    ],
)
def test_what_is_rejected_is_named(text, reason):
    parsed = parse_reconstruction(text)
    assert parsed.reconstruction is None
    assert parsed.reason is reason


def test_an_output_cut_at_the_token_limit_counts_as_truncated():
    assert parse_reconstruction(f"<reconstruction>{INNER}", truncated=True).reason is RejectReason.TRUNCATED
    assert parse_reconstruction("<analysis>so long", truncated=True).reason is RejectReason.TRUNCATED
    # Cut after the closing tag nothing is lost.
    assert parse_reconstruction(GOOD, truncated=True).reconstruction == INNER


def test_mixed_languages_and_emoji_pass_through_unchanged():
    inner = "设 x=3 🤔\nПодожди, x=4 ✅\nFinal Answer: \\boxed{４}"
    assert parse_reconstruction(f"<reconstruction>{inner}</reconstruction>").reconstruction == inner


PIECES = st.sampled_from(
    ["<analysis>", "</analysis>", "<reconstruction>", "</reconstruction>", "<", "</", ">", "< reconstruction >"]
    + ["Final Answer: ", "\\boxed{", "}", "4", "\n", " ", "Wait", "推理", "🙃", "{question}", "\x00", "\ud800"]
)


@settings(max_examples=10_000, deadline=None)
@given(st.lists(PIECES | st.text(max_size=5), max_size=14).map("".join), st.booleans())
def test_no_text_raises_and_what_is_accepted_is_clean(text, truncated):
    parsed = parse_reconstruction(text, truncated)
    assert (parsed.reconstruction is None) == (parsed.reason is not None)
    if parsed.reconstruction is not None:
        assert parsed.reconstruction == parsed.reconstruction.strip() != ""
        assert parsed.reconstruction in text
        assert "<reconstruction>" not in parsed.reconstruction.lower()
