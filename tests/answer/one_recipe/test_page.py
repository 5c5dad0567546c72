"""The page: what it says of a small study, what it leaves out, and that it is what the committed runs give."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.errors import AnalysisError
from answer.one_recipe.splits import BLOCK
from answer.one_recipe.write import PAGE, STUDY, one_recipe
from calibration.regimes import Regime, draw_arms
from tests.analysis.conftest import write_study

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "results" / "reference"
FIGURES = ("one-recipe-claims.svg", "one-recipe-seeds.svg")


def texts(svg: str) -> list[str]:
    """The words and numbers of a figure, as they stand in it."""
    return sorted(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def written(reference: Path) -> dict[Path, str]:
    return one_recipe(reference, ROOT / "docs", claims=ROOT / "studies" / "claims", draws=2 * BLOCK)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reference studies: 22 seeds of one recipe, twice two of them, and a study with two arms."""
    folder = tmp_path_factory.mktemp("reference")
    regime = Regime(name="recipe", seed_sd=0.03, by_example=0.0, left_over=0.1, accuracy=0.8)
    right = draw_arms(regime, 22, np.random.default_rng(1), gaps=(0.0,), n_examples=320)[-1].astype(np.int64)
    write_study(folder / STUDY, {"recipe": right}, name=STUDY)
    write_study(folder / f"{STUDY}_threads", {"recipe": right[:2]}, name=f"{STUDY}_threads")
    write_study(folder / "report_a", {"full": right[:6], "lora": right[6:12]}, name="report_a")
    return folder


@pytest.fixture(scope="module")
def files(reference: Path) -> dict[Path, str]:
    return written(reference)


def test_the_page_has_every_part(files: dict[Path, str]) -> None:
    assert set(files) == {Path(PAGE), *(Path("figures") / name for name in FIGURES)}
    page = files[Path(PAGE)]
    assert "One recipe was trained with 22 seeds on 2,000 sentences" in " ".join(page.split())
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == [
        "How often each test claims a gap that cannot be there",
        "How seeds are distributed",
        "What a gap of one run each means",
        "The simulated calibration beside the real one",
        "Do arms that share head and batches share luck?",
        "The same seed with another number of threads",
        "How it was counted",
    ]
    assert "every one of the 231 pairs" in " ".join(page.split())
    assert '| "a marginal drop of 0.69 points" | 0.69 points | 2 |' in page
    assert "| report\\_a | lora against full | 6 |" in page
    assert "| recipe seed 1 | – and – | 0 of 320 | 0 | 0 |" in page
    assert "nan" not in page
    assert [line for line in page.splitlines() if len(line) > 120 and not line.startswith("|")] == []
    for name in re.findall(r"\]\((figures/[^)]+)\)", page):
        assert Path(name) in files


def test_the_rates_are_in_the_figure_as_they_are_in_the_table(files: dict[Path, str]) -> None:
    row = next(line for line in files[Path(PAGE)].splitlines() if line.startswith("| crossed t (paired)"))
    rate = row.split("|")[5].split()[0]
    assert rate.endswith("%")
    assert f"{rate}, about seeds and examples" in texts(files[Path("figures") / FIGURES[0]])


def test_the_same_runs_give_the_same_bytes(reference: Path, files: dict[Path, str]) -> None:
    assert written(reference) == files


def test_a_page_without_other_studies_leaves_these_parts_out(tmp_path: Path) -> None:
    regime = Regime(name="recipe", seed_sd=0.02, by_example=0.0)
    right = draw_arms(regime, 20, np.random.default_rng(2), gaps=(0.0,), n_examples=150)[-1].astype(np.int64)
    study = write_study(tmp_path / STUDY, {"recipe": np.vstack([right, right[:2]])}, name=STUDY)
    study.forget("recipe", 20)
    study.end("recipe", 21, "diverged", "the loss is not finite")
    page = " ".join(written(tmp_path)[Path(PAGE)].split())
    assert "trained with 20 seeds (of 22 planned; the other 2 have not finished)" in page
    assert "Without predictions: diverged: recipe seed 21." in page
    for part in ("share luck", "number of threads", "On a small test set"):
        assert part not in page


def test_too_few_seeds_are_one_message_and_exit_code_2(tmp_path: Path) -> None:
    write_study(tmp_path / STUDY, {"recipe": np.ones((3, 10), dtype=np.int64)}, name=STUDY)
    with pytest.raises(AnalysisError):
        written(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "answer", "--reference", str(tmp_path), "--docs", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path / STUDY}: expected 20 finished seeds or more, got 3\n"
    assert list(tmp_path.glob("*.md")) == []


@pytest.mark.skipif(not (REFERENCE / STUDY).exists(), reason=f"results/reference/{STUDY} is not there")
def test_the_page_is_what_the_committed_runs_give() -> None:
    docs = ROOT / "docs"
    files = one_recipe(REFERENCE, docs, claims=ROOT / "studies" / "claims")
    assert (docs / PAGE).read_text("utf-8") == files[Path(PAGE)], "run nox -s answer"
    for name in FIGURES:
        place = Path("figures") / name
        # The lines of a figure may differ from one version of matplotlib to another, its words and numbers do not.
        assert texts((docs / place).read_text("utf-8")) == texts(files[place]), "run nox -s answer"
