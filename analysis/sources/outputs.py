"""Outputs: the probabilities of classes, or the logits that become them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis.errors import SourceError
from analysis.problems import listed, shown
from analysis.sources.arrow import as_texts, text_column, to_numpy
from analysis.sources.faults import Faults, numbers_in
from analysis.sources.rows import Rows

_SUM = 1e-3
"""By how much probabilities may miss 1, as in the record format."""

_NOT_ONE = "the probabilities do not add up to 1"


class Outputs:
    """Reads the outputs of all sources, which must be about the same classes.

    Parameters
    ----------
    logits : bool
        Whether the outputs are logits, to be made probabilities.
    """

    def __init__(self, *, logits: bool) -> None:
        self.names: tuple[str, ...] = ()
        self._logits = logits
        self._rows = self._wrong = 0
        self._beyond = False

    def read(self, rows: Rows, faults: Faults) -> NDArray[np.float32]:
        """Return the probabilities of some rows, shape (rows, outputs).

        A single output is the probability of its class, and the other of two classes has the rest.

        Raises
        ------
        SourceError
            If they are about other classes than those before.
        """
        self.names = self.names or tuple(rows.outputs)
        if set(rows.outputs) != set(self.names):
            raise SourceError(
                [
                    f"{rows.source.path} has outputs for {listed(rows.outputs)}, and files before it for "
                    f"{listed(self.names)}; all need the same"
                ]
            )
        values = np.empty((len(rows.example), len(self.names)))
        for number, name in enumerate(self.names):
            values[:, number] = numbers_in(rows, f"the output for class {name}", rows.outputs[name], faults)
        finite = np.isfinite(values).all(axis=1)
        values[~finite] = 0
        if rows.prediction is not None:
            self._check(rows, rows.prediction, values, faults)
        with np.errstate(over="ignore"):
            total = values.sum(axis=1) if len(self.names) > 1 else np.ones(len(values))
        within = ((values >= 0) & (values <= 1 + _SUM)).all(axis=1)
        proper = within & (np.abs(total - 1) <= _SUM)
        self._beyond |= not within.all()
        self._rows += int(np.count_nonzero(finite))
        self._wrong += int(np.count_nonzero(finite & ~proper))
        if self._logits:
            return _softmax(values).astype(np.float32)
        faults.note(rows, _NOT_ONE, finite & ~proper, lambda row: _shown(values[row]))
        values[~proper] = 0
        return values.astype(np.float32)

    def _check(self, rows: Rows, prediction: pa.Array, values: NDArray[np.float64], faults: Faults) -> None:
        """Note the rows whose prediction is another class than that of the largest output; equal ones are both right.

        Predictions that are called otherwise than the outputs say nothing here.
        """
        encoded = prediction if isinstance(prediction, pa.DictionaryArray) else prediction.dictionary_encode()
        names = pc.index_in(as_texts(encoded.dictionary), value_set=text_column(self.names))
        numbers = np.append(to_numpy(names.cast(pa.int64()), missing=-1), -2)
        predicted = numbers[to_numpy(encoded.indices.cast(pa.int64()), missing=-1)]
        known = predicted >= 0
        if len(self.names) == 1:
            half = 0 if self._logits else 0.5
            wrong = (known & (values[:, 0] < half)) | (known.any() & (predicted == -1) & (values[:, 0] > half))
        else:
            wrong = known & (values[np.arange(len(values)), predicted] < values.max(axis=1))
        faults.note(
            rows,
            "another prediction",
            wrong,
            lambda row: (
                f"the prediction is {shown(prediction[row].as_py())}, and the probabilities say otherwise; "
                "--column prediction=COLUMN takes the predictions, and --column p_CLASS=COLUMN for each class the "
                "probabilities"
            ),
        )

    def problems(self, faults: Faults) -> list[str]:
        """Return what is wrong with the outputs as a whole; call it once, after the last row."""
        wrong = faults.taken(_NOT_ONE)
        if self._logits:
            return ["these outputs are probabilities: leave out --logits"] if self._rows and not self._wrong else []
        if self._wrong > self._rows / 2:
            these = "these look like logits:" if self._beyond else "if these are logits,"
            return [f"{wrong[0]}; {these} --logits makes probabilities of them"]
        return wrong


def _shown(values: NDArray[np.float64]) -> str:
    if len(values) > 1 and (values >= 0).all() and (values <= 1 + _SUM).all():
        return f"the probabilities add up to {values.sum():.4g} and not to 1"
    return f"a probability is {values[np.argmax(np.abs(values - 0.5))]:.4g}, outside 0 to 1"


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    if logits.shape[1] == 1:
        return _softmax(np.hstack([np.zeros_like(logits), logits]))[:, 1:]
    with np.errstate(over="ignore"):
        powers: NDArray[np.float64] = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers
