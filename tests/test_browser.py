"""The page of a report in a real Chromium: nothing is asked for, everything fits, and the explorer does what it says.

Where HARNESS_PICTURES names a folder, the pictures that are made on the way stay there.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import html
from analysis.records.loading import load
from analysis.records.predictions import read_texts
from analysis.study.flips import answered_examples
from analysis.study.report import report_on

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.browser

HOSTILE = "</script><img src=x onerror=alert(1)>"
LONG = "distilbert_base_uncased_with_frozen_embeddings_and_4_layers"
CLASSES = ("<b>good</b>", 'bad & "ugly"', "neutral")
# Without its margins, in pixels of CSS.
A4 = {"width": 688, "height": 1017}
A_PHONE = {"width": 390, "height": 844}
A_DESKTOP = {"width": 1280, "height": 900}


class Browser:
    """A page in Chromium."""

    def __init__(self, driver: Chrome, pictures: Path) -> None:
        self.driver = driver
        self.pictures = pictures

    def open(self, page: Path, *, size: dict[str, int] = A_DESKTOP, media: str = "screen", dark: bool = False) -> None:
        """Open a file as it looks on a screen of this size, or on paper."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**size, "deviceScaleFactor": 1, "mobile": size == A_PHONE}
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [scheme]})
        # Paper has none, and they would hide the right edge of pictures.
        self.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        self.driver.get(page.as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, name: str) -> WebElement:
        return self.driver.find_element("css selector", f'[data-explorer="{name}"]')

    def type(self, words: str) -> None:
        self.find("search").clear()
        self.find("search").send_keys(words)

    def choose(self, name: str, value: str) -> None:
        from selenium.webdriver.support.ui import Select

        Select(self.find(name)).select_by_visible_text(value)

    def sort(self, key: str) -> None:
        self.driver.find_element("css selector", f'[data-sort="{key}"]').click()

    def rows(self) -> list[list[str]]:
        """The cells of the explorer's rows that are shown."""
        found: list[list[str]] = self.run(
            'const rows = [...document.querySelectorAll("[data-explorer=rows] tr")];'
            'const shown = (cell) => cell.querySelector("summary, p")?.textContent ?? cell.textContent;'
            "return rows.map((row) => [...row.cells].map(shown));"
        )
        return found

    def ids(self) -> list[str]:
        found: list[str] = self.run(
            'return [...document.querySelectorAll("[data-explorer=rows] small")].map((one) => one.textContent)'
        )
        return found

    def picture(self, name: str) -> None:
        """Keep a picture of the whole page."""
        # Asked of the page, which lays itself out for the answer; the browser's own metrics may still be empty.
        width, height = self.run("const all = document.documentElement; return [all.scrollWidth, all.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        taken = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "clip": clip}
        )
        (self.pictures / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))

    def requests(self) -> set[str]:
        """The addresses that were asked for since the last call, without the browser's own."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        asked = {
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        }
        return {address for address in asked if not address.startswith(("chrome:", "data:"))}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for flag in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        # A container may have little of it.
        "disable-dev-shm-usage",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    pictures = Path(os.environ.get("HARNESS_PICTURES") or tmp_path_factory.mktemp("pictures"))
    pictures.mkdir(parents=True, exist_ok=True)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield Browser(driver, pictures)
    finally:
        driver.quit()


def write_page(folder: Path, place: Path) -> Path:
    outcomes = load(folder)
    report = report_on(outcomes, resamples=99)
    examples = answered_examples(outcomes, report)
    place.write_text(html.page(report, examples, read_texts(folder, examples.ids)), "utf-8")
    return place


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, write_imported_study: Callable[..., Path]) -> Path:
    """A study of hostile names and texts: five arms, six runs each, 300 examples of three classes."""
    rng = np.random.default_rng(3)
    labels = np.arange(300) % 3
    ease = rng.random(300)
    answers = {}
    for arm, share in {"full": 0.9, HOSTILE: 0.8, LONG: 0.85, "lora-r2": 0.9, "frozen": 0.6}.items():
        right = rng.random((6, 300)) < np.clip(share + 0.4 * (ease - 0.5), 0, 1)
        answers[arm] = np.where(right, labels, (labels + rng.integers(1, 3, (6, 300))) % 3)
    root = tmp_path_factory.mktemp("study")
    write_imported_study(root, answers, labels=labels, classes=CLASSES)
    texts = [f"text {i}: {HOSTILE} & <script>alert({i})</script>\na second line" for i in range(300)]
    examples = {"example_id": [f"id-{i}" for i in range(300)], "text": texts, "label": pa.array(labels, pa.int32())}
    pq.write_table(pa.table(examples), root / "examples.parquet")
    return write_page(root, root / "index.html")


@pytest.fixture(scope="module")
def forty_arms(tmp_path_factory: pytest.TempPathFactory, write_imported_study: Callable[..., Path]) -> Path:
    rng = np.random.default_rng(5)
    labels = np.arange(120) % 2
    names = [f"{LONG}_{number:02d}" for number in range(40)]
    answers = {arm: np.where(rng.random((3, 120)) < 0.8, labels, 1 - labels) for arm in names}
    root = write_imported_study(tmp_path_factory.mktemp("forty"), answers, labels=labels, classes=("no", "yes"))
    return write_page(root, root / "index.html")


def test_nothing_is_asked_for_and_nothing_goes_wrong(browser: Browser, page: Path) -> None:
    browser.requests()
    browser.driver.get_log("browser")
    for dark, size in ((False, A_DESKTOP), (False, A_PHONE), (True, A_DESKTOP)):
        browser.open(page, size=size, dark=dark)
        browser.sort("label")
        browser.picture(f"{'dark' if dark else 'light'}-{size['width']}")
    assert browser.requests() == {page.as_uri()}
    assert browser.driver.get_log("browser") == []


def test_hostile_names_and_texts_are_shown_as_text(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("return document.images.length") == 0
    assert browser.run("return document.scripts.length") == 2
    assert browser.run('return document.querySelectorAll("b").length') == 0
    browser.choose("pair", f"{HOSTILE} against full")
    shown = browser.rows()[0]
    assert f"{HOSTILE} & <script>alert(" in shown[0]
    assert "\na second line" in shown[0]
    assert shown[1] in CLASSES
    assert browser.find("treatment").text == HOSTILE


def test_a_live_page_loads_itself_again_until_it_is_final(
    browser: Browser, tmp_path: Path, write_imported_study: Callable[..., Path]
) -> None:
    """The policy in its head, which forbids every request, lets it."""
    from selenium.webdriver.support.ui import WebDriverWait

    rng = np.random.default_rng(5)
    answers = {arm: rng.integers(0, 2, (3, 40)) for arm in ("a", HOSTILE)}
    root = write_imported_study(tmp_path / "s", answers, labels=rng.integers(0, 2, 40), classes=("no", "yes"))
    record = root / "trials" / "0000" / "record.json"
    record.rename(record.with_suffix(".later"))
    place = root / "index.html"
    report = report_on(load(root), withhold=True)
    place.write_text(html.page(report, None, live=html.Live(written="first", seconds=1)), "utf-8")
    browser.requests()
    browser.driver.get_log("browser")
    browser.open(place)
    browser.picture("live")
    record.with_suffix(".later").rename(record)
    # Whole at once, as a live report is written: half a page would not load itself again.
    write_page(root, tmp_path / "final.html").replace(place)
    WebDriverWait(browser.driver, 60).until(lambda driver: driver.find_elements("id", "explorer"))
    assert browser.driver.find_elements("class name", "live") == []
    assert browser.requests() == {place.as_uri()}
    assert browser.driver.get_log("browser") == []


def test_the_explorer_filters_and_sorts(browser: Browser, page: Path) -> None:
    outcomes = load(page.parent)
    (flips, *_) = answered_examples(outcomes, report_on(outcomes, resamples=99)).flips
    ids = [outcomes.example_ids[i] for i in flips.positions]
    browser.open(page)
    browser.choose("pair", f"{flips.treatment} against {flips.baseline}")
    # The surest first, 25 on a page.
    assert browser.ids() == ids[:25]
    assert browser.find("count").text == f"1 to {min(25, len(ids))} of {len(ids)}"
    # A direction.
    browser.choose("side", f"better: {flips.baseline}")
    lost = [example for example, lead in zip(ids, flips.leads, strict=True) if lead < 0]
    assert browser.ids() == lost[:25]
    shown = browser.rows()[0]
    right = round(-flips.leads[flips.leads < 0][0] * 6)
    assert int(shown[3].split()[0]) - int(shown[2].split()[0]) == right
    browser.choose("side", "both")
    # A class.
    browser.choose("label", CLASSES[2])
    assert browser.ids() == [example for example in ids if int(example[3:]) % 3 == 2][:25]
    browser.choose("label", "every class")
    # A search, in any case, in texts and ids.
    browser.type("TEXT 1")
    assert browser.ids() == [example for example in ids if example[3:].startswith("1")][:25]
    browser.type(ids[-1])
    assert ids[-1] in browser.ids()
    browser.type("no such text")
    assert browser.ids() == []
    assert browser.find("count").text == "no example"
    browser.find("search").clear()
    browser.run('document.querySelector("[type=search]").dispatchEvent(new Event("input"))')
    # The order of the data, and back again.
    browser.sort("example")
    assert browser.ids() == sorted(ids, key=lambda example: int(example[3:]))[:25]
    browser.sort("example")
    assert browser.ids() == sorted(ids, key=lambda example: -int(example[3:]))[:25]
    browser.sort("treatment")
    counts = [int(row[2].split()[0]) for row in browser.rows()]
    assert counts == sorted(counts)


def test_pages_turn_and_rows_are_copied(browser: Browser, page: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    browser.open(page)
    browser.choose("pair", "frozen against full")
    total = int(browser.find("count").text.split()[-1])
    assert total > 50
    first = browser.ids()
    assert not browser.find("previous").is_enabled()
    browser.find("next").click()
    second = browser.ids()
    assert len(second) == 25
    assert not set(first) & set(second)
    browser.find("previous").click()
    assert browser.ids() == first
    # Where the clipboard is not to be had, the reader copies from a field.
    browser.run("navigator.clipboard.writeText = () => Promise.reject(new Error())")
    browser.find("copy").click()
    text = WebDriverWait(browser.driver, 60).until(lambda _: browser.find("csv").get_property("value"))
    rows = list(csv.reader(io.StringIO(str(text))))
    outcomes = load(page.parent)
    assert len(rows) == total + 1
    assert rows[0][:4] == ["example_id", "text", "label", "frozen r0"]
    assert [row[0] for row in rows[1:26]] == first
    predicted = outcomes.predicted("frozen", seeds=range(6))
    for row in rows[1:]:
        example = outcomes.example_ids.index(row[0])
        assert row[2] == CLASSES[outcomes.labels[example]]
        assert row[3:9] == [CLASSES[answer] for answer in predicted[:, example]]
        assert row[1].startswith(f"text {example}: ")


@pytest.mark.parametrize("size", [A4, A_PHONE, A_DESKTOP], ids=["paper", "phone", "desktop"])
def test_nothing_is_cut(browser: Browser, page: Path, size: dict[str, int]) -> None:
    """Whatever is folded is open: on paper every table fits, on a screen a wide one scrolls by itself."""
    browser.open(page, size=size, media="print" if size is A4 else "screen")
    browser.run('for (const one of document.querySelectorAll("details")) one.open = true')
    assert_nothing_is_cut(browser, size)
    browser.picture(f"open-{size['width']}")


def assert_nothing_is_cut(browser: Browser, size: dict[str, int]) -> None:
    """Nothing is wider than the page, and on paper no figure higher than a sheet; on a screen, wide tables scroll."""
    assert browser.run("return document.documentElement.scrollWidth") <= size["width"]
    cut = browser.run(
        """
        const [paper, height] = arguments;
        const edge = (one) => one.getBoundingClientRect().right;
        return [...document.querySelectorAll("table, svg, p, li, h1, h2, h3")]
          .filter((one) => edge(one) > edge(document.body) + 1 && (paper || !one.closest(".scroll"))
            || paper && one.matches("svg, li") && one.getBoundingClientRect().height > height)
          .map((one) => one.outerHTML.slice(0, 200));
        """,
        size is A4,
        size["height"],
    )
    assert cut == []


@pytest.mark.parametrize("size", [A4, A_PHONE], ids=["paper", "phone"])
def test_forty_arms_with_long_names_fit(browser: Browser, forty_arms: Path, size: dict[str, int]) -> None:
    browser.open(forty_arms, size=size, media="print" if size is A4 else "screen")
    assert_nothing_is_cut(browser, size)
    browser.picture(f"forty-{size['width']}")


def test_it_is_printed(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    content = base64.b64decode(printed["data"])
    (browser.pictures / "printed.pdf").write_bytes(content)
    assert 3 <= content.count(b"/Type /Page\n") <= 14


def test_of_ten_thousand_examples_a_page_is_laid_out(
    browser: Browser, tmp_path: Path, write_imported_study: Callable[..., Path]
) -> None:
    rng = np.random.default_rng(4)
    n = 12_000
    labels = rng.integers(0, 2, n)
    # Every example flips.
    answers = {"a": np.tile(labels, (8, 1)), "b": np.where(rng.random((8, n)) < 0.1, labels, 1 - labels)}
    root = write_imported_study(tmp_path / "s", answers, labels=labels, classes=("no", "yes"))
    texts = [f"sentence number {i} of a data set with many of them" for i in range(n)]
    examples = {"example_id": [f"id-{i}" for i in range(n)], "text": texts, "label": pa.array(labels, pa.int32())}
    pq.write_table(pa.table(examples), root / "examples.parquet")
    page = write_page(root, root / "index.html")
    assert page.stat().st_size < 3 * 2**20
    browser.open(page)
    assert browser.find("count").text.startswith("1 to 25 of 10000; ")
    assert "less sure ones are not in this page" in browser.find("count").text
    # Of so many, a screenful is laid out at a time, whatever is asked for.
    for act in (lambda: browser.type("number 99"), lambda: browser.sort("treatment"), browser.find("next").click):
        act()
        assert len(browser.rows()) == 25
    assert "sentence number 99" in browser.rows()[0][0]
