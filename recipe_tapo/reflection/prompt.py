"""The judge prompt, a problem, its answer and a response -> instruction text; and the format asked for."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recipe_tapo.errors import InputError
from recipe_tapo.reflection.verdict import Case, JudgeVerdict

DEFAULT_PROMPT = Path(__file__).with_name("judge_prompt.txt")

RESPONSE_FORMATS: Mapping[str, dict[str, Any]] = {
    "json_schema": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "verdict", "strict": True, "schema": JudgeVerdict.model_json_schema()},
        }
    },
    "json_object": {"response_format": {"type": "json_object"}},
    "none": {},
}

_PLACEHOLDERS = ("question", "gold", "response")
_PLACEHOLDER = re.compile(r"\{(" + "|".join(_PLACEHOLDERS) + r")\}")


def load_judge_prompt(path: Path) -> str:
    """Reads a judge prompt.

    Raises:
        InputError: The file cannot be read, or lacks one of the three placeholders.
    """
    try:
        template = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the judge prompt {path}: {error}") from error
    missing = [name for name in _PLACEHOLDERS if "{" + name + "}" not in template]
    if missing:
        raise InputError(
            f"the judge prompt {path} lacks {', '.join('{' + name + '}' for name in missing)}; add each placeholder"
        )
    return template


def fill_judge_prompt(template: str, case: Case) -> str:
    """Fills the placeholders in one pass, so that braces inside the inserted texts stay as they are."""
    values = {"question": case.question, "gold": case.gold, "response": case.response}
    return _PLACEHOLDER.sub(lambda match: values[match.group(1)], template)
