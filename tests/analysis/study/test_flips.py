from __future__ import annotations

from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.records.loading import load
from analysis.records.outcomes import Outcomes
from analysis.sources.arrays import runs_of_arrays
from analysis.sources.options import ImportOptions
from analysis.study.flips import AnsweredExamples, answered_examples
from analysis.study.imported import imported_manifest, imported_outcomes
from analysis.study.report import report_on


def examples_of(folder: Path) -> AnsweredExamples:
    outcomes = load(folder)
    return answered_examples(outcomes, report_on(outcomes, resamples=99))


def outcomes_of(runs: dict[str, Any], *, labels: Any = None, higher_is_better: bool = True) -> Outcomes:
    options = ImportOptions(task=None if labels is None else "regression", lower_is_better=not higher_is_better)
    read = runs_of_arrays(runs, options, labels=labels)
    # No correlation of four numbers is asked for.
    plan = {} if labels is None else {"metric": "mse", "margin": 1.0}
    return imported_outcomes(read, imported_manifest(read, name="s", analysis=plan))


def test_an_example_flips_that_one_arm_gets_right_in_most_runs_and_the_other_does_not(
    tmp_path: Path, write_study: Any
) -> None:
    full = [[1, 1, 1, 1, 1], [1, 1, 1, 0, 1], [1, 1, 0, 0, 1], [1, 0, 0, 0, 1]]
    lora = [[0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [0, 1, 1, 1, 1], [0, 1, 1, 1, 1]]
    examples = examples_of(write_study(tmp_path / "s", {"full": np.array(full), "lora": np.array(lora)}).root)
    (flips,) = examples.flips
    assert (flips.treatment, flips.baseline, examples.right) == ("lora", "full", True)
    # By hand: 4 of 4 right against none is 1 of comb(8, 4) ways to deal four right answers to eight runs. Two of four
    # are no majority, so 3 against 2 is a flip, the least sure; the last example, right everywhere, is none.
    assert flips.positions.tolist() == [0, 3, 2, 1]
    assert flips.leads == pytest.approx([-1, 0.75, 0.5, -0.25])
    assert flips.chances == pytest.approx(
        [1 / comb(8, 4), comb(4, 1) / comb(8, 5), comb(4, 2) / comb(8, 6), (comb(4, 3) * comb(4, 2) + 4) / comb(8, 5)]
    )
    assert flips.counts == (2, 2)
    assert examples.ids == ("id-0", "id-1", "id-2", "id-3")
    assert examples.answers["full"].shape == (4, 4)
    right = examples.answers["full"] == examples.labels
    assert right.astype(int).tolist() == [row[:4] for row in full]


def test_what_dealing_at_random_would_let_flip_is_exact(tmp_path: Path, write_study: Any, rng: Any) -> None:
    right = {arm: (rng.random((5, 200)) < 0.6).astype(int) for arm in ("full", "lora")}
    (flips,) = examples_of(write_study(tmp_path / "s", right).root).flips
    totals = right["full"].sum(axis=0) + right["lora"].sum(axis=0)
    # scipy's distribution: lora has x of the right answers, full the rest.
    won = sum(stats.hypergeom.pmf(x, 10, totals, 5) * ((x > 2.5) & (totals - x <= 2.5)) for x in range(6))
    assert flips.expected == pytest.approx((won.sum(), won.sum()))
    a, b = right["lora"].sum(axis=0), right["full"].sum(axis=0)
    tails = np.where(a > b, stats.hypergeom.sf(a - 1, 10, totals, 5), stats.hypergeom.sf(b - 1, 10, totals, 5))
    assert flips.chances == pytest.approx(tails[flips.positions])
    assert (np.diff(flips.chances) > -1e-12).all()
    # Both arms answer alike, so about so many flip.
    assert abs(sum(flips.counts) - sum(flips.expected)) < 4 * np.sqrt(sum(flips.expected))


def test_numbers_flip_where_one_arm_is_nearer_in_most_pairs_of_runs() -> None:
    labels = np.array([1.0, 2.0, 3.0, 4.0])
    near, far = np.array([0.125, 0.125, 0.125, 0.0]), np.array([0.5, 2.0, 0.125, 0.0])
    runs = {"a": labels + np.stack([near, -near, near]), "b": labels + np.stack([far, far, -far])}
    outcomes = outcomes_of(runs, labels=labels)
    examples = answered_examples(outcomes, report_on(outcomes, resamples=99))
    (flips,) = examples.flips
    assert not examples.right
    # The example with the greater distance between the means comes first; ties are no lead.
    assert flips.positions.tolist() == [1, 0]
    assert flips.leads.tolist() == [-1, -1]
    assert np.isnan(flips.chances).all()
    assert np.isnan(flips.expected).all()


@pytest.mark.parametrize(("higher_is_better", "lead"), [(True, 1.0), (False, -1.0)])
def test_scores_of_0_and_1_are_right_or_wrong(higher_is_better: bool, lead: float) -> None:
    rows = np.zeros((4, 6))
    runs = {"a": rows, "b": np.where(np.arange(6) == 2, 1.0, rows)}
    outcomes = outcomes_of(runs, higher_is_better=higher_is_better)
    examples = answered_examples(outcomes, report_on(outcomes, resamples=99))
    assert examples.right
    assert examples.flips[0].positions.tolist() == [2]
    assert examples.flips[0].leads.tolist() == [lead]
    # One score between them, and it is a question of better and worse, in the same direction.
    runs["a"][0, 0] = 0.5
    outcomes = outcomes_of(runs, higher_is_better=higher_is_better)
    examples = answered_examples(outcomes, report_on(outcomes, resamples=99))
    assert not examples.right
    assert examples.flips[0].leads.tolist() == [lead]


def test_of_very_many_the_surest_are_held(tmp_path: Path, write_study: Any) -> None:
    full = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 1], [1, 1, 1, 0, 0, 1]])
    folder = write_study(tmp_path / "s", {"full": full, "lora": np.zeros_like(full), "other": 1 - full}).root
    outcomes = load(folder)
    report = report_on(outcomes, resamples=99)
    examples = answered_examples(outcomes, report, most=4)
    assert [len(flips.positions) for flips in examples.flips] == [5, 5]
    assert examples.positions.tolist() == [0, 1]
    assert examples.ids == ("id-0", "id-1")
    assert examples.n_examples == 6


def test_arms_without_runs_flip_nothing(tmp_path: Path, write_study: Any) -> None:
    scores = np.array([[1, 0, 1, 1], [1, 1, 0, 1]])
    folder = write_study(tmp_path / "s", {"full": scores, "lora": scores, "late": scores})
    for seed in (0, 1):
        folder.forget("late", seed)
    examples = examples_of(folder.root)
    assert [flips.treatment for flips in examples.flips] == ["lora"]
    assert not len(examples.flips[0].positions)
