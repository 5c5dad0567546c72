"""RecordPredictions: runs of somebody's own Trainer become a study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch.utils.data import Dataset

from analysis import analyze, load
from harness import HarnessError, RecordPredictions
from harness.records.lock import lock_study


class Sentences(Dataset[dict[str, torch.Tensor]]):
    """Made-up sentences of five tokens; the first one says the class."""

    def __init__(self, n: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.ids = torch.tensor(rng.integers(5, 30, (n, 5)))
        self.labels = (self.ids[:, 0] > 17).long()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, at: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.ids[at], "labels": self.labels[at]}


TRAIN, TEST = Sentences(32, 0), Sentences(24, 1)


def new_model(**more: Any) -> transformers.PreTrainedModel:
    size = {"vocab_size": 32, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 8, "pad_token_id": 0}
    return transformers.GPT2ForSequenceClassification(transformers.GPT2Config(**size, **more))


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., transformers.Trainer]:
    def make(
        callback: RecordPredictions, *, model: dict[str, Any] | None = None, **options: Any
    ) -> transformers.Trainer:
        settings = {"seed": 0, "eval_strategy": "epoch", "num_train_epochs": 1, "report_to": [], "disable_tqdm": True}
        arguments = transformers.TrainingArguments(
            str(tmp_path / "out"), save_strategy="no", use_cpu=True, logging_strategy="no", **settings | options
        )
        return transformers.Trainer(
            model_init=lambda: new_model(**model or {}),
            args=arguments,
            train_dataset=TRAIN,
            eval_dataset=TEST,
            callbacks=[callback],
        )

    return make


def test_runs_join_one_study_which_is_analysed(trainer: Any, tmp_path: Path) -> None:
    last = None
    for arm, rate in (("fast", 1e-2), ("slow", 1e-4)):
        for seed in range(3):
            callback = RecordPredictions(study="mine", arm=arm, seed=seed, results=tmp_path)
            last = trainer(callback, seed=seed, learning_rate=rate)
            last.train()
    report = analyze(tmp_path / "mine", resamples=99)
    assert [(one.treatment, one.baseline, one.seeds) for one in report.comparisons] == [("slow", "fast", (0, 1, 2))]
    outcomes = load(tmp_path / "mine")
    said = last.predict(TEST)
    logits = torch.tensor(said.predictions)
    stored = outcomes.trials["slow", 2].known_answers[0]
    assert stored == pytest.approx(torch.softmax(logits, dim=-1).numpy(), abs=1e-6)
    assert outcomes.labels.tolist() == TEST.labels.tolist()
    assert outcomes.manifest.data.classes == ("LABEL_0", "LABEL_1")
    assert [caveat.short for caveat in report.footer.caveats] == ["margin below the resolution"]


def test_a_regression_is_recorded_under_names_of_its_own(trainer: Any, tmp_path: Path) -> None:
    callback = RecordPredictions(study="mine", arm="a", ids=[f"s{n}" for n in range(24)], results=tmp_path)
    made = trainer(callback, model={"num_labels": 1, "problem_type": "regression"})
    numbers = Sentences(24, 2)
    numbers.labels = numbers.ids[:, 0] / 10
    made.train_dataset = made.eval_dataset = numbers
    made.train()
    outcomes = load(tmp_path / "mine")
    assert outcomes.manifest.data.task == "regression"
    assert outcomes.example_ids[:2] == ("s0", "s1")
    assert outcomes.labels == pytest.approx(numbers.labels.numpy())
    assert outcomes.trials["a", 0].known_answers[0] == pytest.approx(made.predict(numbers).predictions[:, 0], abs=1e-6)


def test_what_cannot_be_recorded_is_refused_before_it_is_trained(trainer: Any, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="RecordPredictions: study: "):
        RecordPredictions(study="a/b", arm="a")
    first = RecordPredictions(study="mine", arm="a", results=tmp_path)
    trainer(first).train()
    again = RecordPredictions(study="mine", arm="a", seed=0, results=tmp_path)
    with pytest.raises(HarnessError, match=r"a seed 0 is in .*mine already; replace=True records it anew"):
        trainer(again).train()
    with pytest.raises(HarnessError) as caught:
        trainer(RecordPredictions(study="mine", arm="a", seed=3, results=tmp_path), eval_strategy="no").train()
    said = str(caught.value).splitlines()
    assert "seed=3, but TrainingArguments has seed=0" in said[0]
    assert "evaluates on nothing" in said[1]
    trainer(RecordPredictions(study="mine", arm="a", results=tmp_path, replace=True), learning_rate=0.01).train()
    assert len(list((tmp_path / "mine" / "set_aside").iterdir())) == 1


def test_of_several_sets_one_must_be_named(trainer: Any, tmp_path: Path) -> None:
    made = trainer(RecordPredictions(study="mine", arm="a", results=tmp_path))
    made.eval_dataset = {"one": TEST, "two": TRAIN}
    with pytest.raises(HarnessError, match="evaluates on several sets"):
        made.train()
    named = trainer(RecordPredictions(study="mine", arm="a", results=tmp_path))
    callback = RecordPredictions(study="mine", arm="a", results=tmp_path, test=named.get_eval_dataloader(TEST))
    made = trainer(callback)
    made.eval_dataset = {"one": TEST, "two": TRAIN}
    made.train()
    assert load(tmp_path / "mine").n_examples == len(TEST)


def test_a_model_is_not_lost_to_a_record_that_could_not_be_written(trainer: Any, tmp_path: Path) -> None:
    shuffled = torch.utils.data.DataLoader(TEST, shuffle=True)
    made = trainer(RecordPredictions(study="mine", arm="a", results=tmp_path, test=shuffled))
    with pytest.warns(RuntimeWarning, match="a seed 0 was not recorded: .*an order of their own"):
        made.train()
    trainer(RecordPredictions(study="mine", arm="a", results=tmp_path)).train()
    few = trainer(RecordPredictions(study="mine", arm="b", results=tmp_path))
    few.eval_dataset = Sentences(8, 1)
    with pytest.warns(RuntimeWarning, match=r"b seed 0 was not recorded: .*\s*examples: 8 examples against 24"):
        few.train()
    ill = trainer(RecordPredictions(study="mine", arm="b", results=tmp_path))
    ill.model_init = None
    ill.model.score.weight.data.fill_(float("nan"))
    with pytest.warns(RuntimeWarning, match="the model has diverged"):
        ill.train()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"ids": ["x", "y", "x", *map(str, range(21))]}, "ids name x 2 times, and every example has its own"),
        ({"analysis": {"margin": -1}}, "margin: expected a number above 0"),
    ],
)
def test_a_model_is_not_lost_to_what_it_is_recorded_with(
    trainer: Any, tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    made = trainer(RecordPredictions(study="mine", arm="a", results=tmp_path, **options))
    with pytest.warns(RuntimeWarning, match=f"a seed 0 was not recorded: .*{problem}"):
        made.train()
    assert not (tmp_path / "mine" / "study.json").exists()


def test_a_label_that_is_no_class_is_named(trainer: Any, tmp_path: Path) -> None:
    left_out = Sentences(24, 1)
    left_out.labels = left_out.labels.clone()
    left_out.labels[3] = -100
    made = trainer(RecordPredictions(study="mine", arm="a", results=tmp_path))
    made.eval_dataset = left_out
    with pytest.warns(RuntimeWarning, match="the label of example 3 is -100, and the model knows the classes from 0"):
        made.train()


def test_an_arm_may_be_a_number_and_a_model_that_fails_is_kept(trainer: Any, tmp_path: Path) -> None:
    trainer(RecordPredictions(study="mine", arm=8, results=tmp_path)).train()  # type: ignore[arg-type]
    assert load(tmp_path / "mine").arms == ("8",)
    broken = torch.utils.data.DataLoader([{"unknown": torch.zeros(2)}])
    made = trainer(RecordPredictions(study="mine", arm="b", results=tmp_path, test=broken))
    with pytest.warns(RuntimeWarning, match="b seed 0 was not recorded: ValueError: "):
        made.train()


def test_runs_that_end_together_wait_for_each_other(
    trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trainer(RecordPredictions(study="mine", arm="a", results=tmp_path))
    naps: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(naps), sleep=naps.append)
    with lock_study(tmp_path / "mine"):
        monkeypatch.setattr("harness.records.trainer_callback._PATIENCE_SECONDS", 0.1)
        monkeypatch.setattr("harness.records.trainer_callback.time", clock)
        with pytest.warns(RuntimeWarning, match="is being run by"):
            made.train()
    assert naps == [0.2]
