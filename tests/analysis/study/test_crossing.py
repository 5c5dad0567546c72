"""Seeds by source: judged by the test for seeds that cross, and nowhere taken for independent seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis import analyze, check_plan, tables
from analysis.errors import AnalysisError, PlanError, RecordError
from analysis.methods.clusters import cluster_scores
from analysis.methods.crossed_seeds import crossed_seeds_test
from analysis.published.rerun import rerun
from analysis.records.loading import load
from analysis.study.analysis_block import frozen_plan
from analysis.study.power import StatedFigures, study_power
from tests.analysis.conftest import StudyFolder, write_study

A, B, N = 5, 4, 90
ARMS = {"full": 0.80, "lora": 0.72, "frozen": 0.79}


def scores(rng: np.random.Generator, *, first: float = 0.06) -> dict[str, NDArray[np.int64]]:
    out = {}
    for arm, accuracy in ARMS.items():
        shift = first * rng.normal(size=(A, 1, 1)) + 0.02 * rng.normal(size=(1, B, 1))
        right = rng.random((A, B, N)) < np.clip(accuracy + shift, 0, 1)
        out[arm] = right.reshape(A * B, N).astype(np.int64)
    return out


def by_source(folder: StudyFolder) -> StudyFolder:
    def change(content: dict[str, Any]) -> None:
        for cell in content["cells"]:
            cell["initialisation"], cell["data_order"] = divmod(cell["seed"], B)

    folder.change_manifest(change)
    return folder


@pytest.fixture(scope="module")
def right() -> dict[str, NDArray[np.int64]]:
    return scores(np.random.default_rng(4))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, right: Mapping[str, NDArray[np.int64]]) -> StudyFolder:
    two_epochs = {arm: np.stack([1 - y, y], axis=1) for arm, y in right.items()}
    return by_source(write_study(tmp_path_factory.mktemp("crossing"), two_epochs, analysis={"margin": 0.02}))


def test_the_test_for_seeds_that_cross_is_the_primary_one(
    study: StudyFolder, right: Mapping[str, NDArray[np.int64]]
) -> None:
    report = analyze(study.root, resamples=99)
    assert report.crossing == (A, B)
    for pair in report.comparisons:
        expected = crossed_seeds_test(*(right[arm].reshape(A, B, N) for arm in (pair.treatment, pair.baseline)))
        result = pair.result
        assert result is not None
        assert result.by_source == expected
        assert (result.design, result.n_arms) == ("C", 2)
        assert (result.estimate, result.p_value, result.df) == (expected.estimate, expected.p_value, expected.df)
        assert pair.interval == expected.interval(0.95)
        # The components are those of this very mean.
        parts = result.components
        variance = parts.seed / (A * B) + parts.example / N + parts.residual / (A * B * N)
        assert variance == pytest.approx(expected.standard_error**2)
    named = {row.result.design for row in report.class_comparisons if row.result is not None}
    assert named == {"C"}
    assert report.best.in_play
    assert report.best.n_arms == 2


def test_nothing_takes_the_pairs_for_independent_seeds(study: StudyFolder) -> None:
    report = analyze(study.root, resamples=99)
    for pair in report.comparisons:
        assert (pair.bootstrap, pair.sign_flip, pair.outperforming) == (None, None, None)
        assert (pair.settling_gap, pair.settling_margin) == (None, None)
        assert len(pair.mcnemar) == A * B
    assert math.isnan(report.seed_sds.ratio)
    assert "not independent" in report.seed_sds.reason
    assert all(math.isnan(ratio.interval.low) and ratio.ratio > 0 for ratio in report.time_ratios)
    assert all(
        math.isnan(lift.interval.low) and lift.generalizes_to == "these trials" for lift in report.selection_lifts
    )
    # Four orders without a collapse, and not twenty trials.
    assert report.footer.collapse_rate == pytest.approx(1 - 0.05 ** (1 / B))


def test_the_tables_say_what_was_tested(study: StudyFolder) -> None:
    built = {table.title: table for table in tables.build(analyze(study.root, resamples=99))}
    verdicts = {column.header: column.cells for column in built["Verdicts"].columns}
    assert set(verdicts["Test"]) == {"crossed t, seeds by source"}
    assert set(verdicts["Seeds × examples"]) == {f"{A} × {B} × {N}"}
    (note,) = (note for note in built["Verdicts"].notes if note.startswith("Seeds by source"))
    assert "5 initialisations × 4 data orders, the same pairs in every arm" in note
    assert "nothing is pooled" in note
    tests = {column.header: column.cells for column in built["All tests"].columns}["Test"]
    assert set(tests) == {"crossed t, seeds by source", "equivalence at 2 pp", "McNemar, each seed"}
    assert not {"What would decide the rest", "Which gaps can be found"} & built.keys()
    best = {column.header: column.cells for column in built["Which arm may be the best"].columns}
    assert set(best["Seeds × examples"]) == {f"{A} × {B} × {N}"}
    split = built["Where the uncertainty comes from, by source"]
    shares = next(c.cells for c in split.columns if c.header.startswith("Initialisation / data order"))
    for cell in shares:
        assert sum(float(share.rstrip("%")) for share in cell.split(" / ")) == pytest.approx(100, abs=2)
    lift = next(table for title, table in built.items() if "choosing the epoch" in title or "As published" in title)
    assert set(next(c.cells for c in lift.columns if c.header == "Test")) == {"none"}
    assert tables.latex(analyze(study.root, resamples=99)).count("seeds by source") > 2


def test_a_seed_by_itself_is_judged_as_before(tmp_path: Path, right: Mapping[str, NDArray[np.int64]]) -> None:
    report = analyze(write_study(tmp_path, right, analysis={"margin": 0.02}).root, resamples=99)
    assert report.crossing is None
    assert report.comparisons[0].result is not None
    assert report.comparisons[0].result.by_source is None
    # As twenty independent seeds the same scores look surer than they are.
    as_pairs = analyze(by_source(StudyFolder(tmp_path)).root, resamples=99)
    assert as_pairs.comparisons[0].result is not None
    assert as_pairs.comparisons[0].result.standard_error > report.comparisons[0].result.standard_error


def test_clusters_are_drawn_and_not_examples(tmp_path: Path, right: Mapping[str, NDArray[np.int64]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = by_source(write_study(tmp_path, right))
    folder.change_manifest(lambda content: content["data"].update(cluster="document"))
    cluster = [f"c{i // 3}" for i in range(N)]
    ids = [f"id-{i}" for i in range(N)]
    pq.write_table(pa.table({"example_id": ids, "cluster": cluster}), tmp_path / "clusters.parquet")
    pair = analyze(tmp_path, resamples=99).comparisons[0]
    drawn = [cluster_scores(right[arm].astype(float), cluster) for arm in (pair.treatment, pair.baseline)]
    assert pair.result is not None
    assert pair.result.by_source == crossed_seeds_test(*(y.reshape(A, B, N // 3) for y in drawn))


def test_a_pair_that_has_yet_to_run_holds_every_verdict_back(
    tmp_path: Path, right: Mapping[str, NDArray[np.int64]]
) -> None:
    folder = by_source(write_study(tmp_path, right))
    folder.forget("lora", 7)
    report = analyze(tmp_path, resamples=99)
    assert {pair.verdict.label for pair in report.comparisons} == {"no verdict"}
    assert {pair.verdict.reason for pair in report.comparisons} == {
        "19 of 20 pairs of an initialisation and a data order have finished in every arm, and the test takes all"
    }
    assert report.taken_look is None
    folder = by_source(write_study(tmp_path / "diverged", right))
    folder.end("lora", 7, "diverged", "the loss is not finite")
    verdicts = {pair.treatment: pair.verdict for pair in analyze(tmp_path / "diverged", resamples=99).comparisons}
    assert verdicts["lora"].reason == "diverged: lora seed 7"
    assert verdicts["frozen"].asked


@pytest.mark.parametrize(
    ("plan", "path", "words"),
    [
        ({"looks": [4, 8]}, "looks", "analysed once"),
        ({"failed_trials": "drop_seed"}, "failed_trials", "need every pair"),
    ],
)
def test_what_no_rule_covers_is_refused(
    tmp_path: Path, right: Mapping[str, NDArray[np.int64]], plan: dict[str, Any], path: str, words: str
) -> None:
    (problem,) = check_plan(plan, None, arms=["full"], seeds={"initialisation": 5, "data_order": 4})
    assert problem.path == ("analysis", path)
    assert words in problem.message
    assert check_plan(plan, None, arms=["full"], seeds=20) == []
    folder = by_source(write_study(tmp_path, right, analysis=plan))
    with pytest.raises(PlanError, match=words):
        analyze(folder.root)


def test_pooling_is_refused_where_it_is_stated(tmp_path: Path, right: Mapping[str, NDArray[np.int64]]) -> None:
    plan, seeds = {"variance": "pooled"}, {"initialisation": 5, "data_order": 4}
    (problem,) = check_plan(plan, None, arms=["full"], seeds=seeds)
    assert problem.path == ("analysis", "variance")
    assert "nothing is pooled" in problem.message
    for block, of in (({}, seeds), ({"variance": "pairwise"}, seeds), (plan, 20)):
        assert check_plan(block, None, arms=["full"], seeds=of) == []
    # A folder that was frozen with it can still be read.
    analyze(by_source(write_study(tmp_path, right, analysis=plan)).root, resamples=99)


def test_several_test_sets_are_refused(tmp_path: Path, right: Mapping[str, NDArray[np.int64]]) -> None:
    folder = by_source(write_study(tmp_path, right))
    sets = [{"name": name, "n_test": N // 2} for name in ("a", "b")]
    folder.change_manifest(lambda content: content["data"].update(sets=sets))
    with pytest.raises(PlanError, match="judged on one test set, got 2"):
        frozen_plan(load(tmp_path).manifest, arms=list(ARMS))


def test_such_a_study_is_no_pilot_and_no_rerun(study: StudyFolder) -> None:
    outcomes = load(study.root)
    with pytest.raises(AnalysisError, match="its seeds are by source"):
        rerun(outcomes, "lora", "full", published=None)
    plan = frozen_plan(outcomes.manifest, arms=outcomes.arms)
    power = study_power(plan, arms=outcomes.arms, n_seeds=20, n_examples=N, stated=StatedFigures(), folder=study.root)
    assert power is not None
    assert power.pilot_seeds == 0


def cells(folder: StudyFolder) -> Sequence[dict[str, Any]]:
    return list(json.loads((folder.root / "study.json").read_text())["cells"])


@pytest.mark.parametrize(
    "change",
    [
        lambda cell: cell.update(initialisation=cell["initialisation"] + 1),
        lambda cell: cell.update(data_order=None),
        lambda cell: cell.pop("initialisation"),
    ],
)
def test_seeds_that_do_not_number_the_pairs_are_refused(
    tmp_path: Path, right: Mapping[str, NDArray[np.int64]], change: Any
) -> None:
    folder = by_source(write_study(tmp_path, right))
    folder.change_manifest(lambda content: change(content["cells"][3]))
    assert cells(folder)[3]["seed"] == 3
    with pytest.raises(RecordError, match=r"full seed 3 has initialisation \S+ and data order \S+, expected"):
        analyze(folder.root)
