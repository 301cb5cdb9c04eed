import re
import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_tapo.algorithm.parsing import Parsed, parse_reconstruction
from recipe_tapo.reasons import Recovery, RejectReason

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
        f"<analysis>a <reconstruction>\n{INNER}\n</reconstruction>\n</analysis>",  # encloses it
        f"<think>Draft: {GOOD.replace('2}', '3}')} No.</think>\n{GOOD}",
        f"A chat template that begins the thinking: <reconstruction></think>{GOOD}",
        f"<analysis>a</analysis><reconstruction>{INNER}<\\/reconstruction>",
        f"**<analysis>**a**</analysis>**\n**<reconstruction>**\n{INNER}\n**</reconstruction>**",
        f"### <reconstruction>\n{INNER}\n### </reconstruction>",
        f"<reconstruction>\n```\n{INNER}\n```\n</reconstruction>",
    ],
)
def test_the_reconstruction_is_found(text):
    assert parse_reconstruction(text).reconstruction == INNER


def test_a_draft_in_thinking_that_was_cut_off_is_no_reconstruction():
    cut_off = f"<think>\nThe format first: {GOOD} But is the style kept?"
    assert parse_reconstruction(cut_off, truncated=True).reason is RejectReason.TRUNCATED
    assert parse_reconstruction(f"{cut_off}</think>\n{GOOD} And", truncated=True).reason is None


def test_the_thinking_of_the_wrong_rollout_may_be_repeated():
    repeated = f"2+2=5.\n</think>\nWait, 4.\n{INNER}"
    for before in ("", "<analysis>a</analysis>", "My own thinking.</think>\n<analysis>a</analysis>"):
        assert parse_reconstruction(f"{before}<reconstruction>{repeated}</reconstruction>").reconstruction == repeated
    assert parse_reconstruction(f"<reconstruction>{INNER}\n</think></reconstruction>").reconstruction == INNER


@pytest.mark.parametrize(
    "answer",
    [
        "Final answer is: x = 5",
        "The final answer is: Monday at noon",
        "### Final Answer ###\n5",
        "The final answer is −3",
        "The final answer is `42`",
    ],
)
def test_whatever_states_a_final_answer_is_one(answer):
    text = f"1+1=2.\n{answer}"
    assert parse_reconstruction(f"<reconstruction>{text}</reconstruction>").reconstruction == text


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
        ("<reconstruction>The final answer is wrong, so go on.</reconstruction>", RejectReason.NO_FINAL_ANSWER),
        ("<reconstruction>The final answer is not\nright.</reconstruction>", RejectReason.NO_FINAL_ANSWER),
        ("<reconstruction>I check the final answer once more.</reconstruction>", RejectReason.NO_FINAL_ANSWER),
        (f"<reconstruction>{INNER}<reconstruction/></reconstruction>", RejectReason.NESTED_TAG),
        (f"<think>{GOOD}</think>", RejectReason.EMPTY_OUTPUT),
        ("<reconstruction>1+1=2\nFinal Answer: \\boxed{}</reconstruction>", RejectReason.NO_FINAL_ANSWER),
    ],
)
def test_what_is_rejected_is_named(text, reason):
    parsed = parse_reconstruction(text, recover=False)
    assert parsed.reconstruction is None
    assert parsed.reason is reason
    # Of all these only the lone opening tag leaves no doubt.
    assert parse_reconstruction(text) == parsed or text == f"<reconstruction>{INNER}"


def test_an_output_cut_at_the_token_limit_counts_as_truncated():
    assert parse_reconstruction(f"<reconstruction>{INNER}", truncated=True).reason is RejectReason.TRUNCATED
    assert parse_reconstruction("<analysis>so long", truncated=True).reason is RejectReason.TRUNCATED
    # Cut after the closing tag nothing is lost.
    assert parse_reconstruction(GOOD, truncated=True).reconstruction == INNER


@pytest.mark.parametrize(
    "answer",
    ["\\boxed{2}", "Final Answer: 2", "**Final answer:** yes", "**Final Answer**\n\n2", "So the final answer is $2$."]
    + ["The final answer is 2.", "The final answer is **Evelyn**.", "the final answer is: -2", "Final Answer = x"],
)
def test_what_a_final_answer_is(answer):
    assert parse_reconstruction(f"<reconstruction>{answer}</reconstruction>").reconstruction == answer


def test_a_reconstruction_may_be_allowed_to_state_its_answer_in_another_way():
    text = "<reconstruction>1+1=2\nThe answer is B.</reconstruction>"
    assert parse_reconstruction(text).reason is RejectReason.NO_FINAL_ANSWER
    assert parse_reconstruction(text, needs_answer=False).reconstruction == "1+1=2\nThe answer is B."
    # One behind the tag belongs to it all the same.
    behind = parse_reconstruction(f"{text}\nFinal Answer: B", needs_answer=False)
    assert behind.reconstruction == "1+1=2\nThe answer is B.\nFinal Answer: B"
    assert parse_reconstruction("<reconstruction> </reconstruction>", needs_answer=False).reconstruction is None


def test_code_and_emphasis_that_belong_to_the_reconstruction_stay():
    for inner in (f"```python\nprint(2)\n```\n{INNER}\n```\n2\n```", f"**1+1**\n{INNER}", f"```python\n{INNER}\n```"):
        assert parse_reconstruction(f"<reconstruction>\n{inner}\n</reconstruction>").reconstruction == inner


def test_mixed_languages_and_emoji_pass_through_unchanged():
    inner = "设 x=3 🤔\nПодожди, x=4 ✅\nFinal Answer: \\boxed{４}"
    assert parse_reconstruction(f"<reconstruction>{inner}</reconstruction>").reconstruction == inner


TAGS = ["<analysis>", "</analysis>", "<reconstruction>", "</reconstruction>", "<", "</", ">", "< reconstruction >"]
WORDS = ["Final Answer: ", "\\boxed{", "}", "4", "\n", " ", "Wait", "推理", "🙃", "{question}", "\x00", "\ud800"]
PIECES = st.sampled_from([*TAGS, *WORDS])


def parsed_cleanly(text, truncated):
    parsed = parse_reconstruction(text, truncated, recover=False)
    assert (parsed.reconstruction is None) == (parsed.reason is not None)
    assert parsed.recovered is None
    if parsed.reconstruction is not None:
        assert parsed.reconstruction == parsed.reconstruction.strip() != ""
        assert parsed.reconstruction in text
        assert "<reconstruction>" not in parsed.reconstruction.lower()
    return parsed


@settings(max_examples=1_000, deadline=None)
@given(st.lists(PIECES | st.text(max_size=5), max_size=14).map("".join), st.booleans())
def test_no_text_raises(text, truncated):
    parsed_cleanly(text, truncated)


def test_what_is_accepted_of_ten_thousand_texts_is_clean():
    random, accepted = Random(0), 0
    for _ in range(10_000):
        before, inner, behind = (
            "".join(random.choices([*TAGS, *WORDS * 8], k=random.randrange(most))) for most in (4, 10, 3)
        )
        text = f"{before}<reconstruction>{inner}Final Answer: 4</reconstruction>{behind}"
        accepted += parsed_cleanly(text, truncated=random.random() < 0.5).reconstruction is not None
    assert 2_000 < accepted < 8_000


MARKS = st.sampled_from(
    [
        "## Reconstruction\n",
        "\n**Rebuilt reasoning:**\n",
        "\n\n",
        "```",
        "\\)",
        "\\(",
        "Final Answer: 4\n",
        "\\boxed{4}",
    ]
)


@settings(max_examples=2_000, deadline=None)
@given(st.lists(MARKS | PIECES, max_size=10).map("".join), st.booleans())
def test_recovery_only_turns_rejections_into_clean_reconstructions(text, truncated):
    strict = parse_reconstruction(text, truncated, recover=False)
    parsed = parse_reconstruction(text, truncated)
    if parsed.recovered is None:
        assert parsed == strict
        return
    assert not truncated
    assert strict.reconstruction is None and parsed.reason is None and parsed.reconstruction is not None
    assert parsed.reconstruction == parsed.reconstruction.strip()
    assert re.search(r"\\boxed\s*\{|final\s+answer", parsed.reconstruction, re.IGNORECASE)
    assert not re.search(r"<\s*/?\s*(analysis|reconstruction)\s*>", parsed.reconstruction, re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "how"),
    [
        (f"<analysis>a</analysis>\n<reconstruction>\n{INNER}", Recovery.MISSING_CLOSING_TAG),
        (f"<analysis>a</analysis>\n<reconstruction>\n{INNER}\n```\n", Recovery.MISSING_CLOSING_TAG),
        (f"<analysis>a</analysis>\n<reconstruction>\n{INNER}\\)", Recovery.MISSING_CLOSING_TAG),
        (f"<analysis>a</analysis>\n<reconstruction>\n{INNER}\n\\]\n", Recovery.MISSING_CLOSING_TAG),
        (f"### <analysis>\nnever closed\n\n### <reconstruction>\n{INNER}", Recovery.MISSING_CLOSING_TAG),
        (f"## Analysis\nStep 2.\n\n## Reconstruction\n{INNER}", Recovery.HEADINGS),
        (f"### Analysis\nStep 2.\n</analysis>\n\n### Reconstruction\n{INNER}", Recovery.HEADINGS),
        (f"**Analysis**\nStep 2.\n**Reconstruction:**\n{INNER}", Recovery.HEADINGS),
        (f"<analysis>Step 2.</analysis> **Reconstruction**\r\n{INNER}", Recovery.HEADINGS),
        (f"Step 2 is wrong.\nRebuilt reasoning:\n{INNER}", Recovery.HEADINGS),
        (f"## Reconstruction\nThe rebuilt reasoning:\n\n{INNER}", Recovery.HEADINGS),
        (f"<analysis>Step 2.\n**Reconstructed reasoning:**\n{INNER}\n</reconstruction>\n```", Recovery.HEADINGS),
    ],
)
def test_what_leaves_no_doubt_is_recovered(text, how):
    assert parse_reconstruction(text) == Parsed(reconstruction=INNER, recovered=how)
    for rejected in (parse_reconstruction(text, recover=False), parse_reconstruction(text, truncated=True)):
        assert rejected.reconstruction is None


@pytest.mark.parametrize(
    "tail", ["\nFinal Answer: \\boxed{2}", "\n\n**Final Answer:** \\boxed{2}\\)\n", "Final answer: 2"]
)
def test_an_answer_behind_the_closing_tag_belongs_to_the_reconstruction(tail):
    parsed = parse_reconstruction(f"<reconstruction>\n1+1=3\nWait. 1+1=2\n</reconstruction>{tail}")
    assert parsed.recovered is Recovery.ANSWER_BEHIND_TAG
    assert parsed.reconstruction == f"1+1=3\nWait. 1+1=2\n{tail.strip().removesuffix(chr(92) + ')')}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            f"<reconstruction>{INNER}\n\n(Revised to follow the format.)",
            RejectReason.UNCLOSED_TAG,
        ),  # where does it end?
        ("<reconstruction>1+1=2, done.", RejectReason.UNCLOSED_TAG),  # no final answer
        (f"<reconstruction>{INNER}<reconstruction>{INNER}", RejectReason.UNCLOSED_TAG),  # which of the two?
        (f"<reconstruction>{INNER}<analysis>", RejectReason.UNCLOSED_TAG),
        (f"<reconstruction>{INNER}\n</reconstruct>", RejectReason.UNCLOSED_TAG),
        (f"<reconstruction>{INNER}\n</Reconstruction", RejectReason.UNCLOSED_TAG),
        (f"<reconstruction>{INNER}\n[/reconstruction]\n", RejectReason.UNCLOSED_TAG),
        (f"<reconstruction>{INNER}</", RejectReason.UNCLOSED_TAG),
        (f"<reconstruction>{INNER}\n<reconstruction/>", RejectReason.UNCLOSED_TAG),
        (f"<reconstruction>{INNER}\n<\\/reconstruct>", RejectReason.UNCLOSED_TAG),
        (f"<reconstruction>{INNER}\nThis keeps the style and follows the format.", RejectReason.UNCLOSED_TAG),
        (f"<reconstruction>{INNER}\n我保持了原来的写法。", RejectReason.UNCLOSED_TAG),
        (f"Reconstruction\n{INNER}", RejectReason.MISSING_TAG),  # a word, not marked as a heading
        (f"The reconstruction: {INNER}", RejectReason.MISSING_TAG),  # a sentence
        (f"## Reconstruction\n{INNER}\n## Reconstruction\n{INNER}", RejectReason.MISSING_TAG),
        (f"## Reconstruction\n{INNER}\n</reconstruction>\nMore words.", RejectReason.MISSING_TAG),
        (f"</reconstruction>\n## Reconstruction\n{INNER}", RejectReason.MISSING_TAG),
        (f"## Reconstruction\n<analysis>a\n{INNER}", RejectReason.MISSING_TAG),
        ("## Reconstruction\n1+1=2, done.", RejectReason.MISSING_TAG),
        ("<reconstruction>1+1=2</reconstruction>\nThe Final Answer: 2", RejectReason.NO_FINAL_ANSWER),
        ("<reconstruction>1+1=2</reconstruction>\nFinal Answer: 2\n\nGood luck!", RejectReason.NO_FINAL_ANSWER),
        (
            "<reconstruction>1+1=2</reconstruction>\nFinal Answer: 2\nI kept the style of it.",
            RejectReason.NO_FINAL_ANSWER,
        ),
        ("<reconstruction>1+1=2</reconstruction>\nFinal Answer:", RejectReason.NO_FINAL_ANSWER),
        ("<reconstruction></reconstruction>\nFinal Answer: 2", RejectReason.EMPTY_RECONSTRUCTION),
    ],
)
def test_what_leaves_doubt_stays_rejected_by_name(text, reason):
    assert parse_reconstruction(text) == parse_reconstruction(text, recover=False) == Parsed(reason=reason)


def test_only_what_nothing_opened_is_debris():
    fenced = "```python\nprint(2)\n```"
    for ending in (fenced, "\\(x = 2\\)", "\\[\n\\boxed{2}\n\\]"):
        text = f"Final Answer: \\boxed{{2}}\n{ending}"
        assert parse_reconstruction(f"<reconstruction>{text}").reconstruction == text


UNITS = [
    "<",
    "<\n",
    "</",
    "< / ",
    "<reconstruction",
    "<analysis>",
    "</reconstruction>",
    " ",
    "\n",
    "\n \n",
    "\t",
    "\r\n",
]
UNITS += [
    "a",
    "推",
    "🙃",
    "\x00",
    "#",
    "# ",
    "#\n",
    "*",
    "`",
    "\\)",
    "\\[",
    "Reconstruction:",
    "final answer is ",
    "final answer\n",
    "word ",
    "\nword ",
    "<reconstruction /",
    "</think>",
    "**\n",
    "\n##",
    "```\n",
    "## Reconstruction\n",
    "the ",
]
UNITS += [
    "\\boxed",
    "\\boxed ",
    "\\boxed{",
    "\\boxed{a}\n\n",
    "final ",
    "final answer",
    "Final Answer: ",
    "final answer*",
]
# What brings the text before each of the searches.
STARTS = ["<", "<reconstruction>", "## Reconstruction\n", "<reconstruction>x</reconstruction>Final Answer"]


def _seconds(text: str) -> float:
    """Of the processor, so that a busy machine does not count."""
    start = time.process_time()
    parse_reconstruction(text)
    return time.process_time() - start


@pytest.mark.timeout(120)
@pytest.mark.parametrize("start", STARTS)
def test_a_megabyte_of_anything_is_parsed_at_once(start):
    """About 0.1 s; the bounds are far above, for a busy machine, and far below the hours of quadratic time."""
    for unit in UNITS:
        for size, bound in ((20_000, 2), (1_000_000, 5)):  # in quadratic time the small one takes 7 s already
            assert _seconds(start + unit * (size // len(unit))) < bound, (unit, size)


@pytest.mark.timeout(120)
@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["", *STARTS]), st.lists(st.sampled_from(UNITS) | st.text(max_size=3), min_size=1, max_size=4))
def test_parsing_is_linear_in_repeated_strings(start, units):
    unit = "".join(units) or "<"
    assert _seconds(start + unit * (20_000 // len(unit)) + "x") < 2
