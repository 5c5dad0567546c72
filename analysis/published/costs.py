"""Cost claims: times and numbers of parameters recomputed from printed figures, and whether the claims agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from analysis.published.architectures import known_model, sequence_classifier_parameters
from analysis.published.claims_tuning import Tuning
from analysis.published.printed_figures import PrintedFigure


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """A figure that follows from other printed ones, beside the one that was claimed.

    Parameters
    ----------
    what : str
        Which figure, in words.
    value : float
        As it follows from the printed figures; NaN where nothing does.
    low, high : float
        What their rounding leaves open.
    claimed : str
        As printed; empty where nothing was claimed.
    agrees : bool or None
        Whether both may stand for the same number; None where nothing was claimed or follows.
    """

    what: str
    value: float
    low: float
    high: float
    claimed: str
    agrees: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCheck:
    """A printed number of parameters against that of the architecture.

    Parameters
    ----------
    what : str
        ``"trainable"`` or ``"total"``.
    printed : str
        As printed.
    expected : int
        What the architecture has.
    agrees : bool
        Whether the printed figure stands for it.
    """

    what: str
    printed: str
    expected: int
    agrees: bool


def time_saved(treatment: PrintedFigure, baseline: PrintedFigure, claimed: PrintedFigure | None) -> Recomputed:
    """Recompute the share of the baseline's time that the treatment saves.

    Examples
    --------
    >>> from analysis.published.printed_figures import read_share, read_time
    >>> result = time_saved(read_time("14 min 48 s"), read_time("22 min 51 s"), read_share("35%"))
    >>> f"{result.value:.3f}", result.agrees
    ('0.352', True)
    """
    return _recomputed(
        "time saved",
        1 - treatment.value / baseline.value,
        1 - treatment.high / baseline.low,
        1 - treatment.low / baseline.high,
        claimed,
    )


def speedup(treatment: PrintedFigure, baseline: PrintedFigure, claimed: PrintedFigure | None) -> Recomputed:
    """Recompute how many times as fast the treatment is.

    Examples
    --------
    >>> from analysis.published.printed_figures import read_time
    >>> round(speedup(read_time("14 min 48 s"), read_time("22 min 51 s"), None).value, 2)
    1.54
    """
    return _recomputed(
        "times as fast",
        baseline.value / treatment.value,
        baseline.low / treatment.high,
        baseline.high / treatment.low,
        claimed,
    )


def trainable_share(trainable: PrintedFigure, total: PrintedFigure, claimed: PrintedFigure | None) -> Recomputed:
    """Recompute the share of a model's parameters that is trained."""
    return _recomputed(
        "trainable share",
        trainable.value / total.value,
        trainable.low / total.high,
        trainable.high / total.low,
        claimed,
    )


def not_recomputed(quantity: str, claimed: PrintedFigure) -> Recomputed:
    """Return a claim that cannot be checked from the printed figures."""
    return Recomputed(what=quantity, value=math.nan, low=math.nan, high=math.nan, claimed=claimed.printed, agrees=None)


def check_parameters(
    model: str | None,
    *,
    classes: int | None,
    tuning: Tuning | None,
    trainable: PrintedFigure | None,
    total: PrintedFigure | None,
) -> tuple[ParameterCheck, ...]:
    """Compare printed numbers of parameters with the architecture's, where it is known.

    Parameters
    ----------
    model : str or None
        As the report names it.
    classes : int or None
        Of the classification head.
    tuning : Tuning or None
        What is trained; None where it is not known.
    trainable, total : PrintedFigure or None
        As printed.

    Returns
    -------
    tuple of ParameterCheck
        Empty where nothing is printed, or where the model or what is trained in it is not known.

    Raises
    ------
    ValueError
        If the model is known and has no such layers or modules.
    """
    if trainable is None and total is None:
        return ()
    if model is None or known_model(model) is None or classes is None or classes < 2 or tuning is None:
        return ()
    expected = sequence_classifier_parameters(
        model,
        classes=classes,
        lora_rank=tuning.lora.r if tuning.lora is not None else None,
        target_modules=tuning.lora.target_modules if tuning.lora is not None else (),
        frozen_layers=tuning.freeze.layers if tuning.freeze is not None else None,
    )
    if expected is None:
        return ()
    pairs = (("trainable", trainable, expected.trainable), ("total", total, expected.total))
    return tuple(
        ParameterCheck(what=kind, printed=figure.printed, expected=count, agrees=figure.low <= count <= figure.high)
        for kind, figure, count in pairs
        if figure is not None
    )


def _recomputed(
    quantity: str, value: Fraction, low: Fraction, high: Fraction, claimed: PrintedFigure | None
) -> Recomputed:
    return Recomputed(
        what=quantity,
        value=float(value),
        low=float(low),
        high=float(high),
        claimed=claimed.printed if claimed else "",
        agrees=claimed.low <= high and low <= claimed.high if claimed else None,
    )
