"""Planning: the size of a study before it runs, counted from its model's configuration and its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import transformers

from harness.data import dataset
from harness.data.holdout import check_holdouts
from harness.data.tokenization import tokenise
from harness.engines import schedules
from harness.errors import DataError, ModelError
from harness.hub import is_offline, is_on_hub, not_found
from harness.models import checkpoints
from harness.models.build import build_outline, count_parameters, modules_trained_beside
from harness.models.head import match_classes
from harness.models.input_check import check_inputs
from harness.models.pretrained import checkpoint_remarks
from harness.runs.preview import TrialInputs
from harness.runs.rehearsal import Rehearsal
from harness.runs.size import ArmSize, StudySize
from harness.study.study import Study

# Where the Hub is out of reach, these checkpoints' architectures are the defaults of their configuration classes.
_DEFAULT_CONFIGS: Mapping[str, Any] = {
    "openai-community/gpt2": transformers.GPT2Config,
    "gpt2": transformers.GPT2Config,
    "distilbert/distilbert-base-uncased": transformers.DistilBertConfig,
    "distilbert-base-uncased": transformers.DistilBertConfig,
    "google-bert/bert-base-uncased": transformers.BertConfig,
    "bert-base-uncased": transformers.BertConfig,
}


def study_size(study: Study) -> StudySize:
    """Count every arm's parameters from the model's configuration.

    Weights are loaded only to try an adapter other than plain LoRA, where they and the data are here. An arm that does
    not fit the model, or a configuration that cannot be loaded, is a reason beside the arm and no error: a plan says
    what it can.

    Raises
    ------
    DataError
        If local data cannot be read, or the model cannot read them.
    StudyError
        If an arm's schedule cannot be, for as many steps as it will have; not asked where these are not known.
    """
    remarks: list[str] = []
    classes: tuple[str, ...] = () if study.task == "regression" else ("0", "1")
    n_train, resample = study.data.train_size, study.data.resample
    n_test: int | None = None
    read = _at_hand(study, remarks)
    if read is not None:
        check_holdouts(study.arms, read.n_per_seed)
        classes, n_train, n_test = read.classes, len(read.train), len(read.test)
        remarks += [read.in_words(), *read.remarks]
        if read.sets:
            n_test = round(len(read.sets) ** 2 / sum(1 / one.n_test for one in read.sets))
            if n_test < len(read.test):
                remarks.append(
                    f"the mean over {len(read.sets)} test sets of unlike sizes, each with the same weight, is as sure "
                    f"as one set of {n_test:,} examples"
                )
    n_drawn = None
    if n_train is not None:
        n_per_seed = dataset.n_per_seed(n_train, resample)
        n_drawn = None if resample is None else n_per_seed
        schedules.check(study, n_per_seed)
    counts = StudySize(arms=(), n_train=n_train, n_test=n_test, n_drawn=n_drawn)
    on_hub = is_on_hub(study.model, study.folder)
    rehearsal = known = None
    try:
        checkpoint = checkpoints.of_study(study, download=False)
        if read is not None:
            checkpoint = match_classes(checkpoint, classes)
        # Of a model on the Hub, the tokenizer would have to be downloaded.
        if read is not None and (checkpoint.revision is None or is_offline()):
            tokenizer = checkpoints.load_tokenizer(checkpoint)
            data = tokenise(read, study.data, tokenizer)
            check_inputs(checkpoint, (data.train, data.test), study.data, tokenizer.pad_token_id)
            known = TrialInputs(model=checkpoint.identity_at_start, data=data.fingerprint, n_classes=len(classes))
            rehearsal = Rehearsal(checkpoint, data, study.data, tokenizer.pad_token_id)
        remarks += checkpoint_remarks(checkpoint, classes=classes)
        # Where the data are here, it has been loaded for them.
        if read is None and not on_hub:
            checkpoints.load_tokenizer(checkpoint)
    except ModelError as error:
        config = _DEFAULT_CONFIGS.get(study.model) if on_hub else None
        if config is None:
            arms = tuple(ArmSize(arm=name, reason=str(error), refused=not on_hub) for name in study.arms)
            return replace(counts, arms=arms, remarks=tuple(remarks))
        checkpoint = checkpoints.Checkpoint(
            name=study.model, source=study.model, revision=None, identity="", config=config()
        )
        remarks.append(
            f"{study.model} is not on this machine; its parameters are counted from the default {config.__name__}"
        )

    counted = []
    trained: dict[tuple[str, ...], list[str]] = {}
    for name, arm in study.arms.items():
        try:
            model = build_outline(checkpoint, arm, n_classes=len(classes))
            if rehearsal is not None and checkpoint.weights is not None:
                rehearsal(arm)
        except ModelError as error:
            counted.append(ArmSize(arm=name, reason=str(error), refused=True))
            continue
        parameters = count_parameters(model)
        counted.append(ArmSize(arm=name, total=parameters.total, trainable=parameters.trainable))
        if arm.adapter is not None or arm.freeze is not None:
            trained.setdefault(modules_trained_beside(model), []).append(name)
    for parts, names in trained.items():
        remarks.append(f"trained besides adapters and unfrozen layers: {', '.join(parts)} ({', '.join(names)})")
    return replace(counts, arms=tuple(counted), remarks=tuple(remarks), inputs=known)


def _at_hand(study: Study, remarks: list[str]) -> dataset.Dataset | None:
    """Read the data where that takes no download; else add a remark on what is not known without them."""
    path = study.data.path
    assumed = "" if study.task == "regression" else "two classes are assumed"
    on_hub = is_on_hub(path, study.folder)
    if on_hub and not is_offline():
        remarks.append(
            f"{not_found(path, study.folder)}; on the Hub, a plan downloads nothing{assumed and f': {assumed}'}"
        )
        return None
    try:
        return dataset.read(study.data, task=study.task, beside=study.folder)
    except DataError as error:
        # A name without an organisation is rather a folder that is not here than one of the Hub's oldest data sets.
        if not on_hub or "/" not in path:
            raise
        remarks.append(f"{assumed}: {error}" if assumed else str(error))
        return None
