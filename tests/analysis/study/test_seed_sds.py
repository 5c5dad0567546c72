from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis import tables
from analysis.study.report import analyze
from analysis.study.seed_sds import seed_sd_caveats, seed_sds
from analysis.study.summaries import ArmSummary


def summary(arm: str, *values: float) -> ArmSummary:
    scores = np.array(values)
    return ArmSummary(
        arm=arm,
        seeds=tuple(range(len(values))),
        runs=tuple(map(str, range(len(values)))),
        n_examples=100,
        values=values,
        mean=float(scores.mean()),
        sd=float(scores.std(ddof=1)) if len(values) > 1 else math.nan,
        minimum=float(scores.min()),
        maximum=float(scores.max()),
        calibration_error=0.0,
        statuses={},
        reason="",
    )


CALM, WILD = summary("calm", 0.89, 0.90, 0.91), summary("wild", 0.87, 0.90, 0.93)
STILL = summary("still", 0.1 + 0.2, 0.3, 0.3)

THREE = dict.fromkeys(["calm", "wild", "still", "twice", "late", "undefined", "frozen"], 3)


def test_the_ratio_stands_with_how_often_chance_gives_it() -> None:
    spread = seed_sds([WILD, CALM], n_seeds=THREE, pooled=False)
    assert (spread.largest, spread.smallest, spread.reason) == ("wild", "calm", "")
    assert spread.ratio == pytest.approx(3)
    assert spread.p_value == pytest.approx(2 * stats.f.sf(9, 2, 2))
    assert spread.notable == (
        "The seed SD of wild is 3.0 times that of calm; with equal SDs, 2 arms and 3 seeds, so large a ratio comes "
        "about in 20% of studies."
    )
    # The test by pair takes them as they are: a sentence under the verdicts, and no warning.
    assert seed_sd_caveats(spread) == []


def test_arms_with_unequal_numbers_of_seeds_have_their_own_degrees_of_freedom() -> None:
    calmer = summary("calm", 0.89, 0.90, 0.91, 0.90, 0.89, 0.91)
    spread = seed_sds([WILD, calmer], n_seeds={"wild": 3, "calm": 6}, pooled=False)
    assert (spread.n_seeds, spread.n_by_arm, spread.differences) == (3, (3, 6), None)
    F = spread.ratio**2
    assert spread.p_value == pytest.approx(stats.f.sf(F, 2, 5) + stats.f.sf(F, 5, 2), abs=1e-5)
    assert "2 arms and 3 to 6 seeds in each, so large a ratio" in spread.in_words


def test_a_ratio_above_two_is_a_caveat_where_the_test_pools() -> None:
    (caveat,) = seed_sd_caveats(seed_sds([WILD, CALM, WILD], n_seeds=THREE, pooled=True))
    assert caveat.on_verdicts
    assert caveat.text.startswith("The seed SD of wild is 3.0 times that of calm;")
    assert "analysis.variance: pairwise" in caveat.text
    twice = summary("twice", 0.88, 0.90, 0.92)
    spread = seed_sds([twice, CALM, CALM], n_seeds=THREE, pooled=True)
    assert spread.ratio == pytest.approx(2)
    assert (spread.notable, seed_sd_caveats(spread)) == ("", [])
    assert "2.0 times" in spread.in_words


@pytest.mark.parametrize(
    ("arms", "reason", "warns"),
    [
        ([CALM], "fewer than two arms have two seeds or more", False),
        ([CALM, summary("late", 0.9, 0.91)], "fewer than two arms have two seeds or more", False),
        ([CALM, summary("undefined", 0.9, math.nan, 0.8)], "fewer than two arms have two seeds or more", False),
        # Equal but for rounding: no SD of 1e-17 may make a ratio of 1e15.
        ([CALM, STILL, WILD], "all seeds of still have the same mean score", True),
        ([STILL, replace(STILL, arm="frozen")], "all seeds of still, frozen have the same mean score", False),
    ],
)
def test_without_a_ratio_there_is_a_reason(arms: list[ArmSummary], reason: str, warns: bool) -> None:
    spread = seed_sds(arms, n_seeds=THREE, pooled=True)
    assert spread.reason == reason
    assert (spread.largest, spread.smallest) == ("", "")
    assert math.isnan(spread.ratio)
    assert math.isnan(spread.p_value)
    texts = [caveat.text for caveat in seed_sd_caveats(spread)]
    assert [text.split(". ")[0] for text in texts] == warns * [
        "All seeds of still have the same mean score (SD 0), unlike those of other arms"
    ]


def test_a_report_says_it_under_the_verdicts_and_in_the_details(tmp_path: Path, write_study: Any) -> None:
    rng = np.random.default_rng(2)
    shares = {"full": (0.90, 0.90, 0.91, 0.89), "wild": (0.95, 0.70, 0.90, 0.99)}
    scores = {
        arm: np.array([(rng.permutation(400) < 400 * share).astype(int) for share in by_seed])
        for arm, by_seed in shares.items()
    }
    report = analyze(write_study(tmp_path / "s", scores).root, resamples=199)
    spread = report.seed_sds
    assert spread.sds == pytest.approx([np.std(by_seed, ddof=1) for by_seed in shares.values()])
    assert report.to_json()["seed_sds"]["ratio"] == spread.ratio > 10
    built = {table.title: table for table in tables.build(report)}
    assert spread.notable in built["Verdicts"].notes
    assert spread.in_words in built["Where the uncertainty comes from"].notes
    assert any("mostly in favour of the arm that varies more" in note for note in built["Verdicts"].notes)


def test_treatments_that_share_their_luck_while_the_baseline_does_not_are_a_caveat(
    tmp_path: Path, write_study: Any
) -> None:
    rng = np.random.default_rng(3)
    shared = rng.normal(size=12)
    luck = {
        "full": rng.normal(size=12),
        **{arm: np.sqrt(0.9) * shared + np.sqrt(0.1) * rng.normal(size=12) for arm in ("r2", "r4", "r8")},
    }
    scores = {
        arm: np.array([(rng.permutation(500) < 440 + 12 * one).astype(int) for one in seeds])
        for arm, seeds in luck.items()
    }
    report = analyze(write_study(tmp_path / "s", scores).root, resamples=19)
    assert report.seed_sds.differences is not None
    assert report.seed_sds.differences.ratio > 2
    assert "full" in report.seed_sds.notable_differences
    (text,) = (caveat.text for caveat in report.footer.caveats if "over seeds" in caveat.short or "SDs" in caveat.short)
    assert report.seed_sds.notable_differences in text
    alone = analyze(write_study(tmp_path / "t", scores, analysis={"variance": "pairwise"}).root, resamples=19)
    assert alone.seed_sds.differences is None


def test_a_study_that_pools_fewer_arms_than_planned_says_so(tmp_path: Path, simulated: Any, write_study: Any) -> None:
    arms = {"full": 0.9, "lora": 0.88, "other": 0.9}
    folder = write_study(tmp_path / "s", simulated(np.random.default_rng(1), arms, seeds=5, examples=200))
    folder.end("other", 4, "diverged", "loss is not finite")
    report = analyze(folder.root, resamples=19)
    said = "planned to be pooled over 3 arms, here of the two arms of a comparison alone"
    assert any(said in note for note in tables.build(report)[0].notes)
