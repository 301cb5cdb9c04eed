r"""Assignments side by side, ``x=3 \quad y=7``, and what an answer says it is not."""

import re

# A space would be a product: "y = 2 x = 10".
_LAYOUT = re.compile(r"\\q?quad(?![a-zA-Z])|\\\\(?![a-zA-Z])")
_ASSIGNMENT = re.compile(r"(?:\\[a-zA-Z]+\s)?\\?[a-zA-Z][\w{}'\\]*(?:\([^()=]*\))?\s*=[^=]*[^=\s]")
# With its comma; "k \text{ not divisible by } 3" says what k is.
_NOT = re.compile(r"\\text\s*\{\s*,\s*(?:and |but )?(?:not|rather than|instead of)\s*\}")


def one_spelling_of_assignments(text: str) -> str:
    r"""Returns the text with a comma for the space or the new line between assignments (``x=3 \quad y=7``).

    What follows ``\text{, not }`` goes.
    """
    if "\\text" in text:
        text = _NOT.split(text, maxsplit=1)[0]
    if text.count("=") < 2 or "\\begin" in text:
        return text
    parts = [part.strip().rstrip(",;").strip() for part in _LAYOUT.split(text)]
    parts = [part for part in parts if part]
    return ", ".join(parts) if len(parts) > 1 and all(map(_ASSIGNMENT.fullmatch, parts)) else text
