"""Promises of the methods, and the counts that break them."""

from __future__ import annotations

from calibration.methods import LEVELS
from calibration.rates import Calibration, Count
from calibration.regimes import REGIMES

CROSSED = {0.05: 0.06, 0.00625: 0.02}
"""Most rejections of the crossed test by level, from three seeds on, in regimes that it makes a promise for."""

JOINT = 0.055
"""Most studies with any false claim after the joint step-down."""

LOOKS = 0.06
"""Most rejections of the crossed test at declared looks."""

OWN_QUESTION = {
    "sign-flip": "arms alike on every example",
    "label permutation": "arms alike on every example",
    "Wilcoxon": "arms alike on every example",
    "paired t": "arms alike on every example",
    "McNemar, exact": "no seed effect",
    "McNemar, mid-p": "no seed effect",
    "Tango": "no seed effect",
    "Newcombe": "no seed effect",
    "score test of precision": "no seed effect",
}
"""The regime in which a method's own null hypothesis holds; there it rejects at most .06 at .05."""

OF_METRICS = ("precision", "recall", "F1", "macro-F1", "balanced accuracy", "MCC", "log loss", "Brier", "AUROC")
"""Metrics whose crossed test makes the same promise as that of accuracy."""

FEWEST_SEEDS = 3


def broken(result: Calibration) -> list[str]:
    """Say which promises the counts break; empty when all hold.

    Parameters
    ----------
    result : Calibration
    """
    promised = {regime.name for regime in REGIMES if regime.promised}
    faults = []
    for row in result.rates:
        where = f"{row.method}, {row.regime}, {row.n_seeds} seeds"
        crossed = row.method == "crossed t" or row.method in OF_METRICS
        if crossed and row.n_seeds >= FEWEST_SEEDS and row.regime in promised:
            faults += [_fault(where, row.rejected[level], most) for level, most in CROSSED.items()]
        elif OWN_QUESTION.get(row.method) == row.regime:
            faults.append(_fault(where, row.rejected[LEVELS[0]], CROSSED[0.05]))
    for family in result.families:
        faults.append(_fault(f"joint step-down, {family.gaps}, {family.n_seeds} seeds", family.joint, JOINT))
    for looks in result.looks:
        faults.append(_fault(f"declared looks, {looks.regime}", looks.declared, LOOKS))
    return [fault for fault in faults if fault]


def _fault(where: str, count: Count, most: float) -> str:
    if count.lower <= most:
        return ""
    return f"{where}: {count.hits} of {count.studies} ({count.rate:.3f}), promised at most {most:g}"
