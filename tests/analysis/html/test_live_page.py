"""The page of a study that still runs: it loads itself again, says when it was written, and the last one does not."""

from __future__ import annotations

import re
from typing import Any

from analysis import html
from analysis.html import Live
from analysis.records.loading import load
from analysis.study.flips import answered_examples
from analysis.study.report import report_on

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"
REFRESH = '<meta http-equiv="refresh" content="10">'
NOON = "2026-11-29 12:00:00 UTC"


def test_a_live_page_withholds_and_loads_itself_again(study: Any) -> None:
    study.forget("lora-r2", 5)
    report = report_on(load(study.root), withhold=True)
    page = html.page(report, None, live=Live(written=NOON, seconds=10))
    assert page.count(REFRESH) == 1
    assert POLICY in page
    assert "Written 2026-11-29 12:00:00 UTC: 17 of 18 trials are in. The page loads itself again every 10" in page
    assert f'<p class="caveat">{report.withheld}</p>' in page
    # Neither the script that shows examples nor what it shows.
    assert "<script" not in page
    assert "explorer-data" not in page
    assert re.findall(r'<a href="#(\w+)">', page) == re.findall(r'<section id="(\w+)">', page)


def test_a_page_that_nobody_renews_any_more_stays_as_it_is(study: Any) -> None:
    study.forget("lora-r2", 5)
    page = html.page(report_on(load(study.root), withhold=True), None, live=Live(written=NOON, seconds=0))
    assert "refresh" not in page
    assert "17 of 18 trials were in. This page is no longer updated" in page


def test_a_live_page_with_verdicts_is_whole_and_says_how_far_the_study_is(study: Any) -> None:
    study.change_manifest(lambda manifest: manifest["analysis"].update(looks=[4, 6]))
    study.forget("lora-r2", 5)
    outcomes = load(study.root)
    report = report_on(outcomes, resamples=99, withhold=True)
    examples = answered_examples(outcomes, report)
    page = html.page(report, examples, live=Live(written=NOON, seconds=10))
    final = html.page(report, examples)
    assert REFRESH in page
    assert 'aria-label="Progress"' in page
    assert "explorer-data" in page
    for of_a_live_page in ("refresh", 'class="live"', 'aria-label="Progress"'):
        assert of_a_live_page not in final
    assert re.findall(r'<section id="(\w+)">', page) == re.findall(r'<section id="(\w+)">', final)
