"""Long table of a study: one row for what each trial answered for each test example."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from analysis.records.outcomes import Outcomes
from analysis.records.trial import Trial


def schema(outcomes: Outcomes) -> pa.Schema:
    """Return the columns of the long table of a study.

    They are ``arm, seed, epoch, example_id``; then, in a classification, ``label``, ``prediction`` and ``p_CLASS`` for
    each class whose probability is stored; in a regression ``label`` and ``prediction``; else the score under its name.
    Where examples are grouped there is ``cluster``. ``seed`` holds the name of a run that has one, and there is no
    ``epoch`` where every trial has one.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    """
    names = pa.dictionary(pa.int32(), pa.string())
    data = outcomes.manifest.data
    fields = [("arm", names), ("seed", pa.string() if _has_names(outcomes) else pa.int64())]
    if _has_epochs(outcomes):
        fields.append(("epoch", pa.int32()))
    fields.append(("example_id", pa.string()))
    if outcomes.clusters is not None:
        fields.append(("cluster", pa.string()))
    if data.score is not None:
        fields.append((score_column(outcomes), pa.float64()))
    elif outcomes.is_regression:
        fields += [("label", pa.float64()), ("prediction", pa.float64())]
    else:
        fields += [("label", names), ("prediction", names)]
    if outcomes.has_probabilities:
        fields += [(f"p_{name}", pa.float32()) for name in data.classes]
    return pa.schema(fields)


def batches(outcomes: Outcomes) -> Iterator[pa.RecordBatch]:
    """Yield the rows of each finished trial, arm by arm, with the columns of `schema`.

    Parameters
    ----------
    outcomes : Outcomes
        The study. Every stored epoch of a trial is there.
    """
    columns = schema(outcomes)
    for arm in outcomes.arms:
        for trial in outcomes.of_arm(arm):
            if trial.answers is not None:
                yield _rows(outcomes, trial, columns)


def plain(columns: pa.Schema) -> pa.Schema:
    """Return the same columns without dictionaries, for formats that know none."""
    return pa.schema(
        [field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field for field in columns]
    )


def score_column(outcomes: Outcomes) -> str:
    """Return the name of the column of scores: the score's own, unless another column has it."""
    entry = outcomes.manifest.data.score
    taken = {"arm", "seed", "epoch", "example_id", "cluster"}
    return "score" if entry is None or entry.name.lower() in taken else entry.name


def _has_names(outcomes: Outcomes) -> bool:
    return any(trial.run is not None for trial in outcomes.trials.values())


def _has_epochs(outcomes: Outcomes) -> bool:
    return any(len(trial.epochs) > 1 for trial in outcomes.trials.values())


def _rows(outcomes: Outcomes, trial: Trial, columns: pa.Schema) -> pa.RecordBatch:
    answers, n, times = trial.known_answers, len(outcomes.example_ids), len(trial.epochs)
    data = outcomes.manifest.data
    run = trial.seed if columns.field("seed").type == pa.int64() else trial.run or str(trial.seed)

    def repeated(values: pa.Array) -> pa.Array:
        return pa.concat_arrays([values] * times)

    def named(numbers: pa.Array) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32()), pa.array(data.classes, pa.string()))

    held = {
        "arm": pa.DictionaryArray.from_arrays(pa.array(np.zeros(n * times, np.int32)), pa.array([trial.arm])),
        "seed": pa.repeat(pa.scalar(run, columns.field("seed").type), n * times),
        "epoch": pa.array(np.repeat(np.array(trial.epochs, dtype=np.int32), n)),
        "example_id": repeated(pa.array(outcomes.example_ids, pa.string())),
    }
    if outcomes.clusters is not None:
        held["cluster"] = repeated(pa.array(outcomes.clusters, pa.string()))
    if data.score is not None:
        held[score_column(outcomes)] = pa.array(answers.reshape(-1), pa.float64())
    elif outcomes.is_regression:
        held["label"] = repeated(pa.array(outcomes.labels, pa.float64()))
        held["prediction"] = pa.array(answers.reshape(-1), pa.float64())
    else:
        held["label"] = repeated(named(outcomes.labels))
        held["prediction"] = named(trial.predicted.reshape(-1))
    if outcomes.has_probabilities:
        by_class = answers.reshape(n * times, len(data.classes))
        held |= {f"p_{name}": pa.array(by_class[:, c], pa.float32()) for c, name in enumerate(data.classes)}
    return pa.record_batch([held[name] for name in columns.names], schema=columns)
