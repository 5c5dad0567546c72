"""The page of a report: everything in one file, whole, in order, and with names and texts as they are."""

from __future__ import annotations

import base64
import hashlib
import html as entities
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import figures, html, tables
from analysis.records.loading import load
from analysis.records.outcomes import Outcomes
from analysis.sources.arrays import runs_of_arrays
from analysis.sources.options import ImportOptions
from analysis.study.flips import answered_examples
from analysis.study.imported import imported_manifest, imported_outcomes
from analysis.study.report import report_on

HOSTILE = "</script><script>alert(1)</script>&\"'\u202e"


def page_of(outcomes: Outcomes, texts: dict[str, str] | None = None) -> str:
    report = report_on(outcomes, resamples=99)
    return html.page(report, answered_examples(outcomes, report), texts)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="explorer-data">(.*?)</script>', page)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=f"<{kind}")


def outcomes_of(runs: dict[str, Any], plan: dict[str, Any] | None = None, **options: Any) -> Outcomes:
    """Runs that were never on a disk."""
    labels = options.pop("labels", None)
    read = runs_of_arrays(runs, ImportOptions(**options), labels=labels)
    return imported_outcomes(read, imported_manifest(read, name="s", analysis=plan or {}))


def test_the_same_report_gives_the_same_page(study: Any) -> None:
    assert page_of(load(study.root)) == page_of(load(study.root))


def test_every_table_and_figure_is_on_the_page_once(study: Any) -> None:
    outcomes = load(study.root)
    report = report_on(outcomes, resamples=99)
    page = page_of(outcomes)
    shown = entities.unescape(page).replace("<wbr>", "")
    for table in tables.build(report):
        assert shown.count(f'aria-label="{table.title}"') == 1, table.title
        said = table.said_once()
        assert all(f">{cell}</t" in shown for row in said.rows for cell in row), table.title
        assert all(f"<li>{note}</li>" in shown for note in table.notes), table.title
        # The population that all rows share is said once, where it is seen.
        assert said == table or f'<p class="shared">{said.notes[0]}</p>' in shown
    for figure in figures.build(report):
        # Figure, caption that names the population, and its numbers under it.
        assert page.count(f'<figure id="figure-{figure.name}">') == (not figure.reason)
        assert (figure.reason or figure.caption) in shown
        numbers = tables.Table(title="", columns=figure.columns, notes=(), footer="").said_once()
        assert all(f">{cell}</t" in shown for row in numbers.rows for cell in row), figure.name
    for sentence in tables.in_words(report):
        assert f">{sentence}</li>" in shown


def test_the_order_is_that_of_a_reader(study: Any) -> None:
    anchors = re.findall(r'<section id="(\w+)">', page_of(load(study.root)))
    assert anchors == ["answer", "gaps", "arms", "cost", "deciding", "classes", "examples", "details", "provenance"]


def test_the_page_asks_for_nothing_and_runs_its_own_script_alone(study: Any) -> None:
    page = page_of(load(study.root))
    # Addresses are words of a name space, in the pictures.
    assert set(re.findall(r"https?://[^\s\"'<)]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(
        r"@import|\burl\((?!#)|<(?:link|img|iframe|object|embed)\b(?! rel=\"icon\" href=\"data:)", page
    )
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page


def test_hostile_names_and_texts_are_text(tmp_path: Path, write_study: Any) -> None:
    right = np.array([[1, 1, 0, 1]] * 3)
    folder = write_study(
        tmp_path / "s", {HOSTILE: right, "b<img src=x>": 1 - right}, classes=("<b>", "&amp;"), name="x"
    ).root
    outcomes = load(folder)
    texts = {example: f"{HOSTILE} {example}" for example in outcomes.example_ids}
    page = page_of(outcomes, texts)
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "<img" not in page
    assert "<b>" not in page
    # What would turn a line around is replaced everywhere.
    assert "\u202e" not in page
    data = data_of(page)
    assert data["classes"] == ["<b>", "&amp;"]
    assert data["arms"][0]["name"] == HOSTILE.replace("\u202e", "\ufffd")
    assert data["texts"][0] == f"{HOSTILE} id-0".replace("\u202e", "\ufffd")


def test_the_explorer_holds_what_every_run_answered(study: Any) -> None:
    outcomes = load(study.root)
    report = report_on(outcomes, resamples=99)
    examples = answered_examples(outcomes, report)
    data = data_of(page_of(outcomes))
    assert data["texts"] is None
    assert data["kind"] == "u1"
    assert data["ids"] == [outcomes.example_ids[i] for i in examples.positions]
    assert unpacked(data["labels"], "u1").tolist() == outcomes.labels[examples.positions].tolist()
    for arm in data["arms"]:
        held = outcomes.predicted(arm["name"], seeds=range(6))[:, examples.positions]
        assert unpacked(arm["answers"], "u1").reshape(6, -1).tolist() == held.tolist()
        assert arm["runs"] == [str(seed) for seed in range(6)]
    for pair, flips in zip(data["pairs"], examples.flips, strict=True):
        assert [data["arms"][pair[side]]["name"] for side in ("treatment", "baseline")] == [
            flips.treatment,
            flips.baseline,
        ]
        listed = examples.positions[unpacked(pair["examples"], "u4")]
        assert listed.tolist() == flips.positions.tolist()
        assert unpacked(pair["leads"], "f4") == pytest.approx(flips.leads, rel=1e-6)
        assert unpacked(pair["chances"], "f4") == pytest.approx(flips.chances, rel=1e-6)
        assert pair["left_out"] == 0


def test_a_page_without_texts_says_why_it_shows_ids(study: Any) -> None:
    sentence = "no texts are stored with these results"
    outcomes = load(study.root)
    assert sentence in page_of(outcomes)
    assert sentence not in page_of(outcomes, dict.fromkeys(outcomes.example_ids, "a text"))


def test_long_texts_are_cut(study: Any) -> None:
    outcomes = load(study.root)
    data = data_of(page_of(outcomes, dict.fromkeys(outcomes.example_ids, "long " * 1000)))
    assert all(590 < len(text) <= 602 and text.endswith("long …") for text in data["texts"])


def test_a_page_of_32_runs_and_872_examples_is_small(
    tmp_path: Path, write_study: Any, simulated: Any, rng: Any
) -> None:
    arms = {"full": 0.91, "lora-r2": 0.89, "lora-r8": 0.90, "frozen": 0.85}
    right = simulated(rng, arms, seeds=8, examples=872, seed_sd=0.02)
    # Two epochs, so that there is a learning curve.
    scores = {arm: np.stack([rows, rows], axis=1) for arm, rows in right.items()}
    outcomes = load(write_study(tmp_path / "s", scores).root)
    texts = dict.fromkeys(
        outcomes.example_ids,
        "a sentence of a review that is as long as those of SST-2 are, or longer, it may be, as this one is.",
    )
    assert len(page_of(outcomes, texts).encode()) < 400 * 1024


@pytest.mark.parametrize(
    "kind", ["scores", "right or wrong", "numbers", "classes", "unpaired", "one run", "one class on top", "undefined"]
)
def test_every_kind_of_study_has_a_page(kind: str, rng: Any) -> None:
    labels = rng.integers(0, 3, 30)
    said = {arm: np.where(rng.random((4, 30)) < 0.7, labels, 0) for arm in ("a", "b")}
    outcomes = {
        "scores": lambda: outcomes_of({arm: rng.random((4, 30)) for arm in "ab"}),
        "right or wrong": lambda: outcomes_of({arm: rng.integers(0, 2, (4, 30)).astype(float) for arm in "ab"}),
        "numbers": lambda: outcomes_of(
            {arm: labels + rng.random((4, 30)) for arm in "ab"}, labels=labels.astype(float), task="regression"
        ),
        "classes": lambda: outcomes_of(said, labels=labels),
        "unpaired": lambda: outcomes_of({"a": said["a"], "b": said["b"][:3]}, labels=labels, unpaired=True),
        "one run": lambda: outcomes_of({arm: rows[:1] for arm, rows in said.items()}, labels=labels),
        "one class on top": lambda: outcomes_of({"a": said["a"], "b": np.zeros_like(said["b"])}, labels=labels),
        "undefined": lambda: outcomes_of(
            {arm: labels + np.zeros((4, 30)) if arm == "a" else np.ones((4, 30)) for arm in "ab"},
            {"metric": "pearson"},
            labels=labels.astype(float),
            task="regression",
        ),
    }[kind]()
    page = page_of(outcomes)
    data = data_of(page)
    assert data["right"] == (kind in {"right or wrong", "classes", "unpaired", "one run", "one class on top"})
    assert ("<label>Class" in page) == bool(data["classes"])
    assert len(data["pairs"]) == 1
    assert "nan" not in re.sub(r"<style>.*?</style>|<script.*?</script>", "", page, flags=re.DOTALL).lower().split()


def test_a_study_of_which_nothing_has_finished_has_a_page(tmp_path: Path, write_study: Any) -> None:
    right = np.array([[1, 0, 1, 1]] * 2)
    folder = write_study(tmp_path / "s", {"full": right, "lora": right})
    for arm in ("full", "lora"):
        for seed in (0, 1):
            folder.forget(arm, seed)
    page = page_of(load(folder.root))
    assert "no two arms of a comparison have a run that finished" in page
    assert '<div id="explorer">' not in page


def test_long_names_may_break_where_their_words_do(tmp_path: Path, write_study: Any) -> None:
    right = np.array([[1, 1, 0, 1]] * 3)
    page = page_of(load(write_study(tmp_path / "s", {"base": right, "a_&_b": 1 - right}).root))
    assert '<th scope="row">a_<wbr>&amp;_<wbr>b against base</th>' in page


def test_one_arm_has_a_page(tmp_path: Path, write_study: Any) -> None:
    page = page_of(load(write_study(tmp_path / "s", {"full": np.array([[1, 0, 1, 1]] * 3)}).root))
    assert "Nothing is compared: the study has one arm." in page
    assert '<div id="explorer">' not in page


def test_forty_arms_with_long_names_have_a_page(tmp_path: Path, write_study: Any, rng: Any) -> None:
    names = [f"distilbert-base-uncased-with-a-very-long-name-of-an-arm-{i:02d}" for i in range(40)]
    right = {name: (rng.random((3, 60)) < 0.8).astype(int) for name in names}
    page = page_of(load(write_study(tmp_path / "s", right).root))
    assert len(data_of(page)["pairs"]) == 39
    # So long a table is folded.
    assert re.search(r'<details class="folded"><summary>Verdicts</summary>', page)
