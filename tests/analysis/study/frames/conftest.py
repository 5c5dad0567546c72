"""Reports of made-up studies that have every table between them, each analysed once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from analysis.sources.runs import Answers, Run, Runs
from analysis.study.imported import imported_manifest, imported_outcomes
from analysis.study.report import StudyReport, analyze, report_on
from tests.analysis.conftest import StudyFolder, simulated, write_study

ARMS = {"full": 0.88, "lora-r2": 0.70, "lora-r8": 0.86}
N = 240
CLAIMS = [
    {"source": "a", "model": "embedded/tiny", "n": N, "accuracy": {"full": "0.90", "lora-r2": "0.801"}},
    {"source": "b", "model": "other", "n": N, "accuracy": {"full": "0.90", "lora-r8": "0.9"}},
    {"source": "c", "model": "embedded/tiny", "n": 10, "accuracy": {"full": "0.9"}},
]


def scores(seed: int, *, seeds: int, examples: int = N, seed_sd: float = 0.0, lower: float = 0.0) -> dict[str, Any]:
    accuracies = {arm: accuracy - lower for arm, accuracy in ARMS.items()}
    return simulated(np.random.default_rng(seed), accuracies, seeds=seeds, examples=examples, seed_sd=seed_sd)


def everything(root: Path) -> StudyFolder:
    """Three classes, two epochs, a hold-out, claims, and trials that were trained in packs."""
    late, early = scores(7, seeds=5), scores(8, seeds=5, lower=0.04)
    by_epoch = {arm: np.stack([early[arm], late[arm]], axis=1) for arm in ARMS}
    holdout = {"rule": "best", "metric": "accuracy", "on": "holdout"}
    folder = write_study(root, by_epoch, classes=("a", "b", "c"), claims=CLAIMS, selection=holdout)
    for seed in range(5):
        folder.change_record("lora-r2", seed, lambda content: content.update(selected_epoch=1))
        folder.change_record("lora-r2", seed, lambda content, s=seed: content["seconds"].update(training=7.0 + s * s))
        folder.pack("lora-r8", seed, 4)
    return folder


def equal(root: Path) -> StudyFolder:
    """Arms of which equivalence is in question, examples in clusters, and an arm that lost a trial."""
    arms = {"full": 0.8, "lora": 0.8, "lost": 0.8}
    plan = {"margin": 0.05}
    folder = write_study(root, simulated(np.random.default_rng(3), arms, seeds=9, examples=N), analysis=plan)
    table = {"example_id": [f"id-{i}" for i in range(N)], "cluster": [f"c{i // 2}" for i in range(N)]}
    pq.write_table(pa.table(table), folder.root / "clusters.parquet")
    folder.change_manifest(lambda content: content["data"].update(cluster="document"))
    folder.end("lost", 2, "diverged", "x")
    return folder


def loss(root: Path) -> StudyFolder:
    """A metric that is no share, and of which lower is better."""
    return write_study(root, scores(4, seeds=4), analysis={"metric": "log_loss", "margin": 0.02})


def early_look(root: Path) -> StudyFolder:
    """A look so early that intervals have no limits."""
    return write_study(root, scores(5, seeds=4), analysis={"looks": [4, 40], "alpha": 1e-12})


def sets(root: Path) -> StudyFolder:
    folder = write_study(root, scores(6, seeds=4))
    entries = [{"name": name, "n_test": n, "n_shared": 0} for name, n in (("validation", 100), ("other", N - 100))]
    folder.change_manifest(lambda content: content["data"].update(sets=entries))
    return folder


def by_source(root: Path) -> StudyFolder:
    folder = write_study(root, scores(8, seeds=20, examples=60, seed_sd=0.03))

    def change(content: dict[str, Any]) -> None:
        for cell in content["cells"]:
            cell["initialisation"], cell["data_order"] = divmod(cell["seed"], 4)

    folder.change_manifest(change)
    return folder


def one_trial(root: Path) -> StudyFolder:
    return write_study(root, scores(9, seeds=1, examples=40))


def elsewhere(answers: Answers, right: Mapping[str, NDArray[np.int64]], *, paired: bool = True) -> StudyReport:
    """A report of runs that were trained elsewhere, in memory."""
    n = next(iter(right.values())).shape[1]
    labels = np.arange(n) % 2
    noise = np.random.default_rng(1).normal(size=n)
    made = []
    for arm, rows in right.items():
        for seed, row in enumerate(rows):
            told = np.where(row == 1, labels, 1 - labels) if answers == "classes" else row + 0.3 * noise
            made.append(Run(arm=arm, label=str(seed) if paired else f"{arm} {seed}", answers=told[None]))
    runs = Runs(
        answers=answers,
        example_ids=pa.array([f"e{i}" for i in range(n)]),
        labels=labels if answers == "classes" else None,
        classes=("no", "yes") if answers == "classes" else (),
        score="reward" if answers == "scores" else "",
        runs=tuple(made),
        paired=paired,
    )
    plan = {"margin": 0.02, "baseline": "full"}
    return report_on(imported_outcomes(runs, imported_manifest(runs, name="theirs", analysis=plan)), resamples=99)


def only_classes(_: Path) -> StudyReport:
    return elsewhere("classes", scores(10, seeds=4))


def only_scores(_: Path) -> StudyReport:
    return elsewhere("scores", scores(11, seeds=4))


def unpaired(_: Path) -> StudyReport:
    """Runs that are not paired by seed, more of one arm than of the others."""
    right = scores(12, seeds=7)
    return elsewhere("classes", {arm: rows if arm == "full" else rows[:5] for arm, rows in right.items()}, paired=False)


def in_turns(root: Path) -> StudyFolder:
    """Trials in packs, every arm timed in turns, and one that could not be."""
    folder = write_study(root, scores(13, seeds=4))
    for arm, seed in folder.keys:
        folder.pack(arm, seed, 6)
    folder.time({"full": [0.10, 0.11, 0.12], "lora-r2": [0.07, 0.07, 0.08]})
    content = json.loads((root / "timing.json").read_text())
    content["arms"]["lora-r8"] = {"key": folder.keys["lora-r8", 0], "reason": "OutOfMemoryError"}
    (root / "timing.json").write_text(json.dumps(content))
    return folder


STUDIES = (
    everything,
    equal,
    in_turns,
    loss,
    early_look,
    sets,
    by_source,
    one_trial,
    only_classes,
    only_scores,
    unpaired,
)


@pytest.fixture(scope="session", params=STUDIES, ids=lambda make: make.__name__)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StudyReport:
    make: Callable[[Path], StudyFolder | StudyReport] = request.param
    made = make(tmp_path_factory.mktemp(make.__name__) / "study")
    return made if isinstance(made, StudyReport) else analyze(made.root, resamples=99)
