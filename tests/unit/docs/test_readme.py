"""The README is one page, its links lead somewhere, and its citation is the one of CITATION.cff."""

import re

import pytest
import yaml
from doc_pages import DOCS, ROOT, blocks

README = ROOT / "README.md"
AUTHORS = [
    *("Zhilin Huang", "Hang Gao", "Ziqiang Dong", "Yuan Chen", "Yifeng Luo"),
    *("Chujun Qin", "Jingyi Wang", "Yang Yang", "Guanjun Jiang"),
]


def anchors(page):
    """Anchors of a page: given ones, and those that GitHub and mkdocs make of headings."""
    text = page.read_text(encoding="utf-8")
    found = set(re.findall(r"\{ #([\w-]+) \}", text))
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        found.add(re.sub(r"[^\w -]", "", heading.split(" { #")[0].lower()).strip().replace(" ", "-"))
    return found


def test_it_has_twelve_kilobytes_at_most():
    assert README.stat().st_size <= 12 * 1024


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_relative_links_lead_to_files_and_headings(name):
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists(), target
        if anchor:
            assert anchor in anchors(ROOT / path), target


def test_citations_name_all_authors():
    (bibtex,) = [block.text for block in blocks(README.read_text(encoding="utf-8")) if block.language == "bibtex"]
    named = re.search(r"author *= \{(.*)\}", bibtex)[1].split(" and ")
    assert [" ".join(reversed(name.split(", "))) for name in named] == AUTHORS
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    cited = citation["preferred-citation"]
    assert [f"{author['given-names']} {author['family-names']}" for author in cited["authors"]] == AUTHORS
    assert cited["title"] in bibtex
    assert "2606.18844" in bibtex and "2606.18844" in cited["url"]


def test_the_figure_has_colours_for_light_and_dark():
    figure = (DOCS / "assets" / "tapo.svg").read_text(encoding="utf-8")
    assert "docs/assets/tapo.svg" in README.read_text(encoding="utf-8")
    light, dark = figure.split("prefers-color-scheme: dark")
    assert ".page { fill: #ffffff" in light and ".page { fill: #0d1117" in dark  # opaque: legible on any page
    assert "http" not in figure.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_it_says_which_tapo_this_is_and_that_it_loses_here():
    text = README.read_text(encoding="utf-8")
    assert "2606.18844" in text and "This is not it." in text
    assert "**TAPO loses to GRPO here**" in text
