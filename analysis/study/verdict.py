"""The decision table: from corrected p-values to one word for each comparison. It computes no statistic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import special

from analysis.methods.crossed import SEEDS_FOR_A_VERDICT, CrossedResult

Label = Literal[
    "better",
    "worse",
    "equivalent",
    "better, within the margin",
    "worse, within the margin",
    "undecided",
    "no verdict",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer to one comparison; about new seeds and new examples of the same kind.

    Parameters
    ----------
    label
        ``better`` or ``worse``: the treatment differs from the baseline. ``equivalent``: the gap lies within
        the margin. ``..., within the margin``: both, so the gap is real and too small to matter.
        ``undecided``: neither was shown, which does not mean that the arms are the same. ``no verdict``: the
        question could not be asked.
    reason
        Why there is no verdict, or why it cannot be more than undecided; else empty.
    """

    label: Label
    reason: str = ""

    @property
    def differs(self) -> bool:
        """Whether a difference was shown."""
        return self.label.startswith(("better", "worse"))

    @property
    def equivalent(self) -> bool:
        """Whether the gap was shown to lie within the margin."""
        return self.label == "equivalent" or self.label.endswith("within the margin")


def decide(
    result: CrossedResult | None,
    *,
    difference_p: float,
    equivalence_p: float,
    alpha: float,
    higher_is_better: bool = True,
    refusal: str = "",
) -> Verdict:
    """Decide one comparison.

    Parameters
    ----------
    result
        The primary test; None where it could not be made.
    difference_p, equivalence_p
        The corrected p-values of "there is no difference" and of "the difference is the margin or more".
    alpha
        The error rate that the corrected p-values are held against.
    higher_is_better
        Whether a positive gap is an improvement.
    refusal
        Why the comparison may not be decided, such as a diverged trial; it overrules everything else.

    Returns
    -------
    Verdict
        Generalises to new seeds and new examples. A p-value equal to alpha decides nothing.
    """
    if refusal or result is None:
        return Verdict(label="no verdict", reason=refusal or "the test could not be made")
    if not result.standard_error > 0:
        return Verdict(label="no verdict", reason=result.reason)
    if min(result.n_seeds) < SEEDS_FOR_A_VERDICT:
        return Verdict(
            label="undecided",
            reason=f"{min(result.n_seeds)} seeds give an interval; a verdict needs {SEEDS_FOR_A_VERDICT}",
        )
    if math.isnan(difference_p) or math.isnan(equivalence_p):
        return Verdict(label="no verdict", reason=result.reason)
    direction: Literal["better", "worse"] = "better" if (result.estimate > 0) == higher_is_better else "worse"
    differs, equivalent = difference_p < alpha, equivalence_p < alpha
    if differs and equivalent:
        label: Label = "better, within the margin" if direction == "better" else "worse, within the margin"
        return Verdict(label=label)
    if differs:
        return Verdict(label=direction)
    return Verdict(label="equivalent" if equivalent else "undecided")


def collapse_rate_limit(n_runs: int, *, seen: int = 0, confidence: float = 0.95) -> float:
    """Return the largest share of collapsing runs that is possible after so many runs of an arm.

    Parameters
    ----------
    n_runs
        Runs of the arm; at least 1.
    seen
        How many of them collapsed.
    confidence
        The confidence of the one-sided limit, between 0 and 1.

    Raises
    ------
    ValueError
        If there is no run, or if more collapsed than there are.

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26, 404-413: the upper limit.

    Examples
    --------
    >>> [round(collapse_rate_limit(s), 2) for s in (3, 5, 20)], round(collapse_rate_limit(8, seen=1), 2)
    ([0.63, 0.45, 0.14], 0.47)
    """
    if n_runs < 1 or not 0 <= seen <= n_runs:
        raise ValueError(f"expected at least one run and at most as many that collapsed, got {n_runs} and {seen}")
    return 1.0 if seen == n_runs else float(special.betaincinv(seen + 1, n_runs - seen, confidence))
