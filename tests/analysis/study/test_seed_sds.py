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


def test_the_ratio_stands_with_how_often_chance_gives_it() -> None:
    spread = seed_sds([WILD, CALM], n_seeds=3, pooled=False)
    assert (spread.largest, spread.smallest, spread.reason) == ("wild", "calm", "")
    assert spread.ratio == pytest.approx(3)
    assert spread.p_value == pytest.approx(2 * stats.f.sf(9, 2, 2))
    assert spread.notable == (
        "The seed SD of wild is 3.0 times that of calm; with equal SDs, 2 arms and 3 seeds, so large a ratio comes "
        "about in 20% of studies."
    )
    # The test by pair takes them as they are: a sentence under the verdicts, and no warning.
    assert seed_sd_caveats(spread) == []


def test_a_ratio_above_two_is_a_caveat_where_the_test_pools() -> None:
    (caveat,) = seed_sd_caveats(seed_sds([WILD, CALM, WILD], n_seeds=3, pooled=True))
    assert caveat.on_verdicts
    assert caveat.text.startswith("The seed SD of wild is 3.0 times that of calm;")
    assert "analysis.variance: pairwise" in caveat.text
    twice = summary("twice", 0.88, 0.90, 0.92)
    spread = seed_sds([twice, CALM, CALM], n_seeds=3, pooled=True)
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
        ([CALM, STILL, WILD], "the seeds changed nothing in still", True),
        ([STILL, replace(STILL, arm="frozen")], "the seeds changed nothing in still, frozen", False),
    ],
)
def test_without_a_ratio_there_is_a_reason(arms: list[ArmSummary], reason: str, warns: bool) -> None:
    spread = seed_sds(arms, n_seeds=3, pooled=True)
    assert spread.reason == reason
    assert (spread.largest, spread.smallest) == ("", "")
    assert math.isnan(spread.ratio)
    assert math.isnan(spread.p_value)
    texts = [caveat.text for caveat in seed_sd_caveats(spread)]
    assert [text.split(". ")[0] for text in texts] == warns * [
        "The seeds changed nothing in still, but did in other arms"
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
