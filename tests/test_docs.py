"""The pages: every link between them leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get: small letters, hyphens for blanks, no other signs."""
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text("utf-8"))
    for place, anchor in links:
        target = page.parent / place if place else page
        assert target.exists(), f"{page.name} links to {place}, which does not exist"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {place}#{anchor}: no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([^)#]+\.md)", (ROOT / "README.md").read_text("utf-8")))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= linked


def test_the_glossary_names_columns_and_tables_that_exist() -> None:
    named = set(re.findall(r"(?:column|table) \*([^*]+)\*", (ROOT / "docs" / "glossary.md").read_text("utf-8")))
    shown = [*(ROOT / "analysis" / "tables").rglob("*.py"), *(ROOT / "harness" / "cli").glob("*_screen.py")]
    tables = "".join(path.read_text("utf-8") for path in shown)
    assert len(named) >= 10
    assert {name for name in named if f'"{name}"' not in tables} == set()
