"""What a judge says of one response, and what is done with anything else it says."""

import hashlib
import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

Answer = Literal["yes", "no", "unsure"]

QUESTIONS = ("reflection_attempted", "error_located", "error_diagnosed", "led_to_right_answer")

# Where the chat template begins the thinking, the output has its end alone.
_THINKING = re.compile(r"\A(?!\s*(?:\{|```)).*?</think>", re.DOTALL)
_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?```\Z", re.DOTALL)


class JudgeVerdict(BaseModel):
    """The answers to the judge prompt's four questions, and the words that decided."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="Verdict")

    evidence: str
    reflection_attempted: Answer
    error_located: Answer
    error_diagnosed: Answer
    led_to_right_answer: Answer

    @property
    def contradictory(self) -> bool:
        """Whether it denies what it builds on, such as a diagnosis of an error that was not located."""
        if self.reflection_attempted == "no":
            return "yes" in (self.error_located, self.error_diagnosed, self.led_to_right_answer)
        return self.error_located == "no" and "yes" in (self.error_diagnosed, self.led_to_right_answer)


class Malformed(str, Enum):
    """Why a judge's output is no verdict."""

    REFUSED = "refused"
    CUT_SHORT = "cut_short"
    NO_JSON = "no_json"
    WRONG_FIELDS = "wrong_fields"
    CONTRADICTORY = "contradictory"


@dataclass(frozen=True)
class Outcome:
    """A verdict, or why there is none.

    Attributes:
        verdict: None where the output is malformed.
        malformed: What is wrong with it.
        output: The judge's words where they are no verdict.
    """

    verdict: JudgeVerdict | None = None
    malformed: Malformed | None = None
    output: str = ""

    def answer(self, question: str) -> str:
        """The answer to one of ``QUESTIONS``; ``malformed`` where there is no verdict."""
        return getattr(self.verdict, question) if self.verdict else "malformed"


@dataclass(frozen=True)
class Case:
    """What a judge is shown."""

    question: str
    gold: str
    response: str

    @property
    def digest(self) -> str:
        """Tells it from every other case."""
        text = json.dumps([self.question, self.gold, self.response])
        return hashlib.sha256(text.encode()).hexdigest()


def parse_verdict(output: str) -> Outcome:
    """Reads a judge's output; a thinking part before it and a code fence around it are allowed. Never raises."""
    text = _THINKING.sub("", output).strip()
    fenced = _FENCE.match(text)
    try:
        values = json.loads(fenced.group(1) if fenced else text)
    except (ValueError, RecursionError):
        return Outcome(malformed=Malformed.NO_JSON, output=output)
    try:
        verdict = JudgeVerdict.model_validate(values)
    except ValidationError:
        return Outcome(malformed=Malformed.WRONG_FIELDS, output=output)
    if verdict.contradictory:
        return Outcome(malformed=Malformed.CONTRADICTORY, output=output)
    return Outcome(verdict=verdict)
