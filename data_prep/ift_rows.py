"""IFT rows: the prompts that a synthesis mode shows the policy, each with the answer that it wants.

A verified-right trajectory that repeats the wrong response up to a step shows all that ``continuation`` asks for: the
number of the first wrong step, which is the last one that it repeats, and the answer that goes on after it.
"""

from collections.abc import Mapping

from data_prep.queries import Query
from data_prep.trajectories import is_tidy, synthesis_messages
from recipe_tapo.algorithm.chats import question_text
from recipe_tapo.algorithm.locate import numbered
from recipe_tapo.algorithm.prompts import (
    CONTINUATION,
    CONTINUATION_OWN,
    LOCATE,
    MICRO_REFLECTIVE,
    fill_template,
    load_template,
)
from recipe_tapo.algorithm.steps import repeated_steps, split_steps
from recipe_tapo.construction.locators import ANSWER_BEGUN, ANSWER_END

IFT_MODES: Mapping[str, tuple[str, ...]] = {
    MICRO_REFLECTIVE: (MICRO_REFLECTIVE,),
    CONTINUATION: (CONTINUATION,),
    "both": (MICRO_REFLECTIVE, CONTINUATION),
}
UNTIDY = "untidy_output"
NO_STEP = "no_step_repeated"
# Tokens that a step's number and its line take.
_NUMBER_TOKENS = 8

Chat = list[dict[str, str]]
IftRow = tuple[Chat, str, int]  # prompt, answer, most tokens of both


def rewriting_rows(query: Query, result: dict, template: str) -> list[IftRow] | str:
    """The synthesis prompt → the tagged output; or why there is no such row."""
    if not is_tidy(result["text"]):
        return UNTIDY
    prompt = synthesis_messages(template, query, result)
    return [(prompt, result["text"].strip(), result["prompt_tokens"] + result["tokens"])]


def continuation_rows(query: Query, result: dict) -> list[IftRow] | str:
    """The locating prompt → the step's number, and the continuing prompt → the trajectory; or why there are none.

    The answers begin as construction begins them for the policy: with the words in front of the number, and with the
    kept part of the wrong response.
    """
    error = result["error"].strip()
    steps = split_steps(error)
    repeated = repeated_steps(error, result["trajectory"].strip())
    if not repeated:
        return NO_STEP
    wrong = repeated[-1]
    shown = {"question": question_text(query.messages, query.extra_info), "correct_rollout": result["correct"].strip()}
    locating = fill_template(load_template(mode=LOCATE), numbered_steps=numbered(error, steps), **shown)
    wrong_step = error[wrong.start : wrong.end].strip()
    continuing = fill_template(load_template(mode=CONTINUATION_OWN), wrong_step=wrong_step, **shown)
    most = result["prompt_tokens"] + result["tokens"] + _NUMBER_TOKENS * len(steps)
    return [
        ([{"role": "user", "content": locating}], f"{ANSWER_BEGUN}{len(repeated)}{ANSWER_END}", most),
        ([{"role": "user", "content": continuing}], result["trajectory"], most),
    ]
