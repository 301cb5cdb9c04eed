"""Short names for what results depend on."""

import hashlib


def short_digest(content: str | bytes) -> str:
    """Sixteen hexadecimal digits that change with any change of the content."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:16]
