"""A cut of `nox -s calibration`: fewer studies of fewer regimes, held against the same promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from analysis.methods.crossed import crossed_test
from calibration.best_arm import BEST_REGIMES, count_best_arm
from calibration.classes import CLASS_REGIMES, count_classes
from calibration.counts import Count, Size
from calibration.every_count import HEAD, every_count
from calibration.failures import FRAGILE, count_fragile, count_log_loss, count_rare_predictions, count_unpaired
from calibration.looks import count_family_looks, count_looks
from calibration.methods import LEVELS, METHODS
from calibration.page import page
from calibration.promises import broken, promises
from calibration.rates import GAP, Rates, count_regime
from calibration.regimes import REGIMES, Regime, draw, draw_arms, draw_labelled
from calibration.simulation import Calibration

SIZE = Size(studies=400, resampled=40)
BY_NAME = {regime.name: regime for regime in REGIMES}


def faults(rates: Sequence[Rates] = (), **counts: object) -> list[str]:
    return broken(promises(Calibration(size=SIZE, rates=tuple(rates), **counts)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "seeds"),
    [
        ("no seed effect", 5),
        ("no seed effect", 20),
        ("strong seed effect", 3),
        ("strong seed effect", 20),
        ("arms alike on every example", 20),
        # The methods for one trial are counted at five seeds alone, and take most of the time.
        pytest.param("strong seed effect", 5, marks=pytest.mark.slow),
        pytest.param("arms alike on every example", 5, marks=pytest.mark.slow),
        pytest.param("accuracy .97", 3, marks=pytest.mark.slow),
        pytest.param("four classes", 5, marks=pytest.mark.slow),
    ],
)
def test_every_method_keeps_its_promise(name: str, seeds: int) -> None:
    rows = count_regime(BY_NAME[name], seeds, SIZE)
    assert faults(rows) == []
    by_method = {row.method: row for row in rows}
    assert by_method["crossed t"].rejected[0.05].studies == SIZE.studies
    assert by_method["multi-bootstrap, percentile"].rejected[0.05].studies == SIZE.resampled
    assert ("AUROC" in by_method) == (name != "four classes" and seeds != 20)
    # Intervals hold the true gap: at most a chance of one in ten thousand to fall below this at a coverage of .94.
    covered = by_method["crossed t"].covered
    assert covered.hits >= 0.88 * covered.studies
    if name == "no seed effect" and seeds == 20:
        assert by_method["paired t"].rejected[0.05].rate > 0.3
        assert by_method["crossed t"].detected.rate > 0.5
    if name == "strong seed effect":
        assert ("McNemar, mid-p" in by_method) == (seeds == 5)
        assert seeds != 5 or by_method["McNemar, mid-p"].rejected[0.05].rate > 0.4


def test_declared_looks_cost_nothing_and_undeclared_ones_do() -> None:
    looks = count_looks(BY_NAME["mild seed effect"], Size(studies=500))
    several = count_family_looks(BY_NAME["mild seed effect"], Size(studies=100))
    assert faults(looks=(looks,), family_looks=(several,)) == []
    assert looks.undeclared.hits > looks.at_the_end.hits
    assert looks.undeclared.rate > 0.06
    assert looks.detected.rate > looks.detected_at_the_end.rate - 0.1
    assert 4 <= looks.seeds < 20
    assert several.undeclared.hits > several.declared.hits
    bad = replace(several, declared=Count(hits=200, studies=2000))
    assert faults(family_looks=(bad,)) == [
        "declared looks, several comparisons; mild seed effect, four comparisons: 0.1, promised at most 0.055"
    ]


@pytest.mark.parametrize("arms", [2, 5])
def test_a_table_by_class_makes_few_false_claims(arms: int) -> None:
    table = count_classes(CLASS_REGIMES[1], arms, 3, Size(tables=12))
    assert faults(classes=(table,)) == []
    assert table.joint.studies == 12
    assert table.uncorrected.hits >= 3
    bad = replace(table, joint=Count(hits=60, studies=400))
    assert "table by class" in faults(classes=(bad,))[0]


def test_broken_promises_are_told() -> None:
    row = Rates(regime="mild seed effect", method="crossed t", population="seeds and examples", n_seeds=3)
    row.rejected[0.05] = Count(hits=200, studies=2000)
    assert faults([row]) == [
        "the crossed t of two arms at .05, accuracy; crossed t, mild seed effect, 3 seeds: 0.1, promised at most 0.06"
    ]
    # Two seeds promise nothing, nor does an arm that is noisier than the other.
    assert faults([replace(row, n_seeds=2)]) == []
    assert faults([replace(row, regime="one arm three times noisier")]) == []
    # What chance alone may bring is no broken promise.
    row.rejected[0.05] = Count(hits=140, studies=2000)
    assert faults([row]) == []
    # Twice the level where Holm's correction over eight comparisons looks.
    row.rejected[0.00625] = Count(hits=250, studies=20_000)
    assert "at .00625" in faults([replace(row, n_seeds=5)])[0]
    # Three seeds promise no far tail: they decide single comparisons.
    assert faults([row]) == []


@pytest.mark.parametrize("regime", [*REGIMES, *FRAGILE], ids=lambda regime: regime.name)
def test_a_regime_has_the_truth_that_it_claims(regime: Regime) -> None:
    rng = np.random.default_rng(5)
    alike, different = draw(regime, 400, rng, gap=GAP, n_examples=2000)
    spread = 4 * (regime.seed_sds(2).max() / 20 + 0.03 * regime.collapse + 0.35 / np.sqrt(2000))
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
        middle = (regime.collapsed_accuracy + regime.sound_accuracy(0.0)) / 2
        assert (alike.treatment.right.mean(axis=1) < middle).mean() == pytest.approx(regime.collapse, abs=0.06)


def test_a_skewed_arm_keeps_its_mean_and_is_seldom_far_below_it() -> None:
    (treatment, baseline) = draw_arms(FRAGILE[0], 4000, np.random.default_rng(2), gaps=(0.0,), n_examples=1000)
    runs = treatment.mean(axis=1) - treatment.mean()
    assert treatment.mean() == pytest.approx(baseline.mean(), abs=0.03)
    # The far tail reaches where the score's slope is steeper.
    assert runs.std() == pytest.approx(0.036, rel=0.3)
    assert (runs**3).mean() / runs.std() ** 3 < -1


def test_arms_of_a_family_have_their_gaps_and_labelled_ones_their_classes() -> None:
    *treatments, baseline = draw_arms(REGIMES[0], 50, np.random.default_rng(1), gaps=(0.0, 0.05), n_examples=20_000)
    gaps = [right.mean() - baseline.mean() for right in treatments]
    assert gaps == pytest.approx([0.0, 0.05], abs=0.01)
    arms = draw_labelled(CLASS_REGIMES[0], 2, np.random.default_rng(1), n_arms=3)
    assert len(arms) == 3
    assert np.bincount(arms[0].labels).min() >= 20
    assert all(((arm.predictions == arm.labels) == arm.right).all() for arm in arms)


@pytest.mark.parametrize(("regime", "lowest"), [(FRAGILE[0], 0.07), (FRAGILE[2], 0.3)], ids=["skewed", "collapse"])
def test_an_arm_that_does_badly_now_and_then_is_a_known_failure(regime: Regime, lowest: float) -> None:
    two_arms, in_its_favour, pooled = count_fragile(regime, 5, Size(studies=200))
    assert two_arms.claimed.rate > lowest
    assert pooled.claimed.rate > lowest
    assert in_its_favour.claimed.hits > 0.8 * two_arms.claimed.hits
    assert faults(failures=(two_arms, pooled)) == []


def test_other_known_failures() -> None:
    size = Size(studies=250)
    (rare,) = count_rare_predictions("precision", 6, 10, size)
    (often,) = count_rare_predictions("precision", 20, 10, size)
    assert rare.claimed.rate > 0.1 > often.claimed.rate
    (unpaired,) = count_unpaired((3, 20), Size(studies=500))
    assert unpaired.place == "3 and 20"
    assert unpaired.claimed.studies == 500
    (log_loss,) = count_log_loss(10, size)
    assert log_loss.claimed.rate > 0.06


def test_the_best_arm_stays_in_its_confidence_set() -> None:
    one = count_best_arm(BEST_REGIMES[1], 4, 4, Size(tables=120))
    assert faults(best_arms=(one,)) == []
    assert (one.equal.studies, one.equal.per_study) == (120, 4)
    assert (one.ahead.per_study, one.ruled_out.per_study) == (1, 3)
    assert one.equal.hits > 0
    assert one.ruled_out.rate > 0.1 > one.ahead.rate


def test_the_page_and_the_counts_hold_every_count() -> None:
    size = Size(studies=3, resampled=1, tables=1)
    result = Calibration(
        size=size,
        rates=tuple(count_regime(REGIMES[0], 3, size)),
        classes=(count_classes(CLASS_REGIMES[0], 2, 3, size),),
        best_arms=(count_best_arm(BEST_REGIMES[0], 3, 3, size),),
        looks=(count_looks(REGIMES[0], size),),
        family_looks=(count_family_looks(REGIMES[0], size),),
        failures=tuple(count_fragile(FRAGILE[1], 3, size)),
    )
    text = page(result, command="nox -s calibration", minutes=1.0)
    assert "promises held in all" in text
    assert "## Known failures" in text
    assert [line for line in text.splitlines() if len(line) > 120 and not line.startswith("|")] == []
    table = every_count(result).splitlines()
    methods = [method for method in METHODS if 3 in method.seeds]
    assert len(table) == 1 + len(methods) + 1 + 2 + 6 + 3
    assert table[0] == ",".join(HEAD)
    assert table[1].startswith("two arms,no seed effect,crossed t,1,3,")
    assert all(line.count(",") >= len(HEAD) - 1 for line in table)
    assert LEVELS == (0.05, 0.00625)


def test_the_page_names_what_is_broken() -> None:
    row = Rates(regime="mild seed effect", method="crossed t", population="seeds and examples", n_seeds=3)
    row.rejected[0.05] = Count(hits=200, studies=2000)
    text = page(Calibration(size=SIZE, rates=(row,)), command="nox -s calibration", minutes=1.0)
    assert "**Broken in 1 of 1 cells:**" in text
    assert "held in all" not in text
    assert "**broken in 1**" in text


def test_the_same_seed_gives_the_same_counts() -> None:
    first, again = (count_regime(REGIMES[1], 3, Size(studies=20, resampled=3)) for _ in range(2))
    assert first == again


def test_two_arms_alone_are_the_family_by_pair() -> None:
    from calibration.families import judged

    arms = draw_arms(REGIMES[1], 5, np.random.default_rng(3), gaps=(0.0, 0.0))
    alone = [crossed_test(arm, arms[-1], paired=True) for arm in arms[:-1]]
    assert judged(arms, "by pair") == alone
    pooled = judged(arms, "pooled")
    assert [one.n_arms for one in pooled] == [3, 3]
    assert [one.pairwise_p_value for one in pooled] == [one.p_value for one in alone]
