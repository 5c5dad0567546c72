"""Long table of a study: one row for what each trial answered for each test example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.records.outcomes import Outcomes
from analysis.records.trial import Trial
from analysis.sources.arrow import number_column, text_column


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
    rows, data = n * times, outcomes.manifest.data
    if columns.field("seed").type == pa.string():
        seeds = text_column([trial.run or str(trial.seed)] * rows)
    else:
        seeds = number_column(np.full(rows, trial.seed))

    def repeated(values: pa.Array) -> pa.Array:
        return pa.concat_arrays([values] * times)

    def named(numbers: NDArray[Any]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(number_column(numbers.astype(np.int32)), text_column(data.classes))

    held = {
        "arm": pa.DictionaryArray.from_arrays(number_column(np.zeros(rows, np.int32)), text_column([trial.arm])),
        "seed": seeds,
        "epoch": number_column(np.repeat(np.array(trial.epochs, dtype=np.int32), n)),
        "example_id": repeated(text_column(outcomes.example_ids)),
    }
    if outcomes.clusters is not None:
        held["cluster"] = repeated(text_column(outcomes.clusters))
    if data.score is not None:
        held[score_column(outcomes)] = number_column(answers.reshape(-1).astype(np.float64))
    elif outcomes.is_regression:
        held["label"] = repeated(number_column(outcomes.labels.astype(np.float64)))
        held["prediction"] = number_column(answers.reshape(-1).astype(np.float64))
    else:
        held["label"] = repeated(named(outcomes.labels))
        held["prediction"] = named(trial.predicted.reshape(-1))
    if outcomes.has_probabilities:
        by_class = answers.reshape(rows, len(data.classes))
        held |= {f"p_{name}": number_column(by_class[:, c].astype(np.float32)) for c, name in enumerate(data.classes)}
    return pa.record_batch([held[name] for name in columns.names], schema=columns)
