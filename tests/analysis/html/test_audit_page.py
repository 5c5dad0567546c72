"""The page of an audit: the words first, everything in one file, and names as they are."""

from __future__ import annotations

import html as entities
import re
from pathlib import Path
from typing import Any

import pytest

from analysis.figures.discordance import discordance_figure
from analysis.html.audit import audit_page
from analysis.published.audit import Audit, audit
from analysis.published.claims_file import parse_claims_file, read_claims
from analysis.tables import audit as tables

CLAIMS = Path(__file__).resolve().parents[3] / "studies" / "claims"
HOSTILE = "</script><script>alert(1)</script>&\"'"


def page_of(audited: Audit) -> str:
    return audit_page(audited, [discordance_figure(audited)])


def published(**systems: str) -> Audit:
    claims: dict[str, Any] = {"source": f"<b>{HOSTILE}", "n": "872"}
    return audit(
        parse_claims_file({**claims, "systems": {name: {"accuracy": figure} for name, figure in systems.items()}})
    )


@pytest.mark.parametrize("name", ["distilbert", "gpt2_lora"])
def test_every_table_is_on_the_page_and_the_words_come_first(name: str) -> None:
    audited = audit(read_claims(CLAIMS / f"{name}.yaml"))
    page = page_of(audited)
    shown = entities.unescape(page).replace("<wbr>", "")
    laid_out = tables.named(audited)
    for sentence in laid_out.pop("words").columns[-1].cells:
        assert 0 < shown.index(f"{sentence}</li>") < shown.index("<table>")
    for table in laid_out.values():
        assert shown.count(f'aria-label="{table.title}"') == 1, table.title
        assert all(f">{cell}</t" in shown for row in table.said_once().rows for cell in row), table.title
        assert all(f"<li>{note}</li>" in shown for note in table.notes), table.title
    anchors = re.findall(r'<section id="(\w+)">', page)
    assert anchors == ["answer", "gaps", "figures", "cost", "details", "provenance"]
    assert shown.rindex(tables.sources(audited)) > shown.rindex("<table>")
    figure = discordance_figure(audited)
    assert figure.svg() in page
    assert figure.caption in shown


def test_it_asks_for_nothing_and_has_no_script() -> None:
    page = page_of(published(full="0.883", lora="0.862"))
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    assert "<script" not in page
    assert set(re.findall(r"https?://[^\s\"'<)]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert page == page_of(published(full="0.883", lora="0.862"))


def test_hostile_names_are_text() -> None:
    page = page_of(published(**{HOSTILE: "0.883", "<img src=x>": "0.862"}))
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>" not in page
    assert entities.unescape(page).count(HOSTILE) > 3


def test_one_figure_alone_has_a_page() -> None:
    page = page_of(published(full="0.883"))
    assert "Nothing is compared: there is no pair of figures." in page
    assert 'href="#details"' not in page
