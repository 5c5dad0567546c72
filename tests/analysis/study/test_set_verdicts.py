"""Several test sets in a study: verdicts over them and on each, and what they rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import tables
from analysis.errors import AlignmentError, RecordError
from analysis.methods.crossed import crossed_test
from analysis.methods.looks import sequential_p
from analysis.methods.multiplicity import joint_step_down
from analysis.methods.partial_conjunction import partial_conjunction
from analysis.methods.variance import pooled_seed_spread
from analysis.metrics.influence import metric_scores
from analysis.records.loading import load
from analysis.study.power import StatedFigures, study_power
from analysis.study.report import analyze

if TYPE_CHECKING:
    from conftest import StudyFolder

SIZES = {"validation": 120, "other": 200}
Write = Callable[..., "StudyFolder"]


def with_sets(folder: StudyFolder, sizes: Mapping[str, int], *, shared: Sequence[int] = ()) -> StudyFolder:
    counts = [*shared, *[0] * len(sizes)]
    entries = [
        {"name": name, "n_test": n, "n_shared": count} for (name, n), count in zip(sizes.items(), counts, strict=False)
    ]
    folder.change_manifest(lambda content: content["data"].update(sets=entries))
    return folder


@pytest.fixture
def scores(simulated: Callable[..., Any], rng: np.random.Generator) -> dict[str, Any]:
    """An arm that is worse on both sets, and one that is better on the first and worse on the second."""
    first = simulated(rng, {"full": 0.8, "low": 0.5, "mixed": 0.95}, seeds=5, examples=SIZES["validation"])
    second = simulated(rng, {"full": 0.8, "low": 0.5, "mixed": 0.6}, seeds=5, examples=SIZES["other"])
    return {arm: np.hstack([first[arm], second[arm]]) for arm in first}


@pytest.fixture
def folder(tmp_path: Path, write_study: Write, scores: dict[str, Any]) -> StudyFolder:
    return with_sets(write_study(tmp_path / "both", scores, analysis={"margin": 0.02}), SIZES)


def test_each_set_is_judged_as_it_would_be_alone_and_corrected_with_the_others(
    folder: StudyFolder, tmp_path: Path, write_study: Write, scores: dict[str, Any]
) -> None:
    report = analyze(folder.root, resamples=99)
    assert [one.name for one in report.sets] == list(SIZES)
    start, raw = 0, []
    for one in report.sets:
        own = {arm: rows[:, start : start + one.n_examples] for arm, rows in scores.items()}
        start += one.n_examples
        alone = analyze(write_study(tmp_path / one.name, own, analysis={"margin": 0.02}).root, resamples=99)
        assert alone.sets == alone.set_counts == ()
        for ours, theirs in zip(one.comparisons, alone.comparisons, strict=True):
            assert ours.result == theirs.result
            assert ours.mcnemar == theirs.mcnemar
            raw.append((theirs.result.p_value, theirs.equivalence.p_value))  # type: ignore[union-attr]
        assert [(arm.mean, arm.sd) for arm in one.arms] == [(arm.mean, arm.sd) for arm in alone.arms]
    adjusted = joint_step_down(*zip(*raw, strict=True))
    rows = [pair for one in report.sets for pair in one.comparisons]
    assert tuple(pair.difference_p for pair in rows) == adjusted.difference
    assert tuple(pair.equivalence_p for pair in rows) == adjusted.equivalence
    assert [pair.verdict.direction for pair in rows] == ["worse", "better", "worse", "worse"]
    assert all(pair.family_confidence == pytest.approx(1 - 0.05 / 4) for pair in rows)


@pytest.mark.parametrize("correction", ["holm", "benjamini_hochberg"])
def test_every_interval_by_set_agrees_with_its_verdict(
    tmp_path: Path, simulated: Callable[..., Any], write_study: Write, correction: str
) -> None:
    arms = {"full": 0.8, "low": 0.7, "close": 0.755}
    scores = simulated(np.random.default_rng(5), arms, seeds=5, examples=sum(SIZES.values()))
    plan = {"correction": correction, "margin": 0.02}
    report = analyze(with_sets(write_study(tmp_path / "s", scores, analysis=plan), SIZES).root, resamples=99)
    rows = [pair for one in report.sets for pair in one.comparisons]
    claims = sum(pair.verdict.differs + pair.verdict.within_margin for pair in rows)
    level = 0.05 / 4 if correction == "holm" else 0.05 * claims / 8
    assert 0 < claims < 4
    for pair in rows:
        low, high = pair.verdict_interval
        assert pair.verdict_confidence == pytest.approx(1 - level)
        assert (low >= 0 or high <= 0) == pair.verdict.differs
        assert (low >= -0.02 and high <= 0.02) == pair.verdict.within_margin
    # The interval for itself alone does not agree with the verdict everywhere.
    assert any((pair.interval.low > 0 or pair.interval.high < 0) != pair.verdict.differs for pair in rows)


def test_the_verdicts_are_about_the_mean_over_the_sets(folder: StudyFolder) -> None:
    report = analyze(folder.root, resamples=99)
    for number, pair in enumerate(report.comparisons):
        by_set = [one.comparisons[number].estimate for one in report.sets]
        assert pair.estimate == pytest.approx(np.mean(by_set))
        assert pair.mcnemar == ()
        assert pair.n_examples == sum(SIZES.values())
    for number, arm in enumerate(report.arms):
        assert arm.mean == pytest.approx(np.mean([one.arms[number].mean for one in report.sets]))
    assert "full" in report.best.in_play
    assert "low" in report.best.ruled_out


def test_on_how_many_sets_is_a_lower_limit_in_each_direction(folder: StudyFolder) -> None:
    report = analyze(folder.root, resamples=99)
    low, mixed = report.set_counts
    assert (low.n_sets, low.better, low.worse) == (2, 0, 2)
    assert (mixed.better, mixed.worse) == (1, 1)
    p = [one.comparisons[1].result.p_value for one in report.sets]  # type: ignore[union-attr]
    expected = 4 * partial_conjunction([p[0] / 2, 1 - p[1] / 2])
    assert mixed.better_p == pytest.approx(np.minimum(expected, 1))


@pytest.mark.parametrize("metric", ["macro_f1", "log_loss"])
def test_a_metric_is_computed_within_each_set(
    tmp_path: Path, write_study: Write, scores: dict[str, Any], metric: str
) -> None:
    folder = with_sets(write_study(tmp_path / metric, scores, analysis={"metric": metric}), SIZES)
    outcomes = load(folder.root)
    whole = outcomes.scores("full", metric=metric)
    probabilities = np.stack([trial.known_answers[-1] for trial in outcomes.of_arm("full")])
    cut = SIZES["validation"]
    parts = [
        metric_scores(metric, outcomes.labels[at], probabilities[:, at]).mean(axis=1)
        for at in (slice(cut), slice(cut, None))
    ]
    np.testing.assert_allclose(whole.mean(axis=1), np.mean(parts, axis=0), rtol=1e-12)
    report = analyze(folder.root, resamples=99)
    worse = [pair.verdict.direction for one in report.sets for pair in one.comparisons[:1]]
    assert worse == ["worse", "worse"]
    assert report.set_counts[0].worse == 2


def test_a_set_under_two_names_changes_nothing(tmp_path: Path, write_study: Write, scores: dict[str, Any]) -> None:
    once = {arm: rows[:, :120] for arm, rows in scores.items()}
    twice = {arm: np.tile(rows, 2) for arm, rows in once.items()}
    alone = analyze(write_study(tmp_path / "one", once).root, resamples=99)
    folder = with_sets(write_study(tmp_path / "two", twice), {"one": 120, "copy": 120}, shared=[0, 120])
    ids = pa.array([f"id-{i}" for i in range(240)])
    groups = pa.array([f"text {i % 120}" for i in range(240)])
    pq.write_table(pa.table({"example_id": ids, "cluster": groups}), folder.root / "clusters.parquet")
    both = analyze(folder.root, resamples=99)
    # The study declares no clusters: copies in two sets are one unit of the test, and no cluster of any table.
    assert both.n_clusters is None
    assert "clusters" not in tables.markdown(both)
    for ours, theirs in zip(both.comparisons, alone.comparisons, strict=True):
        assert ours.result is not None
        assert theirs.result is not None
        assert ours.result.n_examples == 120
        for name in ("estimate", "standard_error", "df", "p_value", "pairwise_p_value", "other_p_value"):
            assert getattr(ours.result, name) == pytest.approx(getattr(theirs.result, name), rel=1e-9), name
        assert ours.verdict == theirs.verdict
        assert ours.verdict_interval == pytest.approx(theirs.verdict_interval, rel=1e-9)


def test_what_needs_one_set_is_about_the_first(tmp_path: Path, write_study: Write, scores: dict[str, Any]) -> None:
    by_epoch = {arm: np.stack([rows[:, ::-1], rows], axis=1) for arm, rows in scores.items()}
    claims = [
        {"source": "s", "model": "embedded/tiny", "n": n, "accuracy": {"full": "0.80", "low": "0.50"}}
        for n in (SIZES["validation"], sum(SIZES.values()))
    ]
    folder = with_sets(write_study(tmp_path / "both", by_epoch, claims=claims), SIZES)
    report = analyze(folder.root, resamples=99)
    first = {arm: rows[:, :, : SIZES["validation"]] for arm, rows in by_epoch.items()}
    alone = analyze(write_study(tmp_path / "alone", first, claims=claims).root, resamples=99)
    assert report.classes == alone.classes
    assert report.selection_lifts == alone.selection_lifts
    assert report.consistencies == alone.consistencies
    assert report.churns == alone.churns
    assert [row.result for row in report.class_comparisons] == [row.result for row in alone.class_comparisons]
    assert [claim.kind for claim in report.claims] == ["check", "context"]
    assert report.claims[0].measured_gap == alone.claims[0].measured_gap
    notes = [note for table in tables.build(report) for note in table.notes]
    assert notes.count("About the first test set, validation, alone.") == 5


def test_an_epoch_by_its_loss_on_the_first_set_is_chosen_by_that_sets_loss(
    tmp_path: Path, write_study: Write, scores: dict[str, Any]
) -> None:
    cut = SIZES["validation"]
    wrong_then_right = {arm: np.stack([rows, rows], axis=1) for arm, rows in scores.items()}
    for rows in wrong_then_right.values():
        rows[:, 0, :cut], rows[:, 1, :cut] = 1, 0
        rows[:, 0, cut:], rows[:, 1, cut:] = 0, 1
    holdout = {"rule": "best", "metric": "loss", "on": "holdout", "fraction": 0.1, "patience": None}
    folder = with_sets(write_study(tmp_path / "both", wrong_then_right, selection=holdout), SIZES)
    report = analyze(folder.root, resamples=99)
    assert {lift.best for lift in report.selection_lifts} == {1.0}


def test_the_tables_show_the_sets(folder: StudyFolder) -> None:
    report = analyze(folder.root, resamples=99)
    built = {table.title: table for table in tables.build(report)}
    by_set = built["Verdicts by test set"]
    assert [row[:2] for row in by_set.rows] == [
        ("low against full", "validation"),
        ("low against full", "other"),
        ("mixed against full", "validation"),
        ("mixed against full", "other"),
    ]
    notes = " ".join(by_set.notes)
    assert "A family of its own, at 0.05: corrected by the joint Holm step-down over all 4 rows together." in notes
    assert (
        "at least: low against full worse on 2 of 2 (p <0.001); mixed against full better on 1 of 2 (p = 0.0" in notes
    )
    assert "with a correction of their own: a single set may stay undecided" in notes
    verdicts = " ".join(built["Verdicts"].notes)
    assert "Means over 2 test sets, each with the same weight: validation, other" in verdicts
    further = "by test set, on how many sets, by class, the best arm"
    assert (
        f"Each further statement has an error rate of 0.05 of its own: {further}; with the verdicts up to" in verdicts
    )
    assert "up to 0.25." in verdicts
    assert [row[1] for row in built["Accuracy by arm and test set"].rows] == ["validation", "other"] * 3
    assert ("test sets", "validation (120 examples); other (200 examples); every set weighs the same") in built[
        "Provenance and caveats"
    ].rows
    assert not any(row[-2].startswith("McNemar") for row in built["All tests"].rows)
    assert "Verdicts by test set" in tables.markdown(report)
    assert report.to_json()["sets"][0]["name"] == "validation"


def test_two_seeds_count_no_set(tmp_path: Path, write_study: Write, scores: dict[str, Any]) -> None:
    folder = with_sets(write_study(tmp_path / "two", {arm: rows[:2] for arm, rows in scores.items()}), SIZES)
    report = analyze(folder.root, resamples=99)
    assert [(count.better, count.worse) for count in report.set_counts] == [(0, 0), (0, 0)]
    assert report.set_counts[0].better_p == (1.0, 1.0)
    notes = [note for table in tables.build(report) for note in table.notes if "On how many test sets" in note]
    assert notes == ["On how many test sets: a gap is shown on none."]


def test_looks_bind_the_verdicts_by_set(tmp_path: Path, write_study: Write, scores: dict[str, Any]) -> None:
    plan = {"looks": [4, 20]}
    folder = with_sets(write_study(tmp_path / "look", {arm: r[:4] for arm, r in scores.items()}, analysis=plan), SIZES)
    report = analyze(folder.root, resamples=99)
    pair = report.sets[0].comparisons[0]
    assert pair.result is not None
    assert pair.sequential_p > pair.result.p_value
    assert report.set_counts[0].worse_p[0] >= 4 * pair.sequential_p / 2 * 0.999


def test_the_p_value_of_a_later_look_takes_every_look_by_set(
    tmp_path: Path, write_study: Write, scores: dict[str, Any]
) -> None:
    folder = with_sets(write_study(tmp_path / "looks", scores, analysis={"looks": [4, 5]}), SIZES)
    outcomes = load(folder.root)
    drawn = {arm: outcomes.drawn(outcomes.scores(arm)) for arm in scores}
    p = [
        crossed_test(
            drawn["mixed"][:seeds],
            drawn["full"][:seeds],
            paired=True,
            spread=pooled_seed_spread([rows[:seeds] for rows in drawn.values()]),
            strata=outcomes.strata,
        ).p_value
        for seeds in (4, 5)
    ]
    pair = analyze(folder.root, resamples=99).comparisons[1]
    assert pair.treatment == "mixed"
    assert pair.sequential_p == pytest.approx(sequential_p(p, [4, 5], sides=2), rel=1e-9)


def test_a_rare_class_of_any_set_is_a_caveat(tmp_path: Path, write_study: Write, scores: dict[str, Any]) -> None:
    plan = {"metric": "balanced_accuracy"}
    folder = with_sets(write_study(tmp_path / "rare", scores, analysis=plan), SIZES)

    def nine_of_the_second(table: pa.Table) -> pa.Table:
        labels = np.array(table["label"]).copy()
        labels[SIZES["validation"] :] = 0
        labels[-9:] = 1
        return table.set_column(table.schema.get_field_index("label"), "label", pa.array(labels, pa.int32()))

    for arm, seed in folder.keys:
        folder.change_predictions(arm, seed, nine_of_the_second)
    caveats = analyze(folder.root, resamples=99).footer.caveats
    (rare,) = (caveat for caveat in caveats if caveat.short.startswith("rare class"))
    assert rare.short == "rare class positive of other"
    assert "fewer than 20 test examples of this class: 9." in rare.text


def test_the_set_with_the_fewest_clusters_is_the_smallest(
    tmp_path: Path, write_study: Write, scores: dict[str, Any]
) -> None:
    folder = with_sets(write_study(tmp_path / "s", scores, analysis={"metric": "log_loss"}), SIZES)
    n, first = sum(SIZES.values()), SIZES["validation"]
    groups = [f"text {i}" if i < first else f"document {i % 50}" for i in range(n)]
    folder.change_manifest(lambda content: content["data"].update(cluster="document"))
    pq.write_table(
        pa.table({"example_id": [f"id-{i}" for i in range(n)], "cluster": groups}), folder.root / "clusters.parquet"
    )
    shorts = [caveat.short for caveat in analyze(folder.root, resamples=99).footer.caveats]
    assert "few clusters for log loss" in shorts


def test_a_plan_after_a_pilot_uses_the_sets(folder: StudyFolder, scores: dict[str, Any]) -> None:
    report = analyze(folder.root, resamples=99)
    power = study_power(
        report.plan, arms=list(scores), n_seeds=5, n_examples=None, stated=StatedFigures(), folder=folder.root
    )
    assert power is not None
    assert power.pilot_seeds == 5
    result = report.comparisons[0].result
    assert result is not None
    assert result.n_examples == sum(SIZES.values())
    assert crossed_test(scores["low"], scores["full"], paired=True).estimate != pytest.approx(result.estimate)


def test_a_class_that_one_set_lacks_is_named(tmp_path: Path, write_study: Write, scores: dict[str, Any]) -> None:
    folder = with_sets(write_study(tmp_path / "lack", scores, analysis={"metric": "macro_f1"}), SIZES)

    def one_class(table: pa.Table) -> pa.Table:
        labels = np.array(table["label"]).copy()
        labels[: SIZES["validation"]] = 0
        return table.set_column(table.schema.get_field_index("label"), "label", pa.array(labels, pa.int32()))

    for arm, seed in folder.keys:
        folder.change_predictions(arm, seed, one_class)
    report = analyze(folder.root, resamples=99)
    assert "macro-F1 is undefined" in report.comparisons[0].reason
    assert "in one of the test sets no example is of class positive" in report.comparisons[0].reason
    assert report.sets[0].comparisons[0].reason.endswith("no test example is of class positive")
    assert report.sets[1].comparisons[0].result is not None


def test_sets_that_do_not_fit_are_refused(folder: StudyFolder) -> None:
    folder.change_manifest(lambda content: content["data"]["sets"][0].update(n_test=100))
    with pytest.raises(RecordError, match="sets name 300 test examples, but n_test is 320"):
        load(folder.root)
    folder.change_manifest(lambda content: content["data"].update(n_test=300))
    with pytest.raises(AlignmentError, match="hold 300 examples, but the trials were scored on 320"):
        load(folder.root)
