"""Every Eval Ever: the trials of a study as its aggregate and sample files, schema 0.3.0.

Each trial is an evaluation of its own. A study stores no texts of its examples, so their inputs are empty; an example
is known by its id. Arm and seed are in the metadata of every file and row.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.metrics.metric_kinds import METRICS, MetricKind
from analysis.records.outcomes import Outcomes
from analysis.records.trial import Trial

SCHEMA_VERSION: Final = "0.3.0"

_METRIC_OF_TASK = {"classification": "accuracy", "regression": "mse"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The two files of one trial.

    Parameters
    ----------
    path : str
        Of the aggregate file, from the folder that holds ``data/``; that of the samples ends in ``_samples.jsonl``.
    aggregate : str
        JSON.
    samples : str
        JSON lines, one for each test example.
    """

    path: str
    aggregate: str
    samples: str

    @property
    def samples_path(self) -> str:
        """Where the samples belong."""
        return self.path.removesuffix(".json") + "_samples.jsonl"


def evaluations(outcomes: Outcomes, *, retrieved: int, version: str) -> Iterator[Evaluation]:
    """Yield the files of every finished trial, at the epoch that counts for verdicts.

    The score of a sample is 1 or 0 for a right or a wrong class, the squared error of a predicted number, or the score
    that an imported study holds.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    retrieved : int
        When the files are made, in seconds since 1970.
    version : str
        Of this package.
    """
    for arm in outcomes.arms:
        for trial in outcomes.of_arm(arm):
            if trial.answers is not None:
                yield _evaluation(outcomes, trial, retrieved=retrieved, version=version)


def _evaluation(outcomes: Outcomes, trial: Trial, *, retrieved: int, version: str) -> Evaluation:
    name, kind = outcomes.manifest.name, _kind(outcomes)
    developer, model = _model(outcomes, trial)
    identity = {"name": f"{model} ({trial.name})", "id": f"{developer}/{model}"}
    run = trial.run or str(trial.seed)
    folder = f"data/{_portable(name)}/{developer}/{model}"
    stem = _uuid(f"{name}\0{trial.arm}\0{run}")
    evaluation_id = f"{name}/{identity['id']}/{run}/{retrieved}"
    scores = _scores(outcomes, trial)
    row = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": evaluation_id,
        "model_id": identity["id"],
        "evaluation_name": name,
        "evaluation_result_id": f"{evaluation_id}#{kind.title}",
        "interaction_type": "single_turn",
    }
    samples = "".join(
        json.dumps(row | sample, ensure_ascii=False, allow_nan=False) + "\n"
        for sample in _samples(outcomes, trial, scores)
    )
    content = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": evaluation_id,
        "retrieved_timestamp": str(retrieved),
        "source_metadata": {
            "source_name": name,
            "source_type": "evaluation_run",
            "source_organization_name": "not stated",
            "evaluator_relationship": "other",
            "additional_details": {"arm": trial.arm, "seed": run},
        },
        "eval_library": {"name": "ablation-harness", "version": version},
        "model_info": {
            **identity,
            "additional_details": {"deployment_type": "self_deployed", "model_availability": "unknown"},
        },
        "evaluation_results": [
            {
                "evaluation_result_id": row["evaluation_result_id"],
                "evaluation_name": name,
                "source_data": {
                    "dataset_name": _data_name(outcomes),
                    "source_type": "other",
                    "additional_details": {"test_examples": str(len(outcomes.example_ids))},
                },
                "metric_config": _metric(kind),
                "score_details": {"score": float(scores.mean()), "details": {"arm": trial.arm, "seed": run}},
            }
        ],
        "detailed_evaluation_results": {
            "format": "jsonl",
            "file_path": f"{folder}/{stem}_samples.jsonl",
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(samples.encode()).hexdigest(),
            "total_rows": len(scores),
        },
    }
    aggregate = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return Evaluation(path=f"{folder}/{stem}.json", aggregate=aggregate, samples=samples)


def _kind(outcomes: Outcomes) -> MetricKind:
    return outcomes.score_kind or METRICS[_METRIC_OF_TASK[outcomes.manifest.data.task]]


def _scores(outcomes: Outcomes, trial: Trial) -> NDArray[np.float64]:
    if outcomes.has_classes:
        return np.asarray(outcomes.predictions(trial) == outcomes.labels, dtype=np.float64)
    answers = np.asarray(trial.known_answers[trial.epochs.index(outcomes.epoch(trial))], dtype=np.float64)
    return np.asarray(np.square(answers - outcomes.labels)) if outcomes.is_regression else answers


def _samples(outcomes: Outcomes, trial: Trial, scores: NDArray[np.float64]) -> Iterator[dict[str, Any]]:
    at, names = trial.epochs.index(outcomes.epoch(trial)), outcomes.manifest.data.classes
    answers = trial.known_answers[at]
    outputs = [names[label] for label in trial.predicted[at]] if names else [repr(float(one)) for one in answers]
    labels = [names[label] for label in outcomes.labels] if names else [repr(float(one)) for one in outcomes.labels]
    best = 0.0 if outcomes.is_regression else 1.0
    for n, example in enumerate(outcomes.example_ids):
        metadata = {"arm": trial.arm, "seed": trial.run or str(trial.seed)}
        if outcomes.has_probabilities:
            metadata |= {f"p_{name}": repr(float(p)) for name, p in zip(names, answers[n], strict=True)}
        # Of a score alone neither the answer nor the reference is known.
        known = outcomes.manifest.data.score is None
        yield {
            "sample_id": example,
            "sample_hash": None,
            "input": {"raw": "", "reference": [labels[n]] if known else [], "choices": list(names) or None},
            "output": {"raw": [outputs[n]] if known else []},
            "answer_attribution": [
                {
                    "turn_idx": 0,
                    "source": "output.raw",
                    "extracted_value": outputs[n],
                    "extraction_method": "none: the model is a classifier" if names else "none",
                    "is_terminal": True,
                }
            ],
            "evaluation": {"score": float(scores[n]), "is_correct": bool(scores[n] == best)},
            "metadata": metadata,
        }


def _metric(kind: MetricKind) -> dict[str, Any]:
    unbounded = {"min_score": "-Infinity" if kind.name == "score" else 0.0, "max_score": "Infinity"}
    return {
        "metric_id": kind.title if kind.name == "score" else kind.name,
        "metric_name": kind.title,
        "lower_is_better": not kind.higher_is_better,
        "score_type": "continuous",
        **({"min_score": 0.0, "max_score": 1.0} if kind.share else unbounded),
    }


def _model(outcomes: Outcomes, trial: Trial) -> tuple[str, str]:
    """Return developer and model: an arm of a study is a model of its own."""
    entry = outcomes.manifest.model
    *developer, name = (entry.name if entry is not None else outcomes.manifest.name).strip("/").split("/")
    known = len(developer) == 1
    return _portable(developer[0]) if known else "local", _portable(f"{name}-{trial.arm}")


def _data_name(outcomes: Outcomes) -> str:
    data = outcomes.manifest.data
    return f"{data.path}/{data.name}" if data.name else data.path or "not stated"


def _portable(text: str) -> str:
    """Return a name that every file system takes."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-. ") or "unnamed"


def _uuid(text: str) -> str:
    """Return a name in the form of a random UUID, the same for the same text."""
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"
