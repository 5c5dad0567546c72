"""A cut of `nox -s calibration`: fewer studies of fewer regimes, held against the same promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.methods import LEVELS, METHODS
from calibration.page import counts, page
from calibration.promises import broken
from calibration.rates import (
    FAMILIES,
    GAP,
    Calibration,
    Count,
    Rates,
    Size,
    count_family,
    count_looks,
    count_regime,
)
from calibration.regimes import REGIMES, Regime, draw, draw_arms

SIZE = Size(studies=400, resampled=40)
BY_NAME = {regime.name: regime for regime in REGIMES}


def gathered(
    rates: list[Rates] | None = None, families: list[object] | None = None, looks: list[object] | None = None
) -> Calibration:
    return Calibration(
        size=SIZE,
        rates=tuple(rates or ()),
        families=tuple(families or ()),  # type: ignore[arg-type]
        looks=tuple(looks or ()),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("seeds", [3, 5, 20])
@pytest.mark.parametrize(
    "name",
    ["no seed effect", "strong seed effect", "arms alike on every example", "accuracy .97", "four classes"],
)
def test_every_method_keeps_its_promise(name: str, seeds: int) -> None:
    rows = count_regime(BY_NAME[name], seeds, SIZE)
    assert broken(gathered(rows)) == []
    by_method = {row.method: row for row in rows}
    assert by_method["crossed t"].rejected[0.05].studies == SIZE.studies
    assert by_method["multi-bootstrap, percentile"].rejected[0.05].studies == SIZE.resampled
    assert ("AUROC" in by_method) == (name != "four classes")
    # Intervals hold the true gap: at most a chance of one in ten thousand to fall below this at a coverage of .94.
    covered = by_method["crossed t"].covered
    assert covered.hits >= 0.88 * covered.studies
    if name == "no seed effect" and seeds == 20:
        assert by_method["paired t"].rejected[0.05].rate > 0.3
        assert by_method["crossed t"].detected.rate > 0.5
    if name == "strong seed effect":
        assert by_method["McNemar, mid-p"].rejected[0.05].rate > 0.4


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_makes_few_false_claims(name: str) -> None:
    family = count_family(name, 5, Size(studies=400))
    assert broken(gathered(families=[family])) == []
    assert family.joint.hits <= family.uncorrected.hits
    assert family.uncorrected.rate > 0.08


def test_declared_looks_cost_nothing_and_undeclared_ones_do() -> None:
    looks = count_looks(BY_NAME["mild seed effect"], Size(studies=500))
    assert broken(gathered(looks=[looks])) == []
    assert looks.undeclared.hits > looks.at_the_end.hits
    assert looks.undeclared.rate > 0.06
    assert looks.detected.rate > looks.detected_at_the_end.rate - 0.1
    assert 4 <= looks.seeds < 20


def test_a_fragile_arm_is_a_known_failure() -> None:
    crossed = [method for method in METHODS if method.name == "crossed t"]
    rows = count_regime(REGIMES[-1], 5, SIZE, crossed)
    assert rows[0].rejected[0.05].rate > 0.1
    assert broken(gathered(rows)) == []


def test_broken_promises_are_told() -> None:
    row = Rates(regime="mild seed effect", method="crossed t", population="seeds and examples", n_seeds=3)
    row.rejected[0.05] = Count(hits=200, studies=2000)
    messages = broken(gathered([row]))
    assert len(messages) == 1
    assert messages[0] == "crossed t, mild seed effect, 3 seeds: 200 of 2000 (0.100), promised at most 0.06"
    # Two seeds promise nothing, nor does an arm that is noisier than the other.
    assert broken(gathered([replace(row, n_seeds=2)])) == []
    assert broken(gathered([replace(row, regime="one arm three times noisier")])) == []
    # What chance alone may bring is no broken promise.
    row.rejected[0.05] = Count(hits=140, studies=2000)
    assert broken(gathered([row])) == []
    family = count_family("four of 0", 3, Size(studies=1))
    bad = replace(family, joint=Count(hits=200, studies=2000))
    assert "joint step-down" in broken(gathered(families=[bad]))[0]


def test_the_lower_limit_is_clopper_and_pearsons() -> None:
    # R: binom.test(140, 2000, alternative = "greater", conf.level = 0.999)$conf.int[1]
    assert Count(hits=140, studies=2000).lower == pytest.approx(0.05357740378, rel=1e-9)
    assert Count(hits=0, studies=2000).lower == 0


@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.name)
def test_a_regime_has_the_truth_that_it_claims(regime: Regime) -> None:
    rng = np.random.default_rng(5)
    alike, different = draw(regime, 400, rng, gap=GAP, n_examples=2000)
    spread = 4 * (regime.seed_sd * regime.noisier / 20 + 0.03 * regime.collapse + 0.35 / np.sqrt(2000))
    for arm, accuracy in (
        (alike.treatment, regime.accuracy),
        (alike.baseline, regime.accuracy),
        (different.treatment, regime.accuracy + GAP),
    ):
        assert arm.right.mean() == pytest.approx(accuracy, abs=spread)
        assert ((arm.predictions == arm.labels) == arm.right).all()
    seeds = alike.baseline.right.mean(axis=1).std(ddof=1)
    noise = np.sqrt(regime.accuracy * (1 - regime.accuracy) / 2000)
    assert seeds == pytest.approx(regime.seed_sd, rel=0.25, abs=noise)
    shares = np.bincount(alike.baseline.labels) / 2000
    assert shares == pytest.approx(regime.class_shares, abs=0.001)
    if regime.collapse:
        assert (alike.treatment.right.mean(axis=1) < 0.6).mean() == pytest.approx(regime.collapse, abs=0.06)


def test_arms_of_a_family_have_their_gaps() -> None:
    treatments, baseline = draw_arms(REGIMES[0], 50, np.random.default_rng(1), gaps=(0.0, 0.05), n_examples=20_000)
    gaps = [right.mean() - baseline.mean() for right in treatments]
    assert gaps == pytest.approx([0.0, 0.05], abs=0.01)


def test_the_page_and_the_counts_hold_every_count() -> None:
    rows = count_regime(REGIMES[0], 3, Size(studies=3, resampled=1))
    result = gathered(rows, [count_family("four of 0", 3, Size(studies=3))], [count_looks(REGIMES[0], Size(studies=3))])
    text = page(result, command="nox -s calibration", minutes=1.0)
    assert "All promises hold" in text
    assert "| no seed effect | 3 |" in text
    table = counts(result).splitlines()
    assert len(table) == 1 + len(METHODS)
    assert table[0].startswith("regime,method,speaks_about,seeds,at_05_hits,at_05_studies")
    assert LEVELS == (0.05, 0.00625)


def test_the_same_seed_gives_the_same_counts() -> None:
    first, again = (count_regime(REGIMES[1], 3, Size(studies=20, resampled=3)) for _ in range(2))
    assert first == again
