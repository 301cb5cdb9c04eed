"""What single values must be."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator

from recipe_tapo.algorithm.prompts import load_template
from recipe_tapo.config.errors import bad
from recipe_tapo.errors import InputError


def _rule(holds: Callable[[Any], bool], problem: str, remedy: str) -> AfterValidator:
    def check(value: Any) -> Any:
        if not holds(value):
            raise bad(value, problem, remedy)
        return value

    return AfterValidator(check)


def check_template(path: str | None, mode: str, name: str = "prompt_path") -> None:
    """Raises a validation error about the key ``name`` where a prompt cannot be used."""
    check_file(lambda: load_template(path, mode), path, name)


def check_file(read: Callable[[], object], path: str | None, name: str) -> None:
    """Raises a validation error about the key ``name`` where a file cannot be read."""
    try:
        read()
    except InputError as error:
        raise bad(path, str(error), "mend the file or unset the key", name) from error


Threshold = Annotated[int, _rule(lambda count: count >= 1, "must be at least 1", "set it to 1 or more")]
NotNegative = Annotated[float, _rule(lambda number: number >= 0, "is negative", "use 0 or more")]
Share = Annotated[float, _rule(lambda p: 0 < p <= 1, "is outside (0, 1]", "use a share such as 0.95")]
TopK = Annotated[int, _rule(lambda k: k == -1 or k >= 1, "is no rank", "use -1 (off) or 1 and up")]
Count = Annotated[int, _rule(lambda count: count >= 0, "is negative", "use 0 (off) or more")]
MaxTokens = Annotated[int, _rule(lambda count: count >= 1, "leaves no output", "use 1 or more")]
Seconds = Annotated[float, _rule(lambda seconds: seconds > 0, "must be positive", "give seconds, e.g. 600")]
_KEPT = "give the share of the wrong rollout that must be kept"
PrefixFraction = Annotated[float, _rule(lambda share: 0 <= share <= 1, "is outside [0, 1]", _KEPT)]
