"""The site builds strictly, without importing torch or verl, and fetches nothing."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from doc_pages import PAGES, ROOT

# What a browser loads by itself; a link is followed only by a reader.
LOADING = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "link": "href",
}
# A finder that answers for what a build must not need.
FORBID = """
import sys
class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "verl", "ray", "vllm", "recipe_tapo"):
            raise ImportError(f"the build imported {name}")
sys.meta_path.insert(0, Forbid())
from mkdocs.__main__ import cli
cli()
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-c", FORBID, "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return folder


class Loaded(HTMLParser):
    """Addresses that a browser loads with a page."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "link" and attributes.get("rel") in ("canonical", "next", "prev"):
            return
        if tag in LOADING and attributes.get(LOADING[tag]):
            self.addresses.append(attributes[LOADING[tag]])


def test_every_page_is_there(site):
    for page in PAGES:
        assert (site / page.relative_to(ROOT / "docs")).with_suffix(".html").is_file()


def test_pages_load_nothing_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        parser = Loaded()
        parser.feed(page.read_text(encoding="utf-8"))
        assert not [each for each in parser.addresses if re.match(r"(https?:)?//", each)], page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", sheet.read_text(encoding="utf-8")), sheet.name


def test_equations_lead_to_their_functions(site):
    page = (site / "algorithm.html").read_text(encoding="utf-8")
    for name in ("selection.select_pairs", "advantages.group_advantages", "token_weights.ots_weights"):
        assert f'href="api/algorithm.html#recipe_tapo.algorithm.{name}"' in page
