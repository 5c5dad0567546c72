"""Answers: what the rows say that a run answered, be it probabilities, predictions or a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.errors import SourceError
from analysis.metrics.metric_kinds import METRICS
from analysis.problems import either, near
from analysis.sources.agreement import RunName, run_in_words
from analysis.sources.cell import Cell
from analysis.sources.distinct import Distinct
from analysis.sources.faults import Faults, numbers_in
from analysis.sources.keys import Values
from analysis.sources.labels import Labels
from analysis.sources.meaning import Meaning, meaning_of_outputs, meaning_of_predictions
from analysis.sources.options import ImportOptions
from analysis.sources.outputs import Outputs
from analysis.sources.rows import Rows

_Kind = Literal["probabilities", "predictions", "scores"]


class Answers:
    """Reads the answers of all sources, which must be of one kind.

    Parameters
    ----------
    options : ImportOptions
    faults : Faults
        Takes what is wrong with rows.
    """

    def __init__(self, options: ImportOptions, faults: Faults) -> None:
        self.score = ""
        self._kind: _Kind | None = None
        self._outputs = Outputs(logits=options.logits)
        self._predictions = Values()
        self._options = options
        self._faults = faults
        self._first_file = ""
        self._higher: dict[bool, str] = {}

    def read(self, rows: Rows) -> NDArray[Any]:
        """Return the answers of some rows, shape (rows,) or (rows, outputs).

        Raises
        ------
        SourceError
            If the file holds none, or not those that the files before it hold.
        """
        kind = self._kind_of(rows)
        if self._kind is None:
            self._kind, self._first_file = kind, rows.source.path
        if kind != self._kind:
            raise SourceError(
                [f"{rows.source.path} holds {kind}, and {self._first_file} {self._kind}; all files need the same"]
            )
        if kind == "probabilities":
            return self._outputs.read(rows, self._faults)
        if kind == "predictions":
            read = self._predictions.read(rows.prediction)
            missing = ~np.isfinite(read) if read.dtype.kind == "f" else read < 0
            self._faults.note(rows, "the prediction is missing or not finite", missing)
            return read
        return self._scores(rows)

    @property
    def higher_is_better(self) -> bool:
        """Which way the score goes."""
        return not self._options.lower_is_better and False not in self._higher

    def problems(self) -> list[str]:
        """Return what is wrong with the answers as a whole; call it once, after the last row."""
        problems = self._outputs.problems(self._faults) if self._kind == "probabilities" else []
        if self._options.logits and self._kind in ("predictions", "scores"):
            problems.append(f"these are {self._kind}, and no outputs of classes: leave out --logits")
        if self._options.lower_is_better and self._kind in ("predictions", "probabilities"):
            problems.append(f"these are {self._kind}, and no scores: leave out --lower-is-better")
        if len(self._higher) > 1 and not self._options.lower_is_better:
            problems.append(
                f"the score {self.score} is better higher in {self._higher[True]} and lower in {self._higher[False]}; "
                "all files need the same"
            )
        return problems

    def meaning(
        self,
        labels: Labels,
        cells: Mapping[RunName, Mapping[int, Cell]],
        examples: NDArray[np.int64],
        ids: pa.StringArray,
    ) -> Meaning:
        """Find out what the stored answers are.

        Parameters
        ----------
        labels : Labels
        cells : mapping of (str, str) to mapping of int to Cell
            All that was stored of what `read` returned, by run and epoch.
        examples : ndarray of int64, shape (N,)
            The numbers of the examples that count.
        ids : pa.StringArray
            Their ids.

        Raises
        ------
        SourceError
            If an example has no label, or labels and answers do not fit together, or could be several things.
        """
        if self._kind == "scores":
            return Meaning(answers="scores", labels=None, converted=lambda stored: stored)
        labels.check(examples, ids)
        label = labels.distinct(examples)
        if self._kind == "probabilities":
            return meaning_of_outputs(labels.values[examples], label, self._outputs.names, self._options)
        every = [(run, cell) for run, epochs in cells.items() for cell in epochs.values()]
        for _, cell in every:
            cell.values = self._predictions.updated(cell.values, cell.seen)
        answered = (cell.values[examples[cell.seen[examples]]] for _, cell in every)
        prediction = Distinct.of(answered, self._predictions.texts)

        def place(value: int) -> str:
            sought = prediction.values[value]
            for run, cell in every:
                found = np.flatnonzero((cell.values[examples] == sought) & cell.seen[examples])
                if len(found):
                    return f"{run_in_words(run)} for example {ids[int(found[0])]}"
            return "some run"

        meaning = meaning_of_predictions(labels.values[examples], label, prediction, self._options, place=place)
        if meaning.answers == "classes" and (labels.with_points or self._predictions.with_points):
            whole = "labels and predictions are whole numbers and are taken for classes"
            return replace(meaning, remarks=(f"{whole}; --task regression if they are none",))
        return meaning

    def update(self, cell: Cell, values: NDArray[Any]) -> None:
        """Make the stored predictions what `read` returns now, such as `values`."""
        if cell.values.dtype != values.dtype:
            cell.values = self._predictions.updated(cell.values, cell.seen)

    def _kind_of(self, rows: Rows) -> _Kind:
        if rows.scores and self._options.metric in rows.scores and self._options.metric not in METRICS:
            return "scores"
        if rows.outputs:
            return "probabilities"
        if rows.prediction is not None:
            return "predictions"
        if rows.scores:
            return "scores"
        raise SourceError(
            [
                f"{rows.source.path} holds no prediction, no probability and no score; name the column with "
                "--column prediction=COLUMN, --column p_CLASS=COLUMN or --column score=COLUMN"
            ]
        )

    def _scores(self, rows: Rows) -> NDArray[np.float64]:
        names = tuple(rows.scores)
        name = self._options.metric or self.score or names[0]
        if self._options.metric is None and len(names) > 1:
            raise SourceError([f"{rows.source.path} holds several scores: choose with --metric {either(names)}"])
        if name not in names:
            raise SourceError(
                [f"{rows.source.path} holds no score {name!r}{near(name, names)} (there: {', '.join(names)})"]
            )
        self.score = name
        if rows.higher_is_better is not None:
            self._higher.setdefault(rows.higher_is_better, rows.source.path)
        return numbers_in(rows, f"the score {name}", rows.scores[name], self._faults)
