"""From data to one HTML file that needs nothing else and runs nothing but our own script.

Texts reach the page as json in a block that browsers do not execute, with every character escaped that could end it,
and the script puts them into the document as text. A content security policy with the hashes of our own script and
style sheet refuses all other code, and any connection.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ASSETS = Path(__file__).parent / "assets"
# One closure; later files use what earlier ones define.
_SCRIPTS = (
    "dom.js",
    "charts.js",
    "overview.js",
    "problems.js",
    "lengths.js",
    "browser.js",
    "responses.js",
    "constructions.js",
    "main.js",
)
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def render_page(data: Mapping[str, Any]) -> str:
    """Returns the page.

    Args:
        data: What the script shows; json values, NaN becomes null.
    """
    script = "(() => {\n'use strict';\n" + "\n".join(_asset(name) for name in _SCRIPTS) + "\n})();"
    style = _asset("report.css")
    parts = {
        "policy": f"default-src 'none'; img-src data:; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "data": embed_json(data),
    }
    return _PLACEHOLDER.sub(lambda match: parts[match.group(1)], _asset("template.html"))


def embed_json(data: Any) -> str:
    """Json that may stand inside a script element: ASCII alone, without angle brackets and ampersands."""
    # A reward may be NaN, which json does not have.
    finite = json.loads(json.dumps(data), parse_constant=lambda _: None)
    text = json.dumps(finite, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&]", lambda match: _ESCAPES[match.group()], text)


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
