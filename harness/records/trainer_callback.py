"""A callback for one's own Trainer: what the trained model says about the test examples joins a study."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import transformers
from numpy.typing import NDArray
from torch.utils.data import DataLoader, SequentialSampler

from analysis.errors import AnalysisError
from analysis.sources.rows import SourceFile
from analysis.sources.runs import Run, Runs
from harness.errors import HarnessError, LockedError
from harness.records.imported import write_runs
from harness.records.store import Store
from harness.study.study import name_fault

# Runs on one machine often end together, and each holds the study for a moment only.
_PATIENCE_SECONDS = 300


class RecordPredictions(transformers.TrainerCallback):  # type: ignore[misc]
    """Record what a model says about every test example at the end of its training, as one run of a study.

    The test examples are those that the Trainer evaluates on, in their order; every run of a study has the same. What
    can be checked is checked before the training begins. `harness analyze` then reads the study as any other.

    Parameters
    ----------
    study : str
        The name of the study; it is made where it does not exist yet.
    arm : str
        What the run is a run of.
    seed : int or None
        The seed of the training; `TrainingArguments.seed` where None. Runs of two arms with one seed are a pair.
    test : DataLoader or None
        The test examples as batches for the model, with `labels`, such as ``trainer.get_eval_dataloader(test_set)``;
        None for what the Trainer evaluates on during the training.
    ids : sequence of str or None
        The name of each example; their numbers, from 0, where None.
    analysis : mapping of str to Any or None
        The `analysis:` block of the study, such as ``{"baseline": "full", "margin": 0.02}``; where None the one that
        the study has, or the defaults: the first arm that was recorded is then the baseline.
    results : Path or str
        The folder of all results.
    replace : bool
        Whether a run that was recorded before is recorded anew; the old one is set aside.

    Raises
    ------
    HarnessError
        When the training begins, if the run could not be recorded at its end. An error after that is a warning, so that
        no trained model is lost to it.

    Examples
    --------
    ::

        for seed in range(8):
            trainer = Trainer(
                model_init=new_model,
                args=TrainingArguments("out", seed=seed, eval_strategy="epoch"),
                train_dataset=train,
                eval_dataset=test,
                callbacks=[RecordPredictions(study="my_study", arm="lora", seed=seed)],
            )
            trainer.train()
    """

    def __init__(
        self,
        *,
        study: str,
        arm: str,
        seed: int | None = None,
        test: DataLoader[Any] | None = None,
        ids: Sequence[str] | None = None,
        analysis: Mapping[str, Any] | None = None,
        results: Path | str = "results",
        replace: bool = False,
    ) -> None:
        if fault := name_fault(study):
            raise HarnessError(f"RecordPredictions: study: {fault}")
        self._study, self._arm, self._seed = study, str(arm), seed
        self._test, self._ids = test, ids
        self._analysis, self._root, self._replace = analysis, Path(results), replace

    def on_train_begin(self, args: transformers.TrainingArguments, *_: Any, **__: Any) -> None:
        """Refuse what could not be recorded, before it is trained."""
        problems = []
        if self._seed is not None and self._seed != args.seed:
            problems.append(f"seed={self._seed}, but TrainingArguments has seed={args.seed}; leave one of them out")
        if self._test is None and args.eval_strategy == "no":
            problems.append(
                "the Trainer evaluates on nothing: give it an eval_dataset and eval_strategy='epoch', or give this "
                "callback test=trainer.get_eval_dataloader(test_set)"
            )
        if args.world_size > 1:
            problems.append(f"{args.world_size} processes train together, and each would record its own share")
        if self._is_there(args.seed) and not self._replace:
            place = self._root / self._study
            problems.append(f"{self._run_name(args.seed)} is in {place} already; replace=True records it anew")
        if problems:
            raise HarnessError("\n".join(f"RecordPredictions: {problem}" for problem in problems))

    def on_evaluate(self, args: transformers.TrainingArguments, *_: Any, metrics: Mapping[str, Any], **__: Any) -> None:
        """Refuse several sets, of which the last would be taken for the test examples, when the first is evaluated."""
        if self._test is None and "eval_runtime" not in metrics:
            raise HarnessError(
                f"RecordPredictions: {self._run_name(args.seed)}: the Trainer evaluates on several sets; say which one "
                "is recorded with test=trainer.get_eval_dataloader(test_set)"
            )

    def on_train_end(
        self,
        args: transformers.TrainingArguments,
        *_: Any,
        model: torch.nn.Module,
        eval_dataloader: DataLoader[Any] | None = None,
        **__: Any,
    ) -> None:
        """Record the run."""
        try:
            loader = self._test or eval_dataloader
            if loader is None:
                raise HarnessError("the Trainer never evaluated, so there are no test examples")
            runs = self._runs(args.seed, model, loader)
            self._write(runs)
        except Exception as error:  # Whatever it is, the trained model is worth more.
            kind = "" if isinstance(error, HarnessError | AnalysisError) else f"{type(error).__name__}: "
            message = f"RecordPredictions: {self._run_name(args.seed)} was not recorded: {kind}{error}"
            warnings.warn(message, RuntimeWarning, stacklevel=2)

    def _run_name(self, seed: int) -> str:
        return f"{self._arm} seed {seed}"

    def _is_there(self, seed: int) -> bool:
        """Whether the study holds this run already; an error where it was trained by the harness."""
        store = Store(self._root / self._study)
        manifest = store.manifest()
        if manifest is None:
            return False
        if manifest.imported is None:
            raise HarnessError(
                f"RecordPredictions: {store.folder} holds a study that harness run trained; record in another study"
            )
        return any(
            entry.arm == self._arm
            and entry.seed == seed
            and (store.folder / "trials" / entry.key / "record.json").exists()
            for entry in manifest.cells
        )

    def _runs(self, seed: int, model: torch.nn.Module, loader: DataLoader[Any]) -> Runs:
        """Ask the model about every example."""
        logits, labels = _answers(model, loader)
        config: Any = model.config
        ids = [str(example) for example in (range(len(labels)) if self._ids is None else self._ids)]
        if len(ids) != len(labels):
            raise HarnessError(f"ids name {len(ids)} examples, and {len(labels)} were evaluated")
        if twice := [example for example, count in Counter(ids).items() if count > 1]:
            raise HarnessError(f"ids name {twice[0]} {ids.count(twice[0])} times, and every example has its own")
        regression = logits.shape[1] == 1
        if not regression and (no_class := ~np.isin(labels, np.arange(logits.shape[1]))).any():
            first = int(np.argmax(no_class))
            raise HarnessError(
                f"the label of example {ids[first]} is {labels[first]}, and the model knows the classes from 0 to "
                f"{logits.shape[1] - 1}"
            )
        source = SourceFile(
            path="transformers.Trainer", sha256="", tool="transformers", version=transformers.__version__
        )
        answers = logits[:, 0].astype(np.float64) if regression else _softmax(logits)
        return Runs(
            answers="numbers" if regression else "probabilities",
            example_ids=pa.array(ids, pa.string()),
            labels=labels.astype(np.float64) if regression else labels.astype(np.int64),
            classes=() if regression else tuple(str(config.id2label[label]) for label in range(logits.shape[1])),
            runs=(Run(arm=self._arm, label=str(seed), answers=answers[None], sources=(source,)),),
        )

    def _write(self, runs: Runs) -> None:
        before = Store(self._root / self._study).manifest()
        known = before.analysis if before is not None else None
        analysis = self._analysis if self._analysis is not None else known or {}
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                write_runs(runs, self._root, name=self._study, analysis=analysis, replace=self._replace)
                return
            except LockedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)


def _answers(model: torch.nn.Module, loader: DataLoader[Any]) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Return the logits of a model and the labels, both by example."""
    sampler = getattr(loader, "sampler", None)
    if not isinstance(sampler, SequentialSampler | None):
        raise HarnessError(
            f"the examples are evaluated in an order of their own ({type(sampler).__name__}); give test= a loader that "
            "keeps theirs"
        )
    device = next(model.parameters()).device
    was_training = model.training
    logits, labels = [], []
    model.eval()
    try:
        with torch.no_grad():
            for batch in loader:
                moved = {name: value.to(device) for name, value in batch.items()}
                logits.append(model(**moved).logits.float().cpu().numpy())
                labels.append(batch["labels"].cpu().numpy())
    finally:
        model.train(was_training)
    stacked, known = np.concatenate(logits), np.concatenate(labels)
    if stacked.ndim != 2 or known.ndim != 1:
        shapes = f"logits of shape {stacked.shape} and labels of shape {known.shape}"
        raise HarnessError(f"one class or number an example is recorded, got {shapes}")
    if not np.isfinite(stacked).all():
        raise HarnessError("the model has diverged: its logits are not finite")
    return stacked, known


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float64))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)
