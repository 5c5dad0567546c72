"""Data of a study as study.json describes them: task, classes, test sets, and what its trials answer."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationInfo, field_validator, model_validator

from analysis.records.format import Count, Stored

Task = Literal["classification", "regression", "scores"]
Answers = Literal["probabilities", "classes", "numbers", "scores"]


class AnswerKind(NamedTuple):
    """What the trials of a study answer for each test example, and among how many classes; 0 where it has none."""

    answers: Answers
    n_classes: int = 0

    @classmethod
    def trained(cls, n_classes: int) -> AnswerKind:
        """Return what trials answer that are trained here: probabilities, or numbers where there are no classes."""
        return cls("probabilities" if n_classes else "numbers", n_classes)


class SetEntry(Stored):
    """One of several test sets: its name, its number of examples, and how many of these an earlier set has too."""

    name: str
    n_test: Count
    n_shared: Count = 0


class ScoreEntry(Stored):
    """What the scores of a study are, whose trials answered with a score for each example: their name and direction."""

    name: str = Field(min_length=1)
    higher_is_better: bool = True


_NO_CLASSES = {"regression": "a regression has", "scores": "scores have"}


class DataEntry(Stored):
    """The data of the study: names, class names in the order of the labels, sizes, and what was said of them.

    `sets` lists the test sets in the order of their examples where there are several; else it is empty.

    `n_drawn` is how many of the `n_train` training examples each seed drew as its own training set; None where every
    seed was trained on all of them. `n_train` is None where it is not known.

    The labels of a regression are numbers, and scores need no labels: these tasks have no classes. `predictions` says
    of a classification whether probabilities are stored, or the predicted classes alone. `left_out` is how many
    examples an import left out, since not every run has them.
    """

    task: Task = "classification"
    predictions: Literal["probabilities", "classes"] = "probabilities"
    score: ScoreEntry | None = None
    path: str
    name: str | None = None
    fingerprint: str | None = None
    text: str | tuple[str, ...] | None = None
    label: str | None = None
    cluster: str | None = None
    classes: tuple[str, ...]
    n_train: Count | None = None
    n_test: Count
    left_out: Count = 0
    sets: tuple[SetEntry, ...] = ()
    n_drawn: Count | None = None
    origin: dict[str, Any] | None = None
    remarks: tuple[str, ...] = ()

    @field_validator("classes")
    @classmethod
    def _as_the_task_has_them(cls, classes: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if (task := info.data.get("task")) in ("regression", "scores"):
            if classes:
                raise ValueError(f"{_NO_CLASSES[task]} no classes, got {len(classes)}")
        elif len(classes) < 2:
            raise ValueError(f"expected two classes or more, got {len(classes)}")
        return classes

    @model_validator(mode="after")
    def _answers_of_the_task(self) -> DataEntry:
        if (self.task == "scores") != (self.score is not None):
            raise ValueError(f"task {self.task}: expected {'a' if self.score is None else 'no'} score")
        if self.predictions == "classes" and self.task != "classification":
            raise ValueError(f"task {self.task}: expected no predicted classes")
        return self

    @property
    def answer_kind(self) -> AnswerKind:
        """What the trials answer for each example, and so what predictions.parquet holds."""
        if self.task == "scores":
            return AnswerKind("scores")
        return AnswerKind("numbers" if self.task == "regression" else self.predictions, len(self.classes))

    @model_validator(mode="after")
    def _draws_from_a_pool(self) -> DataEntry:
        if self.n_drawn is not None and self.n_train is None:
            raise ValueError(f"n_drawn is {self.n_drawn}, expected n_train beside it")
        return self

    @model_validator(mode="after")
    def _examples_of_the_sets(self) -> DataEntry:
        if self.sets and sum(one.n_test for one in self.sets) != self.n_test:
            raise ValueError(
                f"sets name {sum(one.n_test for one in self.sets)} test examples, but n_test is {self.n_test}"
            )
        return self
