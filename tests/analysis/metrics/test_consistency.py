from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis import tables
from analysis.metrics import consistency as module
from analysis.metrics.consistency import churn, consistency
from analysis.study.report import analyze

# The share of agreeing pairs of raters, mean over subjects, is the observed agreement of Fleiss' kappa (Fleiss 1971,
# Psychological Bulletin 76, 378-382), and churn is what is missing to 1. The worked example of the article "Fleiss'
# kappa" in Wikipedia: counts of 14 raters in 5 categories for 10 subjects, observed agreement 0.378.
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]

answers = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def drawn(rng: np.random.Generator, *shape: int, classes: int = 3) -> NDArray[np.int64]:
    return np.asarray(rng.integers(classes, size=shape))


def test_churn_is_one_minus_the_agreement_that_fleiss_kappa_uses() -> None:
    predictions = np.array([np.repeat(np.arange(5), counts) for counts in FLEISS]).T
    made = consistency(np.zeros(10, dtype=int), predictions)
    assert 1 - made.churn == pytest.approx(0.378, abs=5e-4)
    assert (made.n_seeds, made.n_examples) == (14, 10)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(rng=answers, seeds=st.integers(2, 5), n=st.integers(1, 12), classes=st.integers(2, 4))
def test_shares_are_those_of_counting_by_hand(rng: np.random.Generator, seeds: int, n: int, classes: int) -> None:
    labels, predictions = drawn(rng, n, classes=classes), drawn(rng, seeds, n, classes=classes)
    made = consistency(labels, predictions)
    columns = [set(column.tolist()) for column in predictions.T]
    right = sum(column == {label} for column, label in zip(columns, labels.tolist(), strict=True))
    assert made.always_right == pytest.approx(right / n)
    assert made.always_wrong == pytest.approx(sum(len(column) == 1 for column in columns) / n - right / n)
    assert made.disputed == pytest.approx(sum(len(column) > 1 for column in columns) / n)
    pairs = [np.mean(one != other) for one, other in itertools.combinations(predictions, 2)]
    assert made.churn == pytest.approx(np.mean(pairs), abs=1e-12)
    assert made.always_right + made.always_wrong + made.disputed == pytest.approx(1)
    assert made.reason == ""


@settings(deadline=None, derandomize=True, max_examples=60)
@given(rng=answers, seeds=st.integers(2, 5), n=st.integers(1, 12))
def test_churn_between_arms_is_that_of_counting_by_hand(rng: np.random.Generator, seeds: int, n: int) -> None:
    treatment, baseline = drawn(rng, seeds, n), drawn(rng, seeds, n)
    made = churn(treatment, baseline)
    between = [np.mean(treatment[s] != baseline[t]) for s, t in itertools.permutations(range(seeds), 2)]
    within = [
        np.mean(arm[s] != arm[t]) for arm in (treatment, baseline) for s, t in itertools.combinations(range(seeds), 2)
    ]
    assert made.between == pytest.approx(np.mean(between), abs=1e-12)
    assert made.within == pytest.approx(np.mean(within), abs=1e-12)
    assert made.excess == pytest.approx(made.between - made.within, abs=1e-12)
    turned = churn(baseline, treatment)
    assert (turned.between, turned.within) == pytest.approx((made.between, made.within), abs=1e-12)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(rng=answers, seeds=st.tuples(st.integers(2, 5), st.integers(2, 5)), n=st.integers(1, 12))
def test_any_two_runs_of_arms_that_share_no_seeds_are_a_pair(
    rng: np.random.Generator, seeds: tuple[int, int], n: int
) -> None:
    treatment, baseline = (drawn(rng, S, n) for S in seeds)
    made = churn(treatment, baseline, paired=False)
    assert made.between == pytest.approx(np.mean([np.mean(t != b) for t in treatment for b in baseline]), abs=1e-12)
    within = [np.mean([np.mean(s != t) for s, t in itertools.combinations(arm, 2)]) for arm in (treatment, baseline)]
    assert made.within == pytest.approx(np.mean(within), abs=1e-12)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(rng=answers)
def test_the_order_of_seeds_and_examples_and_the_names_of_classes_do_not_matter(rng: np.random.Generator) -> None:
    labels, treatment, baseline = drawn(rng, 15), drawn(rng, 4, 15), drawn(rng, 4, 15)
    seeds, examples, names = rng.permutation(4), rng.permutation(15), rng.permutation(3) + 40
    one, other = consistency(labels, treatment), consistency(names[labels], names[treatment[seeds]])
    for field in ("always_right", "always_wrong", "disputed", "churn"):
        assert getattr(one, field) == pytest.approx(getattr(other, field), abs=1e-12)
    pair = churn(treatment, baseline)
    turned = churn(names[treatment][seeds][:, examples], names[baseline][seeds][:, examples])
    assert (turned.between, turned.within) == pytest.approx((pair.between, pair.within), abs=1e-12)


def test_arms_that_differ_no_more_than_seeds_have_no_excess() -> None:
    rng = np.random.default_rng(9)
    ease = rng.random(4000)
    alike = [(rng.random((6, 4000)) < ease).astype(int) for _ in range(2)]
    made = churn(*alike)
    assert made.within == pytest.approx(1 / 3, abs=0.01)
    assert made.excess == pytest.approx(0, abs=0.01)
    shifted = alike[1].copy()
    shifted[:, :400] = 1 - shifted[:, :400]
    assert churn(alike[0], shifted).excess > 0.02


def test_churn_does_not_grow_with_the_seeds_and_disputes_do() -> None:
    rng = np.random.default_rng(9)
    predictions = (rng.random((20, 3000)) < 0.8).astype(int)
    few, many = (consistency(np.ones(3000, dtype=int), predictions[:seeds]) for seeds in (3, 20))
    assert many.churn == pytest.approx(few.churn, abs=0.02)
    assert many.disputed > few.disputed + 0.3


def test_one_seed_has_no_churn_and_says_why() -> None:
    made = consistency([0, 1, 1], [[0, 1, 0]])
    assert (made.always_right, made.always_wrong, made.disputed) == pytest.approx((2 / 3, 1 / 3, 0))
    assert np.isnan(made.churn)
    assert made.reason == "one seed has no other to agree with"
    pair = churn([[0, 1]], [[1, 1]])
    assert np.isnan([pair.between, pair.within, pair.excess]).all()
    assert pair.reason == "one seed: no pair of different seeds"
    assert churn([[0, 1]], [[1, 1], [0, 1]], paired=False).reason == "one seed: no pair of different seeds"


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 1], [[0, 1, 1]], "every example needs its label"),
        ([[0, 1]], [[0, 1]], "every example needs its label"),
        ([0, 1], [0, 1], "runs x examples"),
        ([0, 1], [[0.0, 1.0]], "class numbers"),
        ([], [[]], "runs x examples"),
        ([0], np.zeros((0, 1), dtype=int), "runs x examples"),
    ],
)
def test_bad_input_says_what_it_got(labels: Any, predictions: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        consistency(labels, predictions)


def test_arms_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got \(2, 2\) and \(1, 2\)"):
        churn([[0, 1], [1, 1]], [[0, 1]])
    with pytest.raises(ValueError, match=r"the same examples, got \(1, 2\) and \(2, 3\)"):
        churn([[0, 1]], [[0, 1, 1], [0, 1, 1]], paired=False)
    with pytest.raises(ValueError, match="baseline must be class numbers"):
        churn([[0, 1]], [["a", "b"]])


def test_a_study_reports_the_agreement_of_its_runs(
    tmp_path: Path, simulated: Any, write_study: Any, rng: np.random.Generator
) -> None:
    scores = simulated(rng, {"full": 0.9, "lora": 0.8, "other": 0.9}, seeds=4, examples=50)
    folder = write_study(tmp_path / "s", scores)
    report = analyze(folder.root, resamples=199)
    # With two classes, a run that is wrong says the other class: agreement of answers is agreement of scores.
    ones = np.ones(50, dtype=int)
    assert report.consistencies == tuple((arm, consistency(ones, right)) for arm, right in scores.items())
    assert report.churns == (churn(scores["lora"], scores["full"]), churn(scores["other"], scores["full"]))
    folder.end("other", 2, "diverged", "x")
    report = analyze(folder.root, resamples=199)
    assert report.churns[1] is None
    assert dict(report.consistencies)["other"].n_seeds == 3
    (table,) = [table for table in tables.build(report) if table.title == "Agreement of the seeds"]
    assert [row[0] for row in table.rows] == ["full", "lora", "other"]
    assert "other against full" not in table.notes[-1]


@pytest.mark.parametrize("classes", [(0, 1), (3, 4, 9), (0, 250), (-7, 5_000_000)])
@pytest.mark.parametrize("examples", [2048, 10])
def test_churn_in_blocks_is_counted_pair_by_pair(
    monkeypatch: pytest.MonkeyPatch, classes: tuple[int, ...], examples: int
) -> None:
    monkeypatch.setattr(module, "_EXAMPLES", examples)
    first, second = np.random.default_rng(2).choice(classes, (2, 4, 33))
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    found = churn(first, second)
    assert found.between == pytest.approx(np.mean([np.mean(first[i] != second[j]) for i, j in pairs]))
    within = [np.mean([np.mean(rows[i] != rows[j]) for i, j in pairs]) for rows in (first, second)]
    assert found.within == pytest.approx(np.mean(within))
