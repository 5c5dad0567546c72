"""benchmarks/peers: the file of studies, the counts and the tables, without any other package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import analysis
from benchmarks.peers.__main__ import Batch
from benchmarks.peers.adapters.exchange import Studies, claim, one_run, read, write
from benchmarks.peers.counting import Count, count, read_counts, write_counts
from benchmarks.peers.designs import REAL, SIMULATED, Design, divide, simulate, simulated
from benchmarks.peers.packages import ADAPTERS, PACKAGES
from benchmarks.peers.page import USES, share, with_tables

ROOT = Path(__file__).parents[2]
DESIGN = Design(regime=SIMULATED[1].name, seeds=5, examples=300, gap=0.0)


def counted(design: Design = DESIGN, **changes: object) -> Count:
    values = {"package": "this project", "version": "0.1.0", "use": "verdict", "studies": 600, "refused": 0}
    return Count(**{**values, "better": 10, "worse": 14, "ms": 1.5, "design": design, **changes})  # type: ignore[arg-type]


def adapter(name: str, file: Path) -> dict[str, object]:
    command = [sys.executable, str(ADAPTERS / name), str(file)]
    # The adapter of this project imports it from the checkout.
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)})
    return json.loads(done.stdout)["uses"]


def test_studies_come_back_from_the_file_as_they_went_in(tmp_path: Path) -> None:
    studies = simulate(DESIGN, 3)
    write(tmp_path / "studies.npz", studies)
    back = read(tmp_path / "studies.npz")
    assert back.right.shape == (3, 2, 5, 300)
    assert back.right.dtype == np.bool_
    assert (back.right == studies.right).all()
    assert back.paired


@pytest.mark.parametrize(("shape", "kind"), [((3, 2, 5), bool), ((3, 3, 5, 8), bool), ((3, 2, 5, 8), float)])
def test_what_is_no_pair_of_arms_is_not_written(shape: tuple[int, ...], kind: type, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the shape"):
        write(tmp_path / "studies.npz", Studies(right=np.zeros(shape, dtype=kind), paired=True))
    assert not list(tmp_path.iterdir())


def test_claims_name_the_better_arm() -> None:
    assert [claim(shown=True, gap=0.1), claim(shown=True, gap=-0.1), claim(shown=False, gap=0.1)] == [1, -1, 0]
    treatment, baseline = np.eye(3, 4, dtype=bool), np.zeros((3, 4), dtype=bool)
    seen = []
    one_run(lambda *runs: seen.append([one.shape for one in runs]) or 0)(treatment, baseline)
    assert seen == [[(1, 4), (1, 4)]]


def test_claims_are_counted() -> None:
    assert count([1, 0, -1, -1, None, 0]) == {"studies": 6, "refused": 1, "better": 1, "worse": 2}
    with pytest.raises(ValueError, match="claims 2"):
        count([0, 2])


def test_without_a_gap_every_claim_is_false_and_with_one_only_the_right_direction_is_found() -> None:
    null = counted()
    real = counted(Design(regime=DESIGN.regime, seeds=5, examples=300, gap=0.02))
    assert (null.hits, real.hits) == (24, 10)
    assert counted(refused=100).answered == 500
    assert tuple(null.interval) == pytest.approx(tuple(stats.binomtest(24, 600).proportion_ci()))


@pytest.mark.parametrize(
    ("changes", "again"),
    [({}, False), ({"version": "1.2.9"}, True), ({"studies": 300}, True), ({"runs": 148}, True)],
)
def test_a_package_is_not_asked_again_what_is_counted(changes: dict[str, object], again: bool, tmp_path: Path) -> None:
    deepsig, here = (next(one for one in PACKAGES if one.name == name) for name in ("deepsig", "this project"))
    batch = Batch(file=tmp_path / "0.npz", design=DESIGN, studies=600)
    counts = [
        counted(**{"package": "deepsig", "version": "1.2.8", "use": use, **changes}) for use in deepsig.speaks_about
    ]
    assert batch.counted(deepsig, [*counts, counted()]) is not again
    assert not batch.counted(deepsig, counts[1:])
    assert not batch.counted(here, [counted()])


def test_counts_come_back_from_their_file(tmp_path: Path) -> None:
    counts = [counted(), counted(Design(regime=REAL, seeds=3, examples=872, gap=0.0), runs=200, refused=600)]
    write_counts(tmp_path / "peers.csv", counts)
    assert read_counts(tmp_path / "peers.csv") == sorted(counts, key=lambda one: one.key)
    assert len({one.key for one in counts}) == 2
    assert read_counts(tmp_path / "none.csv") == []


def test_simulated_studies_have_the_gap_that_they_state() -> None:
    designs = list(simulated())
    assert len(designs) == len(set(designs)) == 30
    (design,) = [one for one in designs if (one.seeds, one.examples, one.gap) == (10, 872, 0.02)]
    first, second = simulate(design, 60).right.mean(axis=(0, 2, 3))
    # Each study's gap has a standard deviation of about 0.8 points.
    assert first - second == pytest.approx(0.02, abs=0.004)
    assert (simulate(design, 2).right == simulate(design, 2).right).all()


def test_two_methods_of_one_recipe_share_no_run() -> None:
    # Run r is right on example r alone, so that each can be told.
    right = np.eye(12, dtype=bool)
    design = Design(regime=REAL, seeds=5, examples=12, gap=0.0)
    drawn = divide(right, design, 20)
    assert not drawn.paired
    names = drawn.right.argmax(axis=-1).reshape(20, 10)
    assert all(len(set(study)) == 10 for study in names.tolist())
    assert len({tuple(study) for study in names.tolist()}) == 20
    with pytest.raises(ValueError, match="12 runs cannot be divided into two methods of 10"):
        divide(right, Design(regime=REAL, seeds=10, examples=12, gap=0.0), 1)


def test_this_project_claims_what_its_verdict_says(tmp_path: Path) -> None:
    studies = simulate(Design(regime=SIMULATED[1].name, seeds=5, examples=300, gap=0.02), 6)
    write(tmp_path / "studies.npz", studies)
    signs = {"better": 1, "worse": -1}
    expected = []
    for treatment, baseline in studies.right.astype(float):
        report = analysis.compare({"treatment": treatment, "baseline": baseline}, baseline="baseline", resamples=2)
        expected.append(signs.get(report.comparisons[0].verdict.direction, 0))
    assert adapter("with_this.py", tmp_path / "studies.npz")["verdict"]["claims"] == expected
    assert {0, 1} <= set(expected)


def test_scipy_judges_the_accuracies_of_the_seeds(tmp_path: Path) -> None:
    # Five seeds whose accuracies lie apart, and five that are alike.
    right = np.zeros((2, 2, 5, 20), dtype=bool)
    for seed in range(5):
        right[0, 0, seed, : 15 + seed % 3] = right[0, 1, seed, : 8 + seed] = True
        right[1, :, seed, : 10 + seed] = True
    write(tmp_path / "studies.npz", Studies(right=right, paired=True))
    said = adapter("with_scipy.py", tmp_path / "studies.npz")
    assert set(said) == set(PACKAGES[-1].speaks_about)
    assert [one["claims"] for one in said.values()] == [[1, 0]] * 3


def test_every_adapter_exists() -> None:
    files = {path.name for path in ADAPTERS.glob("with_*.py")}
    assert files == {package.adapter for package in PACKAGES}


def test_a_share_is_bold_where_it_is_surely_above_the_level() -> None:
    assert share(counted()) == "4.0 (2.6 to 5.9)"
    assert share(counted(better=60)) == "**12.3 (9.8 to 15.2)**"
    gap = Design(regime=DESIGN.regime, seeds=5, examples=300, gap=0.02)
    assert share(counted(gap, better=300)) == "50.0 (45.9 to 54.1)"
    assert share(counted(refused=600, better=0, worse=0)) == "refuses"
    assert share(None) == ""


def test_tables_are_written_between_their_markers() -> None:
    page = (ROOT / "docs" / "peers.md").read_text("utf-8")
    counts = [counted(), counted(Design(regime=REAL, seeds=3, examples=872, gap=0.0), runs=40)]
    made = with_tables(page, counts, {"evalstats": "evalstats==0.3.3 cannot be installed: no network"})
    assert made.splitlines()[0] == page.splitlines()[0]
    assert "| this project 0.1.0 | verdict | seeds and examples | 4.0 (2.6 to 5.9) |" in made
    assert "evalstats evalstats==0.3.3 cannot be installed: no network" in made
    assert "drawn from 40 runs of one recipe" in made
    assert with_tables(made, counts, {}).count("<!-- real -->") == 1
    with pytest.raises(ValueError, match="0 places for the table 'at a glance'"):
        with_tables("no markers", counts, {})


def test_the_page_shows_the_counts_that_are_committed() -> None:
    page = (ROOT / "docs" / "peers.md").read_text("utf-8")
    counts = read_counts(ROOT / "docs" / "peers.csv")
    assert with_tables(page, counts, {}) == page
    assert {(one.package, one.use) for one in counts} <= set(USES)
    assert {one.use for one in counts if one.package == "this project"} == {"verdict"}
